import type { Clock, SubjectCipher } from '@annals/core';
import { type EventLog, EventTypes, eventType } from '@annals/event-log';
import type { AnyRecordedEvent, Performed, Reactor } from '@annals/projection';
import { erasureCategory, subjectErased } from '@annals/subject-keys';
import { checkoutEventTypes } from '../checkout-events.ts';
import { requestAttempt, requestAuthentication } from '../decide/attempts.ts';
import { requestClose } from '../decide/payment-page.ts';
import {
  type CheckoutEvent,
  checkoutEvents,
  type RecordedOf,
  type RecordedPaymentsEvent,
} from '../events.ts';
import type { OrderFold } from '../order-state.ts';
import { type Decided, decided, type Refused } from '../outcome.ts';
import type { PspRouting } from '../psp/routing.ts';
import type { Checkout } from '../state.ts';
import { checkoutCategory, checkoutOfBuyer, checkoutStream } from '../streams.ts';
import { type PaymentsFolds, paymentsFolds } from './stream-folds.ts';

/**
 * Asks for the next call where an order is free to go on: after risk let it through, after the buyer was
 * authenticated, and some time after an attempt that may be repeated. And for a page to be closed whose buyer was erased.
 * Calls nobody, so it may be done twice.
 */
export interface PaymentsAdvanceOptions {
  /** Shared with other reactors of the same log; its own unless told. */
  readonly folds?: PaymentsFolds;
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly routing: Pick<PspRouting, 'choose'>;
  readonly limits?: Partial<Record<keyof typeof advanceLimits, number>>;
}

export const advanceLimits = {
  /** After an attempt that may be repeated; doubled with each further one. */
  retryAfterMs: 1_000,
  retryAfterMsMax: 60 * 60 * 1_000,
  callWithinMs: 30_000,
  concurrencyMax: 256,
  /** Events of a stream that are read at once. */
  pageEvents: 100,
} as const;

export const paymentsAdvanceName = 'payments-advance';

const advanceEvents = new EventTypes([...checkoutEventTypes, eventType(subjectErased)]);

export function paymentsAdvance(options: PaymentsAdvanceOptions): Reactor {
  const { log, cipher } = options;
  const limits = { ...advanceLimits, ...options.limits };
  const { folds = paymentsFolds(log, cipher) } = options;
  const advance = new PaymentsAdvance(options, folds, limits);
  return {
    name: paymentsAdvanceName,
    categories: [checkoutCategory, erasureCategory],
    concurrencyMax: limits.concurrencyMax,
    // Nothing is sent to anybody: another process may begin at once.
    callWithinMs: 0,
    decode: async (events) =>
      (await advanceEvents.decode(events, cipher)) as unknown as AnyRecordedEvent[],
    types: [...Object.keys(freeing), subjectErased.name],
    wants: (event) =>
      checkoutErased(event) !== undefined ||
      ordersFreed(event as unknown as RecordedPaymentsEvent) !== undefined,
    perform: ({ event }) => {
      const erased = checkoutErased(event);
      return erased === undefined
        ? advance.perform(event as unknown as RecordedPaymentsEvent)
        : advance.closePage(erased);
    },
    lookUp: 'repeats',
  };
}

/** The checkout whose buyer an erasure is about; undefined for other events, and for other people. */
function checkoutErased({ type, data }: AnyRecordedEvent): string | undefined {
  if (type !== subjectErased.name) return undefined;
  return checkoutOfBuyer((data as { readonly subject: string }).subject);
}

type Freed = 'all' | { readonly order: string } | undefined;

/** Which order an event frees to go on: `all` of the checkout, one, or none (undefined). */
const freeing: {
  readonly [Type in RecordedPaymentsEvent['type']]?: (data: RecordedOf<Type>['data']) => Freed;
} = {
  'checkout-authenticated': () => 'all',
  'order-risk-assessed': ({ verdict, payment_order_id: order }) =>
    verdict === 'accepted' ? { order } : undefined,
  'order-review-decided': ({ verdict, payment_order_id: order }) =>
    verdict === 'approved' ? { order } : undefined,
  'attempt-declined': ({ final, payment_order_id: order }) => (final ? undefined : { order }),
};

function ordersFreed({ type, data }: RecordedPaymentsEvent): Freed {
  return freeing[type]?.(data as never);
}

/** What risk let through was mostly asked for in the same breath (`payments-risk`). */
function isAskedFor(
  { type, data }: RecordedPaymentsEvent,
  checkout: Checkout | undefined,
): boolean {
  if (type !== 'order-risk-assessed') return false;
  return (checkout?.orders.get(data.payment_order_id)?.attempts.length ?? 0) > 0;
}

type Limits = Record<keyof typeof advanceLimits, number>;
type Waits = { readonly kind: 'waits'; readonly reason: string };

class PaymentsAdvance {
  readonly #options: PaymentsAdvanceOptions;
  readonly #folds: PaymentsFolds;
  readonly #limits: Limits;

  constructor(options: PaymentsAdvanceOptions, folds: PaymentsFolds, limits: Limits) {
    this.#options = options;
    this.#folds = folds;
    this.#limits = limits;
  }

