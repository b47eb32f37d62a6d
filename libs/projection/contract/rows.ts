import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Cell, Row } from '../projection.ts';
import {
  cells,
  entries,
  entry,
  loadEntries,
  matches,
  put,
  putEntry,
  remove,
  rowsOf,
  Share,
} from './samples.ts';
import { openSample, type StoreOpeners } from './site.ts';

const texts = [
  '',
  ' ',
  'ann',
  "o'neill; drop table cells; --",
  'Zoë 東京 👩‍👩‍👧 \u202Eabc',
  'with\u0000nul',
  '\uFFFD\uE000',
  '\n\t\\"%_*?[{:}]',
  'x'.repeat(5_000),
];
const integers = [0, 1, -1, 2 ** 31, -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53) + 1];
const blobs = [
  new Uint8Array(),
  new Uint8Array([0]),
  new Uint8Array([0, 255, 39, 0, 128]),
  Uint8Array.from({ length: 4_096 }, (_, n) => n % 256),
];

function cellsRow(key: readonly [string, number, Uint8Array], a: readonly Cell[]): Row {
  return {
    key_text: key[0],
    key_integer: key[1],
    key_blob: key[2],
    a_text: a[0] as Cell,
    an_integer: a[1] as Cell,
    a_blob: a[2] as Cell,
  };
}

/** Blobs may come back as any kind of Uint8Array. */
function plain(row: Row | undefined): Row | undefined {
  if (!row) return undefined;
  return Object.fromEntries(
    Object.entries(row).map(([column, cell]) => [
      column,
      cell instanceof Uint8Array ? new Uint8Array(cell) : cell,
    ]),
  );
}

