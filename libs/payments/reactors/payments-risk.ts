import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import type { AnyRecordedEvent, Performed, Reactor } from '@annals/projection';
import { assessRisk } from '../decide/checkout.ts';
import { type CheckoutEvent, checkoutEvents, type RecordedPaymentsEvent } from '../events.ts';
import { decided, type Refused } from '../outcome.ts';
import type { RiskAssessment, RiskScreen } from '../risk/port.ts';
import { riskRequestsOf } from '../risk/risk-requests.ts';
import { checkoutCategory } from '../streams.ts';
import { type PaymentsFolds, paymentsFolds } from './stream-folds.ts';

/**
 * Assesses every order of a checkout that was opened, before anything is asked of a provider: no order goes on
 * without a verdict in its stream. An assessment moves nothing, so it may be made twice; the first one counts.
 */
export interface PaymentsRiskOptions {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly screen: RiskScreen;
}

export const riskLimits = {
  concurrencyMax: 64,
  /** Orders of one checkout that are looked at at once. */
  ordersAtOnce: 16,
} as const;

export const paymentsRiskName = 'payments-risk';

export function paymentsRisk(options: PaymentsRiskOptions): Reactor {
  const { log, cipher } = options;
  const folds = paymentsFolds(log, cipher);
  return {
    name: paymentsRiskName,
    categories: [checkoutCategory],
    concurrencyMax: riskLimits.concurrencyMax,
    // Nothing is sent that moves money: another process may begin at once.
    callWithinMs: 0,
    decode: async (events) =>
      (await checkoutEvents.decode(events, cipher)) as unknown as AnyRecordedEvent[],
    types: ['checkout-opened'],
    wants: ({ type }) => type === 'checkout-opened',
    perform: ({ event }) => assess(options, folds, event as unknown as RecordedPaymentsEvent),
    lookUp: 'repeats',
  };
}

async function assess(
  { screen, clock }: PaymentsRiskOptions,
  folds: PaymentsFolds,
  event: RecordedPaymentsEvent,
): Promise<Performed> {
  const requests = riskRequestsOf(event);
  // The buyer was erased, and with them the card: nothing can be charged any more, and the checkout expires.
  if (!requests) return { kind: 'done', result: { came: 'erased' } };
  const verdicts = new Map<string, RiskAssessment>();
  for (let from = 0; from < requests.length; from += riskLimits.ordersAtOnce) {
    const some = requests.slice(from, from + riskLimits.ordersAtOnce);
    const assessed = await Promise.all(some.map((request) => screen.assess(request)));
    for (const [index, { orderId }] of some.entries()) {
      const verdict = assessed[index];
      if (verdict) verdicts.set(orderId, verdict);
    }
  }
  const at = clock.now();
  const applied = await folds.checkouts.decide(event.stream, (checkout) => {
    const events: CheckoutEvent[] = [];
    let refusal: Refused | undefined;
    for (const [orderId, verdict] of verdicts) {
      const one = assessRisk(checkout, orderId, { ...verdict, at });
      if (one.kind === 'refused') refusal ??= one;
      else events.push(...one.events);
    }
    return refusal ?? decided(...events);
  });
  return applied.kind === 'refused'
    ? { kind: 'failed', reason: `${applied.reason}: ${applied.detail}` }
    : { kind: 'done', result: { came: applied.kind } };
}
