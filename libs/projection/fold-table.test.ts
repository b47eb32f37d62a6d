import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FoldTable, type Slot } from './fold-table.ts';
import type { Cell, Table } from './projection.ts';
import { tableShape } from './table-shape.ts';

const text = fc.constantFrom('', 'a', 'b', '1', '1:a');
const number = fc.integer({ min: -1, max: 1 });
const blob = fc.uint8Array({ maxLength: 1, max: 2 });
const tables: readonly (readonly [Table, fc.Arbitrary<readonly Cell[]>])[] = [
  [{ name: 't', columns: { a: 'text' }, key: ['a'] }, fc.tuple(text)],
  [{ name: 't', columns: { a: 'blob', b: 'integer' }, key: ['a', 'b'] }, fc.tuple(blob, number)],
  [
    { name: 't', columns: { a: 'text', b: 'integer', c: 'blob' }, key: ['a', 'b', 'c'] },
    fc.tuple(text, number, blob),
  ],
];

type Step = { readonly key: readonly Cell[] } | 'grow' | 'clear-young' | 'clear';

/** What is in memory by the text of its key, in two maps. */
class Naive {
  young = new Map<string, Slot>();
  old = new Map<string, Slot>();
}

test.each(tables)('rows are found by their key through all ages: %#', (table, key) => {
  const shape = tableShape(table);
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 8, arbitrary: key.map((cells) => ({ key: cells })) },
    { weight: 1, arbitrary: fc.constantFrom('grow', 'clear-young', 'clear') },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const rows = new FoldTable(shape);
      const naive = new Naive();
      let age = 0;
      for (const one of steps) {
        if (one === 'grow') {
          const former = naive.old;
          expect(new Set(rows.grow())).toEqual(new Set(former.values()));
          Object.assign(naive, { old: naive.young, young: new Map() });
          age += 1;
        } else if (one === 'clear' || one === 'clear-young') {
          if (one === 'clear') rows.clear();
          else rows.clearYoung();
          naive.young.clear();
          if (one === 'clear') naive.old.clear();
        } else {
          const name = shape.keyText(one.key);
          const held = naive.young.get(name) ?? naive.old.get(name);
          const slot = rows.touch([...one.key], age);
          if (held) expect(slot).toBe(held);
          else expect(slot).toMatchObject({ age: -1, row: undefined, key: one.key });
          if (!held && name.endsWith('0,')) {
            // Could not be loaded.
            rows.forget(slot);
            continue;
          }
          slot.age = age;
          naive.young.set(name, slot);
        }
        expect(rows.young).toBe(naive.young.size);
      }
    }),
    { numRuns: 500 },
  );
});

test('equal keys have one hash, and keys that differ in any cell another', () => {
  const rows = new FoldTable(
    tableShape({ name: 't', columns: { a: 'text', b: 'integer' }, key: ['a', 'b'] }),
  );
  const hashOf = (...key: Cell[]) => rows.touch(key, 0).hash;
  const hashes = new Set<number>();
  for (let a = 0; a < 100; a += 1) for (let b = 0; b < 100; b += 1) hashes.add(hashOf(`a${a}`, b));
  expect(hashes.size).toBeGreaterThan(9_990);
  rows.clear();
  expect(hashes.has(hashOf('a7', 7))).toBe(true);
});
