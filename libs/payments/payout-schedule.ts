import type { SellerTerms } from './seller-state.ts';

/** Days are UTC, as `2026-11-24`. */
const dayMs = 24 * 60 * 60 * 1_000;

function startOf(day: string): Date {
  const start = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(start.getTime()) || start.toISOString().slice(0, 10) !== day) {
    throw new RangeError(`${day} is no day`);
  }
  return start;
}

/** The last day of its month, 28 to 31. */
function lastOfMonth(start: Date): number {
  return new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 0)).getUTCDate();
}

type Schedule = Pick<SellerTerms, 'payout_schedule' | 'payout_day'>;

/**
 * Whether sellers with this schedule are paid on that day. `weekly`: on `payout_day`, 1 (Monday, unless told) to 7.
 * `monthly`: on `payout_day`, 1 (unless told) to 31; in a month that has no such day on its last.
 */
export function isPayoutDay({ payout_schedule, payout_day = 1 }: Schedule, day: string): boolean {
  const start = startOf(day);
  switch (payout_schedule) {
    case 'manual':
      return false;
    case 'daily':
      return true;
    case 'weekly':
      return (start.getUTCDay() || 7) === payout_day;
    case 'monthly':
      return start.getUTCDate() === Math.min(payout_day, lastOfMonth(start));
  }
}

/** The next day after `day` on which they are paid; undefined for `manual`. */
export function nextPayoutDay(schedule: Schedule, day: string): string | undefined {
  const start = startOf(day).getTime();
  for (let ahead = 1; ahead <= 31; ahead += 1) {
    const next = new Date(start + ahead * dayMs).toISOString().slice(0, 10);
    if (isPayoutDay(schedule, next)) return next;
  }
  return undefined;
}

/** One payout for each seller, currency and day, however often the schedule is worked off. */
export function scheduledPayoutId(currency: string, day: string): string {
  return `scheduled~${currency}~${day}`;
}