  async perform(event: RecordedPaymentsEvent): Promise<Performed> {
    const freed = ordersFreed(event);
    if (freed === undefined) throw new TypeError(`${event.type} frees no order`);
    const dueAt = this.#dueAt(event);
    if (this.#options.clock.now() < dueAt) return { kind: 'retry', reason: `not before ${dueAt}` };
    const known = this.#folds.checkouts.kept(event.stream);
    if (known && known.revision >= event.revision && isAskedFor(event, known.state)) {
      return { kind: 'done', result: { came: 'unchanged' } };
    }
    const method = await this.#methodOf(event.stream);
    // The buyer was erased, and with them the card: nothing can be charged any more, and the checkout expires.
    if (method === undefined) return { kind: 'done', result: { came: 'erased' } };
    const waits: Waits[] = [];
    const applied = await this.#folds.checkouts.decide(event.stream, (checkout) => {
      waits.length = 0;
      const orders = freed === 'all' ? [...(checkout?.orders.keys() ?? [])] : [freed.order];
      const asked = orders.flatMap((order) => {
        const next = nextCall(this.#options, checkout, order, method);
        if (next.kind === 'waits') waits.push(next);
        return next.kind === 'decided' ? next.events : [];
      });
      // A checkout asks for one authentication, whichever of its orders is free first.
      return decided(...new Map(asked.map((one) => [one.id, one])).values());
    });
    if (waits[0]) return { kind: 'retry', reason: waits[0].reason };
    return { kind: 'done', result: { came: applied.kind } };
  }

  /** Nothing can be charged that was given there now: what it is of is gone. */
  async closePage(checkoutId: string): Promise<Performed> {
    const at = this.#options.clock.now();
    let isComing = false;
    const applied = await this.#folds.checkouts.decide(checkoutStream(checkoutId), (checkout) => {
      isComing = checkout?.page?.state === 'requested';
      const callBefore = at + this.#limits.callWithinMs;
      return requestClose(checkout, { because: 'buyer-erased', at, callBefore });
    });
    if (isComing) return { kind: 'retry', reason: 'the page is not there yet' };
    return { kind: 'done', result: { came: applied.kind } };
  }

  /** An attempt that may be repeated is repeated later and later. */
  #dueAt(event: RecordedPaymentsEvent): number {
    if (event.type !== 'attempt-declined') return 0;
    const { retryAfterMs, retryAfterMsMax } = this.#limits;
    const wait = Math.min(retryAfterMs * 2 ** (event.data.attempt - 1), retryAfterMsMax);
    return event.recordedAt + wait;
  }

  async #methodOf(stream: string): Promise<string | undefined> {
    const { log, cipher } = this.#options;
    const { events } = await log.readStream(stream, { limit: 1 });
    const [opened] = await checkoutEvents.decode(events, cipher);
    if (opened?.type !== 'checkout-opened') return undefined;
    return opened.data.method ?? this.#methodOfPage(stream);
  }

  /** The card that was given on a page: mostly among the first events, since nothing goes on before it. */
  async #methodOfPage(stream: string): Promise<string | undefined> {
    const { log, cipher } = this.#options;
    const { pageEvents: limit } = advanceLimits;
    for (let from = 0; ; from += limit) {
      const { events } = await log.readStream(stream, { from, limit });
      const given = events.filter(({ type }) => type === 'payment-page-completed');
      const [completed] = await checkoutEvents.decode(given, cipher);
      if (completed?.type === 'payment-page-completed') return completed.data.method;
      if (events.length < limit) return undefined;
    }
  }
}

/** The call that an order which is free to go on needs next; `waits` where no provider can be asked now. */
export function nextCall(
  {
    clock,
    routing,
    limits,
  }: Pick<PaymentsAdvanceOptions, 'clock' | 'routing'> & { readonly limits?: Partial<Limits> },
  checkout: Checkout | undefined,
  orderId: string,
  method: string,
): Decided<CheckoutEvent> | Refused | Waits {
  const order = checkout?.orders.get(orderId);
  if (!checkout || !order) return decided();
  const at = clock.now();
  const callBefore = at + (limits?.callWithinMs ?? advanceLimits.callWithinMs);
  const { authentication } = checkout;
  const several = checkout.orders.size > 1;
  if (several && authentication.state !== 'none' && authentication.state !== 'authenticated') {
    return decided();
  }
  // The authentication is one provider's: so are all attempts that rest on it.
  const psp =
    authentication.state === 'authenticated'
      ? authentication.psp
      : pspFor(routing, checkout, order);
  if (typeof psp !== 'string') return psp;
  const asked = { psp, method, at, callBefore };
  return several && authentication.state === 'none'
    ? requestAuthentication(checkout, asked)
    : requestAttempt(checkout, orderId, asked);
}

/** Somewhere else than before, where there is somewhere; the choice is written into the intent. */
function pspFor(
  routing: Pick<PspRouting, 'choose'>,
  { currency }: Checkout,
  { terms, attempts }: OrderFold,
): string | Waits {
  const payment = {
    amount: { amount: BigInt(terms.amount), currency },
    seller: terms.seller_account,
  };
  const tried = attempts.map(({ psp }) => psp);
  const elsewhere = routing.choose(payment, tried);
  const choice =
    elsewhere.kind === 'no_route' && tried.length > 0 ? routing.choose(payment) : elsewhere;
  return choice.kind === 'chosen' ? choice.psp.name : { kind: 'waits', reason: choice.detail };
}
