import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import type { AnyRecordedEvent, Performed, Reactor } from '@annals/projection';
import { assessRisk } from '../decide/checkout.ts';
import { type CheckoutEvent, checkoutEvents, type RecordedPaymentsEvent } from '../events.ts';
import { decided, type Refused } from '../outcome.ts';
import type { PspRouting } from '../psp/routing.ts';
import type { RiskAssessment, RiskScreen } from '../risk/port.ts';
import { type KnownCard, riskRequestsOf } from '../risk/risk-requests.ts';
import { type Checkout, evolve } from '../state.ts';
import { checkoutCategory } from '../streams.ts';
import { nextCall } from './payments-advance.ts';
import { type PaymentsFolds, paymentsFolds } from './stream-folds.ts';

/**
 * Assesses every order of a checkout that was opened, once its card is known and before money may move: no order goes on
 * without a verdict in its stream. An assessment moves nothing, so it may be made twice; the first one counts.
 */
export interface PaymentsRiskOptions {
  /** Shared with other reactors of the same log; its own unless told. */
  readonly folds?: PaymentsFolds;
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly screen: RiskScreen;
  /** With it the call that an only order needs next is asked for in the append of its verdict; else that is left to `payments-advance`. */
  readonly routing?: Pick<PspRouting, 'choose'>;
}

export const riskLimits = {
  concurrencyMax: 64,
  /** Orders of one checkout that are looked at at once. */
  ordersAtOnce: 16,
} as const;

export const paymentsRiskName = 'payments-risk';

export function paymentsRisk(options: PaymentsRiskOptions): Reactor {
  const { log, cipher } = options;
  const { folds = paymentsFolds(log, cipher) } = options;
  return {
    name: paymentsRiskName,
    categories: [checkoutCategory],
    concurrencyMax: riskLimits.concurrencyMax,
    // Nothing is sent that moves money: another process may begin at once.
    callWithinMs: 0,
    decode: async (events) =>
      (await checkoutEvents.decode(events, cipher)) as unknown as AnyRecordedEvent[],
    types: cardTypes,
    wants: ({ type }) => cardTypes.includes(type),
    perform: ({ event }) => assess(options, folds, event as unknown as RecordedPaymentsEvent),
    lookUp: 'repeats',
  };
}

/** What brings a card: with the checkout, or later. */
const cardTypes = ['checkout-opened', 'payment-page-completed'];

async function assess(
  options: PaymentsRiskOptions,
  folds: PaymentsFolds,
  event: RecordedPaymentsEvent,
): Promise<Performed> {
  const { screen, clock } = options;
  const given = await givenCard(options, event);
  const requests = given && riskRequestsOf(given.opened, given.card);
  // None was given yet. Or the buyer was erased, and with them the card: nothing can be charged, and the checkout expires.
  if (!requests) return { kind: 'done', result: { came: 'no-card' } };
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
  folds.checkouts.seen(event);
  const applied = await folds.checkouts.decide(event.stream, (checkout) => {
    const events: CheckoutEvent[] = [];
    let refusal: Refused | undefined;
    for (const [orderId, verdict] of verdicts) {
      const one = assessRisk(checkout, orderId, { ...verdict, at });
      if (one.kind === 'refused') refusal ??= one;
      else events.push(...one.events);
    }
    return refusal ?? decided(...events, ...callAfter(options, given.method, checkout, events));
  });
  return applied.kind === 'refused'
    ? { kind: 'failed', reason: `${applied.reason}: ${applied.detail}` }
    : { kind: 'done', result: { came: applied.kind } };
}

interface GivenCard {
  readonly opened: RecordedPaymentsEvent;
  readonly method: string;
  readonly card?: KnownCard;
}

/** The card, with the checkout that it was given for; undefined where there is none (any more). */
async function givenCard(
  { log, cipher }: PaymentsRiskOptions,
  event: RecordedPaymentsEvent,
): Promise<GivenCard | undefined> {
  if (event.type === 'checkout-opened') {
    const { method } = event.data;
    return method === undefined ? undefined : { opened: event, method };
  }
  if (event.type !== 'payment-page-completed') return undefined;
  const { method, fingerprint = method } = event.data;
  if (method === undefined || fingerprint === undefined) return undefined;
  const { events } = await log.readStream(event.stream, { limit: 1 });
  const [opened] = await checkoutEvents.decode(events, cipher);
  return opened && { opened, method, card: { fingerprint, at: event.recordedAt } };
}

/** The call that the only order of a checkout needs next, where risk lets it through. Several wait for one authentication. */
function callAfter(
  { routing, clock }: PaymentsRiskOptions,
  method: string,
  checkout: Checkout | undefined,
  verdicts: readonly CheckoutEvent[],
): readonly CheckoutEvent[] {
  const [verdict] = verdicts;
  if (!routing || checkout?.orders.size !== 1 || verdict?.type !== 'order-risk-assessed') return [];
  if (verdict.data.verdict !== 'accepted') return [];
  const after = evolve(checkout, verdict);
  const next = nextCall({ routing, clock }, after, verdict.data.payment_order_id, method);
  return next.kind === 'decided' ? next.events : [];
}
