import type {
  Psp,
  PspAnswer,
  PspDeclined,
  PspPayment,
  PspRefused,
  PspUnknown,
} from '../psp/port.ts';
import type { PspIntent, PspObject, PspOutcome } from './psp-intent.ts';

/** The answer to a call, or to a look, in the terms of an intent. */
export type Sent =
  | { readonly kind: 'outcome'; readonly outcome: PspOutcome }
  | PspRefused
  | PspUnknown;

/** Sends the call of an intent, once. */
export async function sendIntent(psp: Psp, intent: PspIntent, signal: AbortSignal): Promise<Sent> {
  const call = { key: intent.key, signal };
  switch (intent.call) {
    case 'authenticate':
      return sent(await psp.authenticate({ ...intent, ...call }), 'authentication');
    case 'open_page':
      return sent(await psp.openPage({ ...intent, ...call }), 'page');
    case 'close_page':
      return sent(await psp.closePage({ ...intent, ...call }), 'page');
    case 'create':
      return sent(await psp.createPayment({ ...intent, ...call }), 'payment');
    case 'confirm':
      return sent(await psp.confirmPayment({ ...intent, ...call }), 'payment');
    case 'capture':
      return sent(await psp.capturePayment({ ...intent, ...call }), 'payment');
    case 'void':
      return sent(await psp.voidPayment({ ...intent, ...call }), 'payment');
    case 'refund':
      return sent(await psp.createRefund({ ...intent, ...call }), 'refund');
    case 'payout':
      return sent(await psp.createPayout({ ...intent, ...call }), 'payout');
    case 'evidence':
      return sent(await psp.submitEvidence({ ...intent, ...call }), 'dispute');
  }
}

function sent<Kind extends PspObject['kind']>(
  answer: PspAnswer<Extract<PspObject, { readonly kind: Kind }>['value']>,
  kind: Kind,
): Sent {
  if (answer.kind === 'refused' || answer.kind === 'unknown') return answer;
  if (answer.kind === 'declined') return { kind: 'outcome', outcome: declinedOutcome(answer) };
  return settled({ kind, value: answer.value } as PspObject);
}

export function settled(object: PspObject): Sent {
  return { kind: 'outcome', outcome: { kind: 'settled', object } };
}

export function declinedOutcome({
  reason,
  code,
  next,
}: Pick<PspDeclined, 'reason' | 'code' | 'next'>): PspOutcome {
  return { kind: 'declined', reason, code, next };
}

/**
 * What a payment's own state says of a call on it: its outcome, or undefined where the call has had no effect (so
 * far). One attempt has one payment, so a payment that was declined was declined by this very confirmation.
 */
export function outcomeShown(
  intent: Extract<PspIntent, { readonly call: 'confirm' | 'capture' | 'void' }>,
  payment: PspPayment,
): PspOutcome | undefined {
  const { status, declined } = payment;
  if (notYet[intent.call].has(status)) return undefined;
  if (intent.call === 'confirm' && status === 'declined' && declined) {
    return declinedOutcome(declined);
  }
  if (wanted[intent.call].has(status)) {
    return { kind: 'settled', object: { kind: 'payment', value: payment } };
  }
  return { kind: 'refused', reason: 'wrong_state', detail: `the payment is ${status}`, payment };
}

type Statuses = ReadonlySet<PspPayment['status']>;

const notYet: Readonly<Record<'confirm' | 'capture' | 'void', Statuses>> = {
  confirm: new Set(['created']),
  capture: new Set(['authorized', 'processing']),
  void: new Set(['created', 'requires_action', 'declined', 'authorized', 'processing']),
};

const wanted: Readonly<Record<'confirm' | 'capture' | 'void', Statuses>> = {
  confirm: new Set(['requires_action', 'processing', 'authorized', 'captured']),
  capture: new Set(['captured']),
  void: new Set(['voided']),
};
