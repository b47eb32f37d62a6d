import {
  mayRetry,
  type Psp,
  type PspFound,
  type PspRefused,
  type PspUnknown,
} from '../psp/port.ts';
import { outcomeShown, type Sent, sendIntent, settled } from './psp-calls.ts';
import type { PspIntent, PspObject } from './psp-intent.ts';

/** What looking told of a call that may have had its effect. */
export type Looked =
  | { readonly kind: 'outcome'; readonly outcome: Extract<Sent, { kind: 'outcome' }>['outcome'] }
  /** Surely without effect. */
  | { readonly kind: 'not_done' }
  | { readonly kind: 'ambiguous'; readonly detail: string }
  | { readonly kind: 'unclear'; readonly detail: string };

export interface LookMeans {
  readonly psp: Psp;
  readonly now: number;
  /** The last moment at which the call may have been sent. */
  readonly sentBy: number;
  /** The provider keeps a fault for the key: sending it again tells nothing. */
  readonly spent: boolean;
  readonly signal: AbortSignal;
}

/** Finds out, without a second effect. */
export async function lookIntent(means: LookMeans, intent: PspIntent): Promise<Looked> {
  switch (intent.call) {
    case 'authenticate':
    case 'open_page':
    case 'create':
      return lookCreated(means, intent);
    case 'confirm':
    case 'capture':
    case 'void':
      return lookPayment(means, intent);
    case 'refund':
      return lookFound(means, await find(means, 'refund', intent));
    case 'payout':
      return lookFound(means, await find(means, 'payout', intent));
    case 'close_page':
      return lookPage(means, intent.pageId);
    case 'evidence':
      return lookDispute(means, intent.disputeId);
  }
}

/** A dispute that waits for an answer has got none. */
async function lookDispute({ psp, now, sentBy }: LookMeans, id: string): Promise<Looked> {
  const found = await psp.retrieve('dispute', id);
  if (found.kind !== 'answered') return unclear(found);
  const { value } = found;
  if (value.status !== 'needs_response') return settled({ kind: 'dispute', value }) as Looked;
  if (now >= sentBy + psp.terms.inFlightMsMax) return { kind: 'not_done' };
  return { kind: 'unclear', detail: 'the dispute has no answer yet, and a call may come' };
}

/** A page that is open was not closed. */
async function lookPage({ psp, now, sentBy }: LookMeans, id: string): Promise<Looked> {
  const found = await psp.retrieve('page', id);
  if (found.kind !== 'answered') return unclear(found);
  const { value } = found;
  if (value.status !== 'open') return settled({ kind: 'page', value }) as Looked;
  if (now >= sentBy + psp.terms.inFlightMsMax) return { kind: 'not_done' };
  return { kind: 'unclear', detail: 'the page is open still, and a call may come' };
}

type Created = Extract<PspIntent, { readonly call: 'authenticate' | 'open_page' | 'create' }>;

/** Neither moves money: while the key lives the same call is the best question. */
async function lookCreated(means: LookMeans, intent: Created): Promise<Looked> {
  const { psp, now, spent, signal } = means;
  if (!spent && now < intent.intendedAt + psp.terms.keyLifeMs) {
    const answer = await sendIntent(psp, intent, signal);
    if (answer.kind === 'outcome') return answer;
    if (answer.kind === 'refused') {
      // Who can't be asked now has said nothing of the call that may have arrived.
      return mayRetry(answer) ? unclear(answer) : { kind: 'outcome', outcome: answer };
    }
    if (!answer.replayed) return unclear(answer);
  }
  // An authentication that nobody knows of is made again: nothing rests on it.
  if (intent.call === 'authenticate') return { kind: 'not_done' };
  const kind = intent.call === 'create' ? 'payment' : 'page';
  return lookFound(means, await find(means, kind, intent));
}

async function lookPayment(
  means: LookMeans,
  intent: Extract<PspIntent, { readonly call: 'confirm' | 'capture' | 'void' }>,
): Promise<Looked> {
  const { psp, now, sentBy } = means;
  const found = await psp.retrieve('payment', intent.paymentId);
  if (found.kind !== 'answered') return unclear(found);
  const outcome = outcomeShown(intent, found.value);
  if (outcome) return { kind: 'outcome', outcome };
  const { inFlightMsMax } = psp.terms;
  if (now >= sentBy + inFlightMsMax) return { kind: 'not_done' };
  return { kind: 'unclear', detail: `the payment is ${found.value.status}, and a call may come` };
}

type Found = Extract<PspObject, { readonly kind: 'payment' | 'refund' | 'payout' | 'page' }>;
type Answer =
  | { readonly kind: 'found'; readonly object: Found }
  | Exclude<PspFound<unknown>, { readonly kind: 'found' }>;

async function find(
  { psp }: LookMeans,
  kind: Found['kind'],
  intent: { readonly reference: string; readonly intendedAt: number; readonly paymentId?: string },
): Promise<Answer> {
  const { reference, intendedAt: since, paymentId } = intent;
  const query = { reference, since, ...(paymentId === undefined ? {} : { paymentId }) };
  const found = await psp.find(kind, query);
  if (found.kind !== 'found') return found;
  return { kind: 'found', object: { kind, value: found.value } as Found };
}

function lookFound({ now, sentBy }: LookMeans, found: Answer): Looked {
  switch (found.kind) {
    case 'found':
      return settled(found.object) as Looked;
    case 'ambiguous':
      return { kind: 'ambiguous', detail: `there are ${found.ids.join(', ')}` };
    case 'not_found':
      if (now >= sentBy + found.settledMs) return { kind: 'not_done' };
      return { kind: 'unclear', detail: 'nothing is found yet, which does not count yet' };
    default:
      return unclear(found);
  }
}

/** A look that is refused tells nothing of the call, either. */
function unclear({ reason, detail }: PspRefused | PspUnknown): Looked {
  return { kind: 'unclear', detail: `${reason}: ${detail}` };
}
