import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cellHash, KeyFilter, textHash } from './key-filter.ts';
import type { Cell, Table } from './projection.ts';
import { compareKeys, sameKey, tableShape } from './table-shape.ts';

const table: Table = {
  name: 't',
  columns: { a: 'text', b: 'integer', c: 'blob', d: 'text' },
  key: ['a', 'b', 'c', 'd'],
};

const text = fc.string({
  unit: fc.constantFrom('a', ':', ',', '1', 'é', '👍', '\u0000'),
  maxLength: 4,
});
const key = fc.tuple(
  text,
  fc.integer({ min: -20, max: 20 }),
  fc.uint8Array({ maxLength: 3 }),
  text,
) as fc.Arbitrary<readonly Cell[]>;

describe('the text of a key', () => {
  test('is the same for equal keys, and for no others', () => {
    const { keyText } = tableShape(table);
    fc.assert(
      fc.property(key, key, (one, other) => {
        expect(keyText(one) === keyText(other)).toBe(sameKey(one, other));
        expect(keyText([...one])).toBe(keyText(one));
      }),
      { numRuns: 2_000 },
    );
  });

  test('of one text column is that text', () => {
    const { keyText } = tableShape({ name: 'x', columns: { id: 'text' }, key: ['id'] });
    expect(keyText(['a:1'])).toBe('a:1');
  });
});

describe('key order', () => {
  test('is total and agrees with equality', () => {
    fc.assert(
      fc.property(key, key, key, (a, b, c) => {
        expect(Math.sign(compareKeys(a, b))).toBe(-Math.sign(compareKeys(b, a)) + 0);
        expect(compareKeys(a, b) === 0).toBe(sameKey(a, b));
        if (compareKeys(a, b) <= 0 && compareKeys(b, c) <= 0) {
          expect(compareKeys(a, c)).toBeLessThanOrEqual(0);
        }
      }),
    );
  });

  test('compares text by its UTF-8 bytes, not by UTF-16 units', () => {
    expect('\uE000' < '👍').toBe(false);
    expect(compareKeys(['\uE000'], ['👍'])).toBeLessThan(0);
  });
});

describe('the filter of evicted keys', () => {
  test('never forgets one, and says "surely not" for most others', () => {
    const filter = new KeyFilter();
    const hashOf = (text: string) => cellHash(text, textHash('t'));
    expect(filter.mayHold(hashOf('a'))).toBe(false);
    for (let n = 0; n < 100_000; n += 1) filter.add(hashOf(`key-${n}`));
    for (let n = 0; n < 100_000; n += 1) expect(filter.mayHold(hashOf(`key-${n}`))).toBe(true);
    let wrong = 0;
    for (let n = 0; n < 10_000; n += 1) if (filter.mayHold(hashOf(`other-${n}`))) wrong += 1;
    expect(wrong).toBeLessThan(300);
    filter.clear();
    expect(filter.mayHold(hashOf('key-1'))).toBe(false);
  });

  test('tells numbers apart as well', () => {
    const filter = new KeyFilter();
    for (let n = 0; n < 100_000; n += 1) filter.add(cellHash(7 * n - 50_000, 1));
    let wrong = 0;
    for (let n = 0; n < 10_000; n += 1)
      if (filter.mayHold(cellHash(2 ** 40 + 7 * n, 1))) wrong += 1;
    expect(wrong).toBeLessThan(300);
    expect(cellHash(2 ** 33, 1)).not.toBe(cellHash(0, 1));
  });

  test('hashes as FNV-1a does', () => {
    // From the reference's test vectors for 32 bits (draft-eastlake-fnv, appendix C).
    expect(textHash('')).toBe(0x811c9dc5);
    expect(textHash('a')).toBe(0xe40c292c);
    expect(textHash('foobar')).toBe(0xbf9cf968);
  });
});
