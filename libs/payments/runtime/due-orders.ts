import type { Clock } from '@annals/core';
import type { CheckoutChanged } from '../change-checkout.ts';
import type { ListedOrder, OrderPlace, PaymentsReadModel } from '../read-model/payments.ts';
import type { Payments } from '../service.ts';
import type { ScheduledStep } from './schedule.ts';

export interface DueOrdersMeans {
  readonly payments: Payments;
  readonly read: PaymentsReadModel;
  readonly clock: Pick<Clock, 'now'>;
}

export const dueOrdersLimits = { pageOrders: 200, everyMs: 5_000 } as const;

/**
 * What follows without anybody asking for it: money is released after the seller's days, and an order that was not
 * paid in time expires. Which orders are due is told by the read model; whether they are, their streams decide.
 */
export function dueOrdersStep(means: DueOrdersMeans): ScheduledStep {
  return {
    name: 'due-orders',
    everyMs: dueOrdersLimits.everyMs,
    run: async (signal) => {
      let left = false;
      // Where it ended, not from the start: an order that waits for its provider is not in the way of the others.
      for (let after: OrderPlace | undefined; !signal.aborted; ) {
        const { pageOrders: limit } = dueOrdersLimits;
        const before = means.clock.now() + 1;
        const page = await means.read.dueOrders({ before, limit, ...(after ? { after } : {}) });
        if (page.kind === 'lost') return 'later';
        for (const order of page.orders) {
          if (signal.aborted) return 'later';
          if (isLeft(await moveOn(means, order))) left = true;
        }
        if (!page.next) break;
        after = page.next;
      }
      return left || signal.aborted ? 'later' : 'done';
    },
  };
}

function moveOn(
  { payments }: DueOrdersMeans,
  { checkoutId, orderId, state }: ListedOrder,
): Promise<CheckoutChanged> {
  return state === 'captured'
    ? payments.releaseDue(checkoutId, orderId)
    : payments.expire(checkoutId, orderId);
}

/** Nothing was stored, and the same may be asked again. Other refusals say that somebody was quicker. */
function isLeft(changed: CheckoutChanged): boolean {
  if (changed.kind === 'refused') return changed.reason === 'in-progress';
  return changed.kind !== 'changed';
}
