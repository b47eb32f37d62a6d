/** Days in UTC, as `2026-11-24`. Times are milliseconds since 1970. */

export const dayMs = 24 * 60 * 60 * 1_000;

/** The day that was asked for last: events that follow each other are mostly of one day. */
const last = { number: Number.NaN, day: '' };

/** The day of a time. Throws a RangeError for what is none. */
export function dayOf(time: number): string {
  const number = daysTo(time);
  if (number !== last.number) {
    last.day = new Date(time).toISOString().slice(0, 10);
    last.number = number;
  }
  return last.day;
}

/** When a day begins; NaN where it is none. */
export function startOfDay(day: string): number {
  return Date.parse(`${day}T00:00:00Z`);
}

/** So many days later, or earlier. */
export function shiftedDay(day: string, days: number): string {
  return dayOf(startOfDay(day) + days * dayMs);
}

/** Days since 1970 that were over at a time. */
export function daysTo(time: number): number {
  return Math.floor(time / dayMs);
}
