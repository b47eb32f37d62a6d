/** Days in UTC, reckoned by hand: what is checked shares no code with it. */
export const dayMs = 24 * 3_600_000;

/** `YYYY-MM-DD` of a time in milliseconds since 1970. */
export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** Its first millisecond. */
export function startOf(day: string): number {
  return Date.parse(`${day}T00:00:00Z`);
}
