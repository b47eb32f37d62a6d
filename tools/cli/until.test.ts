import { describe, expect, it } from 'vitest';
import { shownUntil, untilText } from './until.ts';

describe('--until', () => {
  it.each([
    ['2026-01-31', Date.UTC(2026, 0, 31)],
    ['2026-01-31T12:30Z', Date.UTC(2026, 0, 31, 12, 30)],
    ['2026-01-31T00:30:15.250+02:00', Date.UTC(2026, 0, 30, 22, 30, 15, 250)],
    ['2026-01-31T23:30:00-05:00', Date.UTC(2026, 1, 1, 4, 30)],
  ])('takes the time %s', (text, time) => {
    expect(untilText(text)).toEqual({ time });
  });

  it('takes a position, and shows what it took', () => {
    const until = untilText('0:0000000000000042');
    expect(until).toEqual({ checkpoint: '0:0000000000000042' });
    expect(shownUntil(until)).toBe('0:0000000000000042');
    expect(shownUntil({ time: 0 })).toBe('1970-01-01T00:00:00.000Z');
  });

  it.each([
    '',
    'yesterday',
    '42',
    '2026-02-31',
    '2026-13-01',
    '2026-01-31T12:30',
    '2026-01-31T25:00Z',
    '0:',
    '1700000000000',
  ])('refuses %j', (text) => {
    expect(() => untilText(text)).toThrow('It is a time');
  });
});
