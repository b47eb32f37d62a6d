import type { Reset } from './input.ts';

/**
 * Periods by name, in UTC. A board's reset says which names it has: `2026-11-24` (daily), `2026-W48`
 * (weekly, ISO 8601: weeks begin on Monday, week 1 holds the first Thursday), `2026-11` (monthly),
 * `all` (never).
 */

const dayMs = 86_400_000;
const names: { readonly [reset in Reset]: RegExp } = {
  daily: /^(\d{4})-(\d{2})-(\d{2})$/,
  weekly: /^(\d{4})-W(\d{2})$/,
  monthly: /^(\d{4})-(\d{2})$/,
  never: /^all$/,
};

/** The period a moment belongs to; `time` in milliseconds since 1970, years 0 to 9999. */
export function periodOf(reset: Reset, time: number): string {
  if (reset === 'never') return 'all';
  const day = Math.floor(time / dayMs);
  const known = lastNamed[reset];
  if (known.day === day) return known.name;
  const name =
    reset === 'weekly'
      ? weekOf(time)
      : new Date(time).toISOString().slice(0, reset === 'daily' ? 10 : 7);
  lastNamed[reset] = { day, name };
  return name;
}

/** Every read asks for the period of now, and no period ends within a day: the last answer is kept. */
const lastNamed: { [reset in Exclude<Reset, 'never'>]: { day: number; name: string } } = {
  daily: { day: Number.NaN, name: '' },
  weekly: { day: Number.NaN, name: '' },
  monthly: { day: Number.NaN, name: '' },
};

/** When the period begins (milliseconds since 1970), or undefined when a board with this reset has no such period. */
export function periodStart(reset: Reset, name: string): number | undefined {
  const match = names[reset].exec(name);
  if (!match) return undefined;
  if (reset === 'never') return Number.NEGATIVE_INFINITY;
  const [year, second, third] = match.slice(1).map(Number) as [number, number, number];
  const start =
    reset === 'weekly'
      ? firstMonday(year) + (second - 1) * 7 * dayMs
      : Date.UTC(year, second - 1, third || 1);
  // A month 13, a day 31 of November or a week 53 of a short year comes out under another name.
  return periodOf(reset, start) === name ? start : undefined;
}

function weekOf(time: number): string {
  const monday = time - mod(Math.floor(time / dayMs) + 3, 7) * dayMs;
  const year = new Date(monday + 3 * dayMs).getUTCFullYear();
  const week = 1 + Math.floor((monday - firstMonday(year)) / (7 * dayMs));
  return `${String(year).padStart(4, '0')}-W${String(week).padStart(2, '0')}`;
}

/** Midnight of the Monday of ISO week 1: the week that holds January 4th. */
function firstMonday(year: number): number {
  const january4 = Date.UTC(year, 0, 4);
  return january4 - mod(january4 / dayMs + 3, 7) * dayMs;
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by;
}