export function describeRows(openers: StoreOpeners): void {
  describe('rows', () => {
    test('cells of every type come back as they were put', async () => {
      const { generation } = await openSample(openers);
      const none = new Uint8Array();
      const rows = [
        ...texts.map((text, n) => cellsRow([text, n, none], [text, null, null])),
        ...integers.map((integer) => cellsRow(['i', integer, none], [null, integer, null])),
        ...blobs.map((blob) => cellsRow(['b', 0, blob], [null, null, blob])),
      ];
      await (await Share.take(generation)).commit(...rows.map((row) => put(cells, row)));
      const keys = rows.map((row) => put(cells, row));
      const loaded = await generation.load(keys);
      expect(loaded.map(plain)).toEqual(rows);
      expect(await rowsOf(generation, cells)).toHaveLength(rows.length);
    });

    test('any row comes back as it was put', async () => {
      const { generation } = await openSample(openers);
      const share = await Share.take(generation);
      const text = fc.string({ unit: 'grapheme' });
      const blob = fc.uint8Array({ maxLength: 40 });
      const nullable = (arbitrary: fc.Arbitrary<Cell>) => fc.option(arbitrary, { nil: null });
      const row = fc
        .tuple(
          fc.tuple(text, fc.maxSafeInteger(), blob),
          fc.tuple(nullable(text), nullable(fc.maxSafeInteger()), nullable(blob)),
        )
        .map(([key, values]) => cellsRow(key, values));
      const run = async (given: readonly Row[]) => {
        const rows = given.map((one) => ({ ...one, an_integer: positive(one.an_integer) }));
        const changes = rows.map((one) => put(cells, one));
        await share.commit(...changes);
        expect((await generation.load(changes)).map(plain)).toEqual(rows);
      };
      const distinct = fc.uniqueArray(row, {
        maxLength: 20,
        selector: (one) => JSON.stringify(put(cells, one).key),
      });
      await fc.assert(fc.asyncProperty(distinct, run), { numRuns: openers.propertyRuns ?? 30 });
    });

    test('load gives the rows in the order of the keys, undefined where there is none', async () => {
      const { generation } = await openSample(openers);
      const rows = ['ann', 'bob', 'cid'].map((player, n) => entry('b', player, n));
      await (await Share.take(generation)).commit(
        ...rows.map(putEntry),
        put(matches, { id: 'm1', points: 3 }),
      );
      expect(await generation.load([])).toEqual([]);
      const loaded = await generation.load([
        { table: 'entries', key: ['b', 'cid'] },
        { table: 'matches', key: ['m1'] },
        { table: 'entries', key: ['b', 'nobody'] },
        { table: 'entries', key: ['b', 'ann'] },
        { table: 'matches', key: ['m2'] },
        { table: 'entries', key: ['ann', 'b'] },
        { table: 'entries', key: ['b', 'ann'] },
      ]);
      const match = { id: 'm1', points: 3 };
      expect(loaded).toEqual([rows[2], match, undefined, rows[0], undefined, undefined, rows[0]]);
    });

    test('thousands of keys at once', async () => {
      const { generation } = await openSample(openers);
      const rows = Array.from({ length: 5_000 }, (_, n) => entry('b', `p${n}`, n));
      await (await Share.take(generation)).commit(...rows.map(putEntry));
      const keys = rows.flatMap(({ board, player }) => [
        { table: 'entries', key: [board as Cell, player as Cell] },
        { table: 'entries', key: ['none', player as Cell] },
      ]);
      const loaded = await generation.load(keys);
      expect(loaded).toEqual(rows.flatMap((row) => [row, undefined]));
    });

    test('a put replaces the whole row, a delete removes it, deleting nothing is no error', async () => {
      const { generation } = await openSample(openers);
      const share = await Share.take(generation);
      await share.commit(putEntry(entry('b', 'ann', 5)), putEntry(entry('b', 'bob', 6)));
      await share.commit(
        putEntry({ board: 'b', player: 'ann', score: 7, name: null }),
        remove(entries, 'b', 'bob'),
        remove(entries, 'b', 'nobody'),
        remove(matches, 'm9'),
      );
      const now = { board: 'b', player: 'ann', score: 7, name: null };
      expect(await loadEntries(generation, ['b', 'ann'], ['b', 'bob'])).toEqual([now, undefined]);
      await share.commit(remove(entries, 'b', 'ann'));
      await share.commit(putEntry(entry('b', 'ann', 1)));
      expect(await rowsOf(generation, entries)).toEqual([entry('b', 'ann', 1)]);
    });

    test('equal numbers and texts are different keys only by their columns', async () => {
      const { generation } = await openSample(openers);
      const rows = [
        cellsRow(['1', 1, new Uint8Array([49])], ['a', null, null]),
        cellsRow(['', 11, new Uint8Array([49])], ['b', null, null]),
        cellsRow(['1', 1, new Uint8Array()], ['c', null, null]),
        cellsRow(['11', 1, new Uint8Array()], ['d', null, null]),
      ];
      const changes = rows.map((row) => put(cells, row));
      await (await Share.take(generation)).commit(...changes);
      expect((await generation.load(changes)).map(plain)).toEqual(rows);
    });
  });

  describe('bugs of a projection throw, and write nothing', () => {
    const bad: readonly [string, Row][] = [
      ['a fraction', { board: 'b', player: 'bad', score: 1.5, name: null }],
      ['an unsafe integer', { board: 'b', player: 'bad', score: 2 ** 53, name: null }],
      ['NaN', { board: 'b', player: 'bad', score: Number.NaN, name: null }],
      ['text for an integer', { board: 'b', player: 'bad', score: '1', name: null }],
      ['an integer for text', { board: 'b', player: 'bad', score: 1, name: 1 }],
      ['a missing column', { board: 'b', player: 'bad', score: 1 } as Row],
    ];
    test.each(bad)('%s', async (_, row) => {
      const { generation } = await openSample(openers);
      const share = await Share.take(generation);
      const batch = share.batch([putEntry(entry('b', 'ann', 1)), putEntry(row)]);
      await expect(generation.commit(batch)).rejects.toThrow(TypeError);
      expect(await rowsOf(generation, entries)).toEqual([]);
      expect(await generation.checkpoint()).toEqual({});
    });

    test('a table that is not in the spec', async () => {
      const { generation } = await openSample(openers);
      const share = await Share.take(generation);
      const stray = { table: 'strays', key: ['x'], row: null };
      const batch = share.batch([putEntry(entry('b', 'ann', 1)), stray]);
      await expect(generation.commit(batch)).rejects.toThrow(TypeError);
      await expect(generation.load([stray])).rejects.toThrow(TypeError);
      expect(await rowsOf(generation, entries)).toEqual([]);
    });
  });
}

/** There is one zero in a store. */
function positive(cell: Cell | undefined): Cell {
  return cell === 0 ? 0 : (cell ?? null);
}
