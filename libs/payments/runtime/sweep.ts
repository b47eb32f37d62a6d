import type { Clock } from '@annals/core';
import { lastAttempt } from '../order-state.ts';
import { type ObserverMeans, sweep, type Waiting } from '../reactors/psp-hints.ts';
import { referenceOf } from '../reactors/references.ts';
import type {
  ListedOrder,
  OrderPlace,
  PaymentsReadModel,
  PayoutPlace,
} from '../read-model/payments.ts';
import { type OrderState, type PayoutState, refundEnds } from '../transitions.ts';
import type { ScheduledStep } from './schedule.ts';

export interface SweepMeans {
  readonly observer: ObserverMeans;
  readonly read: PaymentsReadModel;
  readonly clock: Pick<Clock, 'now'>;
  /** Payouts that are read at once; for tests. */
  readonly pagePayouts?: number;
}

export const sweepLimits = {
  everyMs: 60_000,
  /** Between two looks at what waits for somebody else than the provider: a capture, mostly. */
  slowlyEveryMs: 60 * 60_000,
  refundsEveryMs: 10 * 60_000,
  /** What changed so lately may still be told of by a webhook. */
  quietMs: 60_000,
  pageOrders: 200,
  pagePayouts: 200,
} as const;

/** States that end by the word of a provider. */
const waitingOrders: readonly OrderState[] = ['requires_action', 'unknown', 'executing'];
/** `paid` is not among them: that a payout fails after that is told by the events of its provider. */
const waitingPayouts: readonly PayoutState[] = ['unknown', 'sent'];

/** Looks at what waits for a word of its provider, because a webhook may never come. */
export function sweepSteps(means: SweepMeans): readonly ScheduledStep[] {
  const step = (name: string, everyMs: number, waiting: () => AsyncIterable<Waiting>) => ({
    ...{ name, everyMs, laterMs: everyMs },
    run: async (signal: AbortSignal) => {
      const { later } = await sweep(means.observer, waiting(), signal);
      return later > 0 ? ('later' as const) : ('done' as const);
    },
  });
  return [
    step('sweep', sweepLimits.everyMs, async function* () {
      for (const state of waitingOrders) yield* ordersIn(means, state);
      for (const state of waitingPayouts) yield* payoutsIn(means, state);
    }),
    step('sweep-refunds', sweepLimits.refundsEveryMs, () => refundsIn(means)),
    step('sweep-authorized', sweepLimits.slowlyEveryMs, () => ordersIn(means, 'authorized')),
  ];
}

async function* ordersIn({ read, clock }: SweepMeans, state: OrderState): AsyncIterable<Waiting> {
  const before = clock.now() - sweepLimits.quietMs;
  for (let after: OrderPlace | undefined; ; ) {
    const { pageOrders: limit } = sweepLimits;
    const page = await read.ordersInState({ state, limit, ...(after ? { after } : {}) });
    if (page.kind === 'lost') return;
    // The longest unchanged come first.
    const quiet = page.orders.filter(({ updatedAt }) => updatedAt < before);
    yield* quiet.flatMap(paymentOf);
    if (!page.next || quiet.length < page.orders.length) return;
    after = page.next;
  }
}

async function* payoutsIn(
  { read, clock, pagePayouts: limit = sweepLimits.pagePayouts }: SweepMeans,
  state: PayoutState,
): AsyncIterable<Waiting> {
  const before = clock.now() - sweepLimits.quietMs;
  for (let after: PayoutPlace | undefined; ; ) {
    const page = await read.payoutsInState({ state, limit, ...(after ? { after } : {}) });
    if (page.kind === 'lost') return;
    // The longest unchanged come first.
    const quiet = page.payouts.filter(({ updatedAt }) => updatedAt < before);
    for (const { psp, pspPayoutId: id } of quiet) {
      if (id !== undefined) yield { psp, object: { kind: 'payout', id } };
    }
    if (!page.next || quiet.length < page.payouts.length) return;
    after = page.next;
  }
}

/** Refunds that are pending, and those whose provider is not known to have taken them on for a long time. */
async function* refundsIn({ read, clock }: SweepMeans): AsyncIterable<Waiting> {
  const { quietMs, slowlyEveryMs, pageOrders: limit } = sweepLimits;
  const [before, long] = [clock.now() - quietMs, clock.now() - slowlyEveryMs];
  for (let after: OrderPlace | undefined; ; ) {
    const page = await read.openRefunds({ before, limit, ...(after ? { after } : {}) });
    if (page.kind === 'lost') return;
    for (const listed of page.orders) yield* refundsOf(listed, listed.updatedAt < long);
    if (!page.next) return;
    after = page.next;
  }
}

function refundsOf({ checkoutId, orderId, order }: ListedOrder, isOld: boolean): Waiting[] {
  const { psp, paymentId } = lastAttempt(order) ?? {};
  if (psp === undefined || paymentId === undefined) return [];
  return [...order.refunds.values()].flatMap(({ id, state, pspRefundId }): Waiting[] => {
    if (refundEnds.has(state)) return [];
    if (pspRefundId !== undefined) return [{ psp, object: { kind: 'refund', id: pspRefundId } }];
    if (!isOld) return [];
    const named = { kind: 'refund', checkout: checkoutId, order: orderId, refund: id } as const;
    return [{ psp, refund: { reference: referenceOf(named), since: 0, paymentId } }];
  });
}

function paymentOf({ order }: ListedOrder): readonly Waiting[] {
  const attempt = lastAttempt(order);
  if (!attempt?.paymentId) return [];
  return [{ psp: attempt.psp, object: { kind: 'payment', id: attempt.paymentId } }];
}
