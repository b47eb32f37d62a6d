import { describe, expect, it } from 'vitest';
import { identifier, integerParameter, lineOfText, timestamp } from './fields.ts';

describe('identifier', () => {
  it.each(['a', 'ann@example.org', '日本', 'a b', '😀', 'x'.repeat(128)])('takes %j', (text) => {
    expect(identifier().parse(text)).toBe(text);
  });
  it.each(['', 'x'.repeat(129), 'a\u0000', 'a\n', '\u0085', '\ud800', 7, null])(
    'refuses %j',
    (value) => {
      expect(identifier().safeParse(value).success).toBe(false);
    },
  );
});

describe('lineOfText', () => {
  it('may be empty when it says so', () => {
    expect(lineOfText({ charsMin: 0, charsMax: 3 }).parse('')).toBe('');
  });
});

describe('timestamp', () => {
  it.each([
    ['2026-11-02T10:00:00Z', Date.UTC(2026, 10, 2, 10)],
    ['2026-11-02T10:00:00.5+02:00', Date.UTC(2026, 10, 2, 8, 0, 0, 500)],
    ['2000-01-01T00:00:00Z', Date.UTC(2000, 0, 1)],
  ])('takes %s', (text, time) => {
    expect(timestamp().parse(text)).toBe(time);
  });
  it.each([
    '1999-12-31T23:59:59Z',
    '2100-01-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-11-02T10:00:00',
    '2026-11-02',
    'yesterday',
    1_700_000_000_000,
    '+275760-09-13T00:00:00Z',
  ])('refuses %s', (value) => {
    expect(timestamp().safeParse(value).success).toBe(false);
  });
});

describe('integerParameter', () => {
  const schema = integerParameter({ min: -5, max: 100 });
  it.each([
    ['0', 0],
    ['-5', -5],
    ['100', 100],
  ])('takes %s', (text, value) => {
    expect(schema.parse(text)).toBe(value);
  });
  it.each([
    '',
    ' 5',
    '5 ',
    '1e1',
    '0x10',
    '1.0',
    '01',
    '+1',
    '-6',
    '101',
    'NaN',
    '99999999999999999',
  ])('refuses %j', (text) => {
    expect(schema.safeParse(text).success).toBe(false);
  });
  it('may be left out when it has a default', () => {
    expect(integerParameter({ min: 1, max: 9, default: 4 }).parse(undefined)).toBe(4);
  });
});
