import { lastAttempt } from '../order-state.ts';
import type { DeadLetterMeans } from '../reactors/dead-letters.ts';
import { listDeadCalls } from '../reactors/dead-letters.ts';
import type { Counts, OrderPlace, PaymentsReadModel } from '../read-model/payments.ts';
import { checkoutStream } from '../streams.ts';
import { type OrderState, orderEnds, orderStates } from '../transitions.ts';
import type { AcceptedOrders } from './accepted-orders.ts';

/**
 * Where every order is that was ever accepted, in one stage each: done, under way, waiting for a person, being tried
 * again, or with a call that nobody could bring to an end. The stages add up to what was accepted, which is counted by
 * itself, from the events that accepted it: an order that is in no stage is lost, and is told of.
 */
export const orderStages = ['done', 'in_progress', 'waiting', 'retrying', 'dead_letter'] as const;
export type OrderStage = (typeof orderStages)[number];

export interface OrdersByStage {
  /** By the log. */
  readonly accepted: number;
  /** Accepted, and in no stage (or, below zero, in a stage and never accepted). Anything but zero is a fault. */
  readonly unaccounted: number;
  readonly stages: readonly {
    readonly stage: OrderStage;
    readonly state: OrderState;
    readonly orders: number;
  }[];
  /** Calls to providers that wait for a person: of orders and of payouts. */
  readonly deadCalls: number;
}

export interface StageMeans extends DeadLetterMeans {
  readonly read: Pick<PaymentsReadModel, 'counts' | 'ordersInState'>;
  readonly accepted: Pick<AcceptedOrders, 'upTo'>;
}

const pageOrders = 500;

/** Undefined where the read model is lost. */
export async function ordersByStage(means: StageMeans): Promise<OrdersByStage | undefined> {
  const dead = (await listDeadCalls(means)).filter(({ retried }) => !retried);
  const streams = new Set(dead.map(({ stream }) => stream));
  const found = await means.read.counts();
  if (found.kind === 'lost') return undefined;
  const counts: Counts['orders'] = found.orders;
  const moved = new Map<OrderStage, Map<OrderState, number>>();
  const move = (stage: OrderStage, state: OrderState) => {
    const of = moved.get(stage) ?? new Map<OrderState, number>();
    moved.set(stage, of.set(state, (of.get(state) ?? 0) + 1));
  };
  // Only where something is looked at order by order: of the rest the numbers tell all.
  const looked = orderStates.filter((state) => {
    const isOpen = !orderEnds.has(state) && (counts[state] ?? 0) > 0;
    return isOpen && (streams.size > 0 || state === 'executing');
  });
  for (const state of looked) {
    for (let after: OrderPlace | undefined; ; ) {
      const query = { state, limit: pageOrders, ...(after ? { after } : {}) };
      const page = await means.read.ordersInState(query);
      if (page.kind === 'lost') return undefined;
      for (const { checkoutId, order } of page.orders) {
        if (isDead(streams, checkoutId, order.deadLetters)) move('dead_letter', state);
        else if (lastAttempt(order)?.state === 'declined') move('retrying', state);
      }
      if (!page.next) break;
      after = page.next;
    }
  }
  const stages = stagesOf(counts, moved);
  const accepted = await means.accepted.upTo(found.asOf);
  const unaccounted = accepted - sum(stages.map(({ orders }) => orders));
  return { accepted, unaccounted, stages, deadCalls: dead.length };
}

function isDead(
  streams: ReadonlySet<string>,
  checkoutId: string,
  deadLetters: readonly string[],
): boolean {
  return deadLetters.length > 0 && streams.has(checkoutStream(checkoutId));
}

function stagesOf(
  counts: Counts['orders'],
  moved: ReadonlyMap<OrderStage, ReadonlyMap<OrderState, number>>,
): OrdersByStage['stages'] {
  return orderStates.flatMap((state) => {
    let left = counts[state] ?? 0;
    const elsewhere = orderStages.flatMap((stage) => {
      // What has moved on between the two looks is not counted twice.
      const orders = Math.min(moved.get(stage)?.get(state) ?? 0, left);
      left -= orders;
      return orders > 0 ? [{ stage, state, orders }] : [];
    });
    return [...elsewhere, ...(left > 0 ? [{ stage: stageOf(state), state, orders: left }] : [])];
  });
}

function stageOf(state: OrderState): OrderStage {
  if (orderEnds.has(state)) return 'done';
  if (state === 'risk_review') return 'waiting';
  return state === 'unknown' ? 'retrying' : 'in_progress';
}

function sum(numbers: readonly (number | undefined)[]): number {
  return numbers.reduce<number>((total, one) => total + (one ?? 0), 0);
}
