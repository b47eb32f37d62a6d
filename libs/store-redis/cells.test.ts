import type { Cell, ColumnType } from '@annals/projection';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CellFormatError, CellReader, CellWriter } from './cells.ts';

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('a', '\u0000', '\u0001', 'é') }),
);
const blob = fc.uint8Array({ maxLength: 12 });
const integer = fc
  .oneof(fc.maxSafeInteger(), fc.integer({ min: -300, max: 300 }))
  .map((n) => n + 0);

function ordered(cell: Cell, descending = false): Buffer {
  const writer = new CellWriter();
  writer.order(cell);
  if (descending) writer.invert(0);
  return writer.take();
}

function bytesOf(cell: Cell): Uint8Array {
  return cell instanceof Uint8Array ? cell : Buffer.from(String(cell));
}

function compare(a: Cell, b: Cell): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  if (typeof a === 'number' && typeof b === 'number') return Math.sign(a - b);
  return Math.sign(Buffer.compare(bytesOf(a), bytesOf(b)));
}

const columns: readonly (readonly [ColumnType, fc.Arbitrary<Cell>])[] = [
  ['integer', fc.option(integer)],
  ['text', fc.option(text)],
  ['blob', fc.option(blob)],
];

describe('packed cells', () => {
  test.each(columns)('of type %s come back', (_, cell) => {
    fc.assert(
      fc.property(fc.array(cell), (cells) => {
        const writer = new CellWriter(1);
        for (const one of cells) writer.pack(one);
        const reader = new CellReader(writer.take());
        expect(cells.map(() => reader.unpack())).toEqual(cells);
        expect(reader.isAtEnd).toBe(true);
      }),
    );
  });

  test('that are cut off are refused', () => {
    const writer = new CellWriter();
    writer.pack('some text');
    const cut = writer.take().subarray(0, 5);
    expect(() => new CellReader(cut).unpack()).toThrow(CellFormatError);
    expect(() => new CellReader(Buffer.from([0x50])).unpack()).toThrow(CellFormatError);
  });
});

describe('ordered cells', () => {
  test.each(columns)('of type %s compare as the cells do, and come back', (type, cell) => {
    fc.assert(
      fc.property(cell, cell, fc.boolean(), (a, b, descending) => {
        const [left, right] = [ordered(a, descending), ordered(b, descending)];
        const order = Math.sign(Buffer.compare(left, right));
        expect(order).toBe(descending ? 0 - compare(a, b) : compare(a, b));
        const reader = new CellReader(Buffer.concat([left, right]));
        expect([reader.ordered(type, descending), reader.ordered(type, descending)]).toEqual([
          a,
          b,
        ]);
      }),
    );
  });

  test('do not run into each other: a shorter text sorts before a longer one whatever follows', () => {
    const two = (first: string, second: string) => Buffer.concat([ordered(first), ordered(second)]);
    expect(Buffer.compare(two('a', 'z'), two('a\u0000', 'a'))).toBe(-1);
    expect(Buffer.compare(two('a', 'z'), two('ab', 'a'))).toBe(-1);
  });
});
