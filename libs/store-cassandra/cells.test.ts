import type { Cell } from '@annals/projection';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromBound, fromJsonCell, keyBytes, placeOf, toBound, toJsonCell } from './cells.ts';

type Key = readonly [string, number, Uint8Array];
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom('', 'a', 'a\u0000', 'a\u0000b', '\uE000', '👍'),
);
const blob = fc.oneof(
  fc.uint8Array({ maxLength: 6 }),
  fc.constantFrom(new Uint8Array([0]), new Uint8Array([0, 0]), new Uint8Array([0, 255])),
);
const key = fc.tuple(text, fc.maxSafeInteger(), blob);

function compare(a: Key, b: Key): number {
  const texts = Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0]));
  return texts || Math.sign(a[1] - b[1]) || Buffer.compare(a[2], b[2]);
}

test('keys are ordered by their bytes as they are by their cells', () => {
  const run = (a: Key, b: Key) => {
    expect(Buffer.compare(keyBytes(a), keyBytes(b))).toBe(compare(a, b));
  };
  fc.assert(fc.property(key, key, run), { numRuns: 1_000 });
  // Keys that begin alike are where an order breaks.
  fc.assert(fc.property(text, blob, blob, (same, a, b) => run([same, 0, a], [same, 0, b])));
});

test('cells come back from the driver and from JSON as they were', () => {
  const cell: fc.Arbitrary<Cell> = fc.oneof(text, blob, fc.maxSafeInteger(), fc.constant(null));
  const run = (one: Cell) => {
    expect(fromBound(toBound(one))).toEqual(one === 0 ? 0 : one);
    expect(fromJsonCell(JSON.parse(JSON.stringify(toJsonCell(one))))).toEqual(one === 0 ? 0 : one);
  };
  fc.assert(fc.property(cell, run), { numRuns: 500 });
  expect(() => fromBound(1.5)).toThrow(TypeError);
});

test('the place of a key is never another one: stored rows would not be found', () => {
  const places = [['b', 'ann'], ['b', 'bob'], ['', ''], [7], [-7]].map((one) =>
    placeOf(keyBytes(one), 256),
  );
  expect(places).toMatchInlineSnapshot(`
    [
      128,
      41,
      60,
      5,
      7,
    ]
  `);
});

test('keys are dealt out evenly, also those that differ only in a number', () => {
  for (const keyOf of [(n: number) => [`player-${n}`], (n: number) => [n]]) {
    const counts = new Array<number>(64).fill(0);
    for (let n = 0; n < 64_000; n += 1) {
      const place = placeOf(keyBytes(keyOf(n)), 64);
      counts[place] = (counts[place] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(700);
    expect(Math.max(...counts)).toBeLessThan(1_300);
  }
});
