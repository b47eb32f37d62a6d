import { expect, test } from 'vitest';
import { isPayoutDay, nextPayoutDay } from './payout-schedule.ts';

/** The payout days from `first` on, as many as `count`. */
function payoutDays(schedule: Parameters<typeof isPayoutDay>[0], first: string, count: number) {
  const days = isPayoutDay(schedule, first) ? [first] : [];
  for (let day: string | undefined = first; day && days.length < count; ) {
    day = nextPayoutDay(schedule, day);
    if (day) days.push(day);
  }
  return days;
}

test('daily schedules pay on every day, over the ends of months and years', () => {
  const days = payoutDays({ payout_schedule: 'daily' }, '2026-12-30', 4);
  expect(days).toEqual(['2026-12-30', '2026-12-31', '2027-01-01', '2027-01-02']);
});

test.each([
  [undefined, ['2026-11-30', '2026-12-07']],
  [1, ['2026-11-30', '2026-12-07']],
  [7, ['2026-11-29', '2026-12-06']],
])('weekly schedules pay on day %s of the week', (payout_day, days) => {
  const schedule = { payout_schedule: 'weekly', ...(payout_day ? { payout_day } : {}) } as const;
  expect(payoutDays(schedule, '2026-11-24', 2)).toEqual(days);
});

test.each([
  [undefined, '2026-12-15', ['2027-01-01', '2027-02-01', '2027-03-01']],
  [15, '2026-12-16', ['2027-01-15', '2027-02-15', '2027-03-15']],
  [31, '2027-01-15', ['2027-01-31', '2027-02-28', '2027-03-31', '2027-04-30']],
  [30, '2028-01-31', ['2028-02-29', '2028-03-30', '2028-04-30']],
  [29, '2027-02-01', ['2027-02-28', '2027-03-29']],
])('monthly schedules pay on day %s, or the last of a shorter month', (payout_day, from, days) => {
  const schedule = { payout_schedule: 'monthly', ...(payout_day ? { payout_day } : {}) } as const;
  expect(payoutDays(schedule, from, days.length)).toEqual(days);
});

test('each month has one payout day, whatever the day', () => {
  for (let payout_day = 1; payout_day <= 31; payout_day += 1) {
    const days = payoutDays({ payout_schedule: 'monthly', payout_day }, '2027-01-01', 24);
    expect(new Set(days.map((day) => day.slice(0, 7))).size).toBe(24);
  }
});

test('who is paid on demand has no payout day', () => {
  expect(payoutDays({ payout_schedule: 'manual' }, '2027-01-01', 3)).toEqual([]);
});

test.each(['2027-02-29', '2027-2-1', 'tomorrow', ''])('%j is no day', (day) => {
  expect(() => isPayoutDay({ payout_schedule: 'daily' }, day)).toThrow(RangeError);
});
