import type { Clock } from '@annals/core';
import type { SellerChanged } from '../change-seller.ts';
import { isPayoutDay, scheduledPayoutId } from '../payout-schedule.ts';
import type { PspRouting } from '../psp/routing.ts';
import type { PaymentsReadModel } from '../read-model/payments.ts';
import type { Payments } from '../service.ts';
import { dayOf } from '../utc-days.ts';
import type { DayMarks } from './day-marks.ts';
import type { ScheduledStep } from './schedule.ts';

export interface PayoutsMeans {
  readonly payments: Payments;
  readonly read: PaymentsReadModel;
  readonly routing: PspRouting;
  readonly marks: DayMarks;
  readonly clock: Pick<Clock, 'now'>;
}

export const payoutsLimits = { pageSellers: 200, everyMs: 60_000 } as const;

/**
 * Pays each seller on the days of its schedule, once for each day and currency. A day that was missed is made up for;
 * a day is done when every seller was paid or has nothing to be paid.
 */
export function payoutsStep(means: PayoutsMeans): ScheduledStep {
  const { marks, clock } = means;
  return {
    name: 'payouts',
    everyMs: payoutsLimits.everyMs,
    run: async (signal) => {
      for (const day of await marks.due(dayOf(clock.now()), clock.now())) {
        if (!(await payOutDay(means, day, signal))) return 'later';
        await marks.mark(day, clock.now());
      }
      return 'done';
    },
  };
}

/** False where some are left. */
async function payOutDay(means: PayoutsMeans, day: string, signal: AbortSignal): Promise<boolean> {
  let all = true;
  for (const schedule of ['daily', 'weekly', 'monthly'] as const) {
    for (let after: string | undefined; ; ) {
      const { pageSellers: limit } = payoutsLimits;
      const page = await means.read.sellersOnSchedule({
        ...{ schedule, limit },
        ...(after === undefined ? {} : { after }),
      });
      if (page.kind === 'lost') return false;
      for (const seller of page.sellers) {
        if (signal.aborted) return false;
        if (!(await payOutSeller(means, seller, day))) all = false;
      }
      after = page.sellers.at(-1);
      if (page.sellers.length < limit) break;
    }
  }
  return all;
}

async function payOutSeller(
  { payments, routing }: PayoutsMeans,
  account: string,
  day: string,
): Promise<boolean> {
  const { state } = await payments.seller(account);
  const terms = state?.seller.terms;
  if (!terms || !isPayoutDay(terms, day)) return true;
  let all = true;
  for (const { currency } of terms.currencies) {
    const choice = routing.chooseForPayout(currency, account);
    // No provider takes this currency: nothing can have come in by one, either.
    if (choice.kind === 'no_route') continue;
    if (choice.kind === 'unavailable') {
      all = false;
      continue;
    }
    const changed = await payments.payOut({
      ...{ seller: account, payoutId: scheduledPayoutId(currency, day), currency },
      ...{ psp: choice.psp.name, because: 'schedule' },
    });
    if (!isSettled(changed)) all = false;
  }
  return all;
}

/** Paid, or there is nothing to pay. A wallet that is behind, and a log that does not answer, are asked again. */
function isSettled(changed: SellerChanged): boolean {
  if (changed.kind === 'refused') {
    return changed.reason !== 'wallet-behind' && changed.reason !== 'wallet-lost';
  }
  return changed.kind === 'changed';
}
