/** Days in UTC, as `2026-11-24`. Times are milliseconds since 1970. */

export const dayMs = 24 * 60 * 60 * 1_000;

/** The day of a time. */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
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
