import type { Clock } from '@annals/core';
import type { PspRouting } from '../psp/routing.ts';
import type { CheckoutOpened } from './risk-requests.ts';

/** How the provider is asked which card a token stands for, where a rule of risk looks at cards. */
export interface CardLookup {
  readonly answerMsMax: number;
  /**
   * What an order is when the provider does not say it in time: `open` lets the other rules decide, which know the card by
   * its token then; `closed` puts it under review, too. Either way the rule `card:no-answer` says so.
   */
  readonly onFailure: 'open' | 'closed';
}

export const cardLookupDefault: CardLookup = { answerMsMax: 2_000, onFailure: 'closed' };

export interface AskMeans {
  readonly routing: Pick<PspRouting, 'choose'>;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly answerMsMax: number;
}

export type Identified =
  | { readonly kind: 'card'; readonly psp: string; readonly fingerprint: string }
  /** It is none that has a fingerprint, or none at all: then no charge of it succeeds. */
  | { readonly kind: 'none' }
  | { readonly kind: 'no-answer' };

/** Asks the provider where the first order would be charged. Nothing is changed by it, so it may be asked again. */
export async function identifyCard(
  means: AskMeans,
  { orders, currency }: CheckoutOpened['data'],
  token: string,
): Promise<Identified> {
  const [first] = orders;
  if (!first) return { kind: 'none' };
  const amount = { amount: BigInt(first.amount), currency };
  const choice = means.routing.choose({ amount, seller: first.seller_account });
  if (choice.kind !== 'chosen') return { kind: 'no-answer' };
  const answer = await inTime(means, choice.psp.method(token));
  if (answer?.kind === 'answered') {
    const { psp, fingerprint } = answer.value;
    return fingerprint === undefined ? { kind: 'none' } : { kind: 'card', psp, fingerprint };
  }
  const isNone = answer?.kind === 'refused' && noCard.has(answer.reason);
  return { kind: isNone ? 'none' : 'no-answer' };
}

const noCard: ReadonlySet<string> = new Set(['not_found', 'invalid_request']);

/** Undefined when the time is over, and when the call is broken. */
async function inTime<T>({ clock, answerMsMax }: AskMeans, asked: Promise<T>) {
  const done = new AbortController();
  const late = clock.sleep(answerMsMax, done.signal).then(() => undefined);
  try {
    return await Promise.race([asked.catch(() => undefined), late]);
  } finally {
    done.abort();
  }
}
