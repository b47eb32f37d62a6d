import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Reset } from './input.ts';
import { periodOf, periodStart } from './period.ts';

const at = (text: string) => Date.parse(text);

describe('a period', () => {
  test.each<[Reset, string, string]>([
    ['daily', '2026-11-24T23:59:59.999Z', '2026-11-24'],
    ['daily', '2026-11-25T00:00:00.000Z', '2026-11-25'],
    ['monthly', '2026-11-30T23:59:59.999Z', '2026-11'],
    ['monthly', '2026-12-01T00:00:00.000Z', '2026-12'],
    ['never', '2026-11-24T00:00:00Z', 'all'],
    // ISO 8601 weeks, with the years that begin in another year's week.
    ['weekly', '2026-11-24T12:00:00Z', '2026-W48'],
    ['weekly', '2026-11-22T23:59:59.999Z', '2026-W47'],
    ['weekly', '2026-11-23T00:00:00Z', '2026-W48'],
    ['weekly', '2026-12-31T00:00:00Z', '2026-W53'],
    ['weekly', '2027-01-03T23:59:59Z', '2026-W53'],
    ['weekly', '2027-01-04T00:00:00Z', '2027-W01'],
    ['weekly', '2024-12-30T00:00:00Z', '2025-W01'],
    ['weekly', '2021-01-01T00:00:00Z', '2020-W53'],
    ['weekly', '2005-01-01T00:00:00Z', '2004-W53'],
    ['weekly', '2008-12-29T00:00:00Z', '2009-W01'],
  ])('of a board that resets %s at %s is %s', (reset, time, name) => {
    expect(periodOf(reset, at(time))).toBe(name);
  });

  test('begins at midnight UTC', () => {
    expect(periodStart('daily', '2026-11-24')).toBe(at('2026-11-24T00:00:00Z'));
    expect(periodStart('weekly', '2026-W48')).toBe(at('2026-11-23T00:00:00Z'));
    expect(periodStart('weekly', '2020-W53')).toBe(at('2020-12-28T00:00:00Z'));
    expect(periodStart('monthly', '2026-11')).toBe(at('2026-11-01T00:00:00Z'));
    expect(periodStart('never', 'all')).toBe(Number.NEGATIVE_INFINITY);
  });

  test.each<[Reset, string]>([
    ['daily', '2026-11'],
    ['daily', '2026-02-30'],
    ['daily', '2026-13-01'],
    ['daily', '2026-00-10'],
    ['daily', '2026-01-00'],
    ['weekly', '2026-W00'],
    ['weekly', '2025-W53'],
    ['weekly', '2026-W54'],
    ['weekly', '2026-48'],
    ['monthly', '2026-13'],
    ['monthly', '2026-00'],
    ['monthly', '2026-11-24'],
    ['monthly', 'all'],
    ['never', '2026-11'],
    ['daily', '2026-11-24\n'],
    ['daily', ''],
  ])('of a board that resets %s is never called %j', (reset, name) => {
    expect(periodStart(reset, name)).toBeUndefined();
  });

  test('holds the moments from its start until the start of the next one', () => {
    const resets = fc.constantFrom<Reset>('daily', 'weekly', 'monthly');
    const times = fc.integer({ min: 946_684_800_000, max: 4_102_444_800_000 });
    fc.assert(
      fc.property(resets, times, (reset, time) => {
        const start = periodStart(reset, periodOf(reset, time)) as number;
        expect(start).toBeLessThanOrEqual(time);
        expect(periodOf(reset, start)).toBe(periodOf(reset, time));
        expect(periodOf(reset, start - 1)).not.toBe(periodOf(reset, time));
      }),
    );
  });
});
