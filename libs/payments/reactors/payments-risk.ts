import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import type { AnyRecordedEvent, Performed, Reactor } from '@annals/projection';
import { assessRisk } from '../decide/checkout.ts';
import { checkoutEvent } from '../decide/decide.ts';
import { type CheckoutEvent, checkoutEvents, type RecordedPaymentsEvent } from '../events.ts';
import { decided, type Refused } from '../outcome.ts';
import type { PspRouting } from '../psp/routing.ts';
import {
  type CardLookup,
  cardLookupDefault,
  type Identified,
  identifyCard,
} from '../risk/card-lookup.ts';
import { type RiskAssessment, type RiskScreen, strictest } from '../risk/port.ts';
import { type CheckoutOpened, type KnownCard, riskRequestsOf } from '../risk/risk-requests.ts';
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
  /** How providers are asked which card it is, where the screen looks at cards and there is `routing`. */
  readonly cards?: CardLookup;
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
  const given = givenWith(event) ?? (await givenAtPage(options, event));
  // None was given yet. Or the buyer was erased, and with them the card: nothing can be charged, and the checkout expires.
  if (!given) return { kind: 'done', result: { came: 'no-card' } };
  const identified = asks(options, given) ? await askForCard(options, folds, given) : undefined;
  if (identified === 'assessed') return { kind: 'done', result: { came: 'unchanged' } };
  const card = identified?.kind === 'card' ? identified : given.card;
  const requests = riskRequestsOf(given.opened, card);
  if (!requests) return { kind: 'done', result: { came: 'no-card' } };
  const unsaid = identified?.kind === 'no-answer' ? [nobodySaid(options)] : [];
  const verdicts = new Map<string, RiskAssessment>();
  for (let from = 0; from < requests.length; from += riskLimits.ordersAtOnce) {
    const some = requests.slice(from, from + riskLimits.ordersAtOnce);
    const assessed = await Promise.all(some.map((request) => screen.assess(request)));
    for (const [index, { orderId }] of some.entries()) {
      const verdict = assessed[index];
      if (verdict) verdicts.set(orderId, strictest([verdict, ...unsaid]));
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
    if (refusal) return refusal;
    const known = events.length > 0 ? cardIdentified(checkout, identified, at) : [];
    return decided(...known, ...events, ...callAfter(options, given.method, checkout, events));
  });
  return applied.kind === 'refused'
    ? { kind: 'failed', reason: `${applied.reason}: ${applied.detail}` }
    : { kind: 'done', result: { came: applied.kind } };
}

/**
 * What the provider says of the card, before anything is charged. Nobody is asked about a checkout that has its verdicts: what
 * is done again asks nothing.
 */
async function askForCard(
  { routing, clock, cards = cardLookupDefault }: PaymentsRiskOptions,
  folds: PaymentsFolds,
  { opened, method }: GivenCard,
): Promise<Identified | 'assessed' | undefined> {
  if (!routing) return undefined;
  const { state } = await folds.checkouts.load(opened.stream);
  const orders = [...(state?.orders.values() ?? [])];
  if (!orders.some((order) => !order.cleared && order.state === 'not_started')) return 'assessed';
  const { answerMsMax } = cards;
  return identifyCard({ routing, clock, answerMsMax }, opened.data, method);
}

/** Whether a rule looks at cards; a page has said which it is. */
function asks({ screen, routing }: PaymentsRiskOptions, { card }: GivenCard): boolean {
  return !card && routing !== undefined && (screen.asksForCards?.() ?? false);
}

function nobodySaid({ cards = cardLookupDefault }: PaymentsRiskOptions): RiskAssessment {
  return {
    verdict: cards.onFailure === 'open' ? 'accepted' : 'review',
    rules: ['card:no-answer'],
  };
}

/** Written down with the verdicts, so that a process that starts later counts the same. */
function cardIdentified(
  checkout: Checkout | undefined,
  identified: Identified | undefined,
  at: number,
): readonly CheckoutEvent[] {
  if (!checkout || identified?.kind !== 'card') return [];
  const { psp, fingerprint } = identified;
  const data = { checkout_id: checkout.id, psp, fingerprint };
  return [checkoutEvent('card-identified', [], at, data)];
}

interface GivenCard {
  readonly opened: CheckoutOpened;
  readonly method: string;
  readonly card?: KnownCard;
}

/** The token that the checkout came with. */
function givenWith(event: RecordedPaymentsEvent): GivenCard | undefined {
  if (event.type !== 'checkout-opened' || event.data.method === undefined) return undefined;
  return { opened: event, method: event.data.method };
}

/** The card that was given on a page, with its checkout; undefined where there is none (any more). */
async function givenAtPage(
  { log, cipher }: PaymentsRiskOptions,
  event: RecordedPaymentsEvent,
): Promise<GivenCard | undefined> {
  if (event.type !== 'payment-page-completed') return undefined;
  const { method, fingerprint = method } = event.data;
  if (method === undefined || fingerprint === undefined) return undefined;
  const { events } = await log.readStream(event.stream, { limit: 1 });
  const [opened] = await checkoutEvents.decode(events, cipher);
  if (opened?.type !== 'checkout-opened') return undefined;
  return { opened, method, card: { fingerprint, at: event.recordedAt } };
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
