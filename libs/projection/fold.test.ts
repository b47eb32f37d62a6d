import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fold, HandlerError, type RowLoader } from './fold.ts';
import type { AnyRecordedEvent, Cell, Projection, Row, Rows, Table } from './projection.ts';

const totals: Table = {
  name: 'totals',
  columns: { board: 'text', player: 'text', points: 'integer' },
  key: ['board', 'player'],
};
const log: Table = { name: 'log', columns: { id: 'integer' }, key: ['id'], writeOnly: true };

interface Move {
  readonly player: string;
  readonly points: number;
}

function event(index: number, move: Move): AnyRecordedEvent {
  return {
    id: String(index),
    stream: `game-${move.player}`,
    revision: index,
    partition: 0,
    position: String(index).padStart(6, '0'),
    type: 'moved',
    occurredAt: 0,
    recordedAt: 0,
    metadata: {},
    erased: false,
    data: move,
  };
}

/** Adds points; a total of exactly zero removes the row. */
function projection(
  apply: (event: AnyRecordedEvent, rows: Rows) => void = add,
  touches = (one: AnyRecordedEvent) => [
    { table: 'totals', key: ['b', (one.data as Move).player] as readonly Cell[] },
  ],
): Projection {
  return {
    name: 'fold',
    version: 1,
    categories: ['game'],
    tables: [totals, log],
    split: 'stream',
    onFailure: 'halt',
    decode: () => Promise.reject(new Error('not asked')),
    touches,
    apply,
  };
}

function add(one: AnyRecordedEvent, rows: Rows): void {
  const { player, points } = one.data as Move;
  const before = (rows.get('totals', ['b', player])?.points as number | undefined) ?? 0;
  if (before + points === 0) rows.delete('totals', ['b', player]);
  else rows.put('totals', { board: 'b', player, points: before + points });
  rows.put('log', { id: one.revision });
}

const sums: Table = {
  name: 'sums',
  columns: { name: 'text', sum: 'text', last: 'text', count: 'integer' },
  key: ['name'],
  sums: ['sum', 'count'],
};
const notes: Table = {
  name: 'notes',
  columns: { note: 'integer' },
  key: ['note'],
  ...{ writeOnly: true, putOnce: true },
};

/** Adds to the sum of its name, and notes that it did; then it fails where it is told to. */
function summing(): Projection {
  return {
    ...projection(),
    tables: [totals, sums, notes],
    touches: (one) => [{ table: 'sums', key: [(one.data as { name: string }).name] }],
    apply: (one, rows, [row]) => {
      const { amount, fails } = one.data as { amount: bigint; fails: boolean };
      rows.put('notes', { note: one.revision });
      rows.add('sums', row?.key ?? [], [amount, 1], { last: one.id });
      if (fails) throw new Error('told to fail');
    },
  };
}

/** A store of rows that counts what it is asked. */
class RowStore {
  readonly rows = new Map<string, Row>();
  loaded: string[] = [];

  readonly load: RowLoader = async (keys) => {
    return keys.map(({ table, key }) => {
      const text = JSON.stringify([table, key]);
      this.loaded.push(text);
      return this.rows.get(text);
    });
  };

  /** Takes a batch as a store does; returns how many changes it had. */
  commit(fold: Fold): number {
    const changes = fold.changes();
    const seen = new Set<string>();
    for (const { table, key, row } of changes) {
      const text = JSON.stringify([table, key]);
      expect(seen.has(text)).toBe(false);
      seen.add(text);
      if (row) this.rows.set(text, row);
      else this.rows.delete(text);
    }
    fold.sealed();
    return changes.length;
  }
}

const moves = fc.array(
  fc.record({
    player: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    points: fc.integer({ min: -2, max: 2 }),
  }),
  { maxLength: 60 },
);

describe('a fold', () => {
  test('any cut into batches, any cache size, from the beginning or not, gives the same rows', async () => {
    const shape = fc.tuple(
      moves,
      fc.array(fc.integer({ min: 1, max: 9 })),
      fc.integer({ min: 1, max: 6 }),
      fc.boolean(),
    );
    await fc.assert(
      fc.asyncProperty(shape, async ([made, cuts, rowsMax, startedEmpty]) => {
        const events = made.map((move, index) => event(index, move));
        const naive = new Map<string, number>();
        for (const { player, points } of made) naive.set(player, (naive.get(player) ?? 0) + points);
        const store = new RowStore();
        const fold = new Fold({ projection: projection(), rowsMax });
        fold.reset(store.load, startedEmpty);
        const left = [...events];
        for (const cut of [...cuts, events.length]) {
          await fold.add(left.splice(0, cut));
          if (cut % 2 === 0) store.commit(fold);
        }
        store.commit(fold);
        const rows = [...store.rows].filter(([key]) => key.includes('totals'));
        const held = new Map(rows.map(([, row]) => [row.player, row.points]));
        for (const [player, points] of naive) expect(held.get(player) ?? 0).toBe(points);
        expect([...store.rows].length - rows.length).toBe(made.length);
      }),
    );
  });

  test('loads each missing row once, all of a batch in one call, and none it knows to be absent', async () => {
    const store = new RowStore();
    let calls = 0;
    const load: RowLoader = (keys) => {
      calls += 1;
      return store.load(keys);
    };
    const events = ['a', 'b', 'a', 'c'].map((player, index) => event(index, { player, points: 1 }));
    const fold = new Fold({ projection: projection() });
    fold.reset(load, false);
    await fold.add(events);
    expect(calls).toBe(1);
    expect(store.loaded).toHaveLength(3);
    store.commit(fold);
    await fold.add(events);
    expect(calls).toBe(1);
    const fresh = new Fold({ projection: projection() });
    fresh.reset(load, true);
    await fresh.add(events);
    expect(calls).toBe(1);
  });

  test('a row evicted from a share that started empty is loaded again, not taken for absent', async () => {
    const store = new RowStore();
    const fold = new Fold({ projection: projection(), rowsMax: 2 });
    fold.reset(store.load, true);
    for (const player of ['a', 'b', 'c', 'd', 'a']) {
      await fold.add([event(0, { player, points: 1 })]);
      store.commit(fold);
    }
    expect(store.rows.get('["totals",["b","a"]]')?.points).toBe(2);
    expect(store.loaded).toEqual(['["totals",["b","a"]]']);
  });

  test('rows that end as they were are not written', async () => {
    const store = new RowStore();
    const fold = new Fold({ projection: projection() });
    fold.reset(store.load, true);
    await fold.add([event(0, { player: 'a', points: 1 }), event(1, { player: 'a', points: -1 })]);
    expect(fold.changes().filter(({ table }) => table === 'totals')).toEqual([]);
    store.commit(fold);
    await fold.add([event(2, { player: 'a', points: 1 })]);
    expect(fold.changes().find(({ table }) => table === 'totals')).toMatchObject({ before: null });
    store.commit(fold);
    await fold.add([event(3, { player: 'a', points: 5 }), event(4, { player: 'a', points: -5 })]);
    expect(fold.changes().filter(({ table }) => table === 'totals')).toEqual([]);
    await fold.add([event(5, { player: 'a', points: -1 })]);
    expect(fold.changes().filter(({ table }) => table === 'totals')).toEqual([
      {
        table: 'totals',
        key: ['b', 'a'],
        row: null,
        before: expect.objectContaining({ points: 1 }),
      },
    ]);
  });

  test('a failing handler leaves no trace; what came before it stands', async () => {
    const store = new RowStore();
    const failing = projection((one, rows) => {
      add(one, rows);
      if ((one.data as Move).points === 2) throw new Error('two');
    });
    const fold = new Fold({ projection: failing });
    fold.reset(store.load, true);
    const events = [1, 1, 2, 1].map((points, index) => event(index, { player: 'a', points }));
    const failure = await fold.add(events).catch((error: unknown) => error as HandlerError);
    expect(failure).toBeInstanceOf(HandlerError);
    expect(failure).toMatchObject({ index: 2, event: { id: '2' } });
    store.commit(fold);
    expect([...store.rows.keys()].sort()).toEqual([
      '["log",[0]]',
      '["log",[1]]',
      '["totals",["b","a"]]',
    ]);
    expect(store.rows.get('["totals",["b","a"]]')?.points).toBe(2);
  });

  test('a failing touches is a failure of that event alone', async () => {
    const store = new RowStore();
    const failing = projection(add, (one) => {
      if (one.id === '1') throw new Error('one');
      return [{ table: 'totals', key: ['b', (one.data as Move).player] }];
    });
    const fold = new Fold({ projection: failing });
    fold.reset(store.load, true);
    const failed: number[] = [];
    await fold.add(
      [0, 1, 2].map((index) => event(index, { player: 'a', points: 1 })),
      {
        skip: () => false,
        failed: (_, index) => {
          failed.push(index);
          return true;
        },
      },
    );
    store.commit(fold);
    expect(failed).toEqual([1]);
    expect(store.rows.get('["totals",["b","a"]]')?.points).toBe(2);
  });

  test('a loader that fails applies nothing, and the same events can be given again', async () => {
    const store = new RowStore();
    store.rows.set('["totals",["b","a"]]', { board: 'b', player: 'a', points: 10 });
    let fails = true;
    const fold = new Fold({ projection: projection() });
    fold.reset((keys) => (fails ? Promise.reject(new Error('io')) : store.load(keys)), false);
    const events = [event(0, { player: 'a', points: 1 })];
    await expect(fold.add(events)).rejects.toThrow('io');
    expect(fold.changes()).toEqual([]);
    fails = false;
    await fold.add(events);
    store.commit(fold);
    expect(store.rows.get('["totals",["b","a"]]')?.points).toBe(11);
  });

  test.each<[string, (rows: Rows) => void, string]>([
    ['get of a row not touched', (rows) => rows.get('totals', ['b', 'z']), 'untouched-row'],
    [
      'put of a row not touched',
      (rows) => rows.put('totals', { board: 'b', player: 'z', points: 1 }),
      'untouched-row',
    ],
    ['delete of a row not touched', (rows) => rows.delete('totals', ['b', 'z']), 'untouched-row'],
    ['an unknown table', (rows) => rows.put('other', { id: 1 }), 'untouched-row'],
    ['get from a write-only table', (rows) => rows.get('log', [1]), 'untouched-row'],
    [
      'a fraction',
      (rows) => rows.put('totals', { board: 'b', player: 'a', points: 0.5 }),
      'row-shape',
    ],
    [
      'an unsafe integer',
      (rows) => rows.put('totals', { board: 'b', player: 'a', points: 2 ** 53 }),
      'row-shape',
    ],
    ['text for an integer', (rows) => rows.put('log', { id: '1' }), 'row-shape'],
    ['a missing column', (rows) => rows.put('totals', { board: 'b', player: 'a' }), 'row-shape'],
    ['a column too many', (rows) => rows.put('log', { id: 1, more: 1 }), 'row-shape'],
    ['a key that is null', (rows) => rows.put('log', { id: null }), 'row-shape'],
  ])('%s is a bug of the projection, by name', async (_, bug, code) => {
    const fold = new Fold({ projection: projection((_event, rows) => void bug(rows)) });
    fold.reset(() => Promise.resolve([]), true);
    const events = [event(0, { player: 'a', points: 1 })];
    await expect(fold.add(events)).rejects.toMatchObject({ cause: { code } });
    expect(fold.changes()).toEqual([]);
  });

  test('an event that touches many rows finds each', async () => {
    const many = Array.from({ length: 50 }, (_, n) => `p${n}`);
    const wide = projection(
      (_event, rows) => {
        for (const player of many) {
          expect(rows.get('totals', ['b', player])).toBeUndefined();
          rows.put('totals', { board: 'b', player, points: 1 });
        }
        expect(() => rows.get('totals', ['b', 'p50'])).toThrow('touches do not name');
      },
      () => many.map((player) => ({ table: 'totals', key: ['b', player] })),
    );
    const fold = new Fold({ projection: wide });
    fold.reset(() => Promise.resolve([]), true);
    await fold.add([event(0, { player: 'a', points: 1 })]);
    expect(fold.changes()).toHaveLength(50);
  });

  test('sums are exact at any size and any cut into batches, and a failing handler adds nothing', async () => {
    const amount = fc.oneof(
      fc.bigInt({ min: -3n, max: 3n }),
      fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
      fc.constantFrom(2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n), 1n - 2n ** 53n),
    );
    const made = fc.array(
      fc.record({
        name: fc.constantFrom('a', 'b', 'c'),
        amount,
        fails: fc.boolean(),
        cut: fc.boolean(),
      }),
      { maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(made, fc.integer({ min: 1, max: 4 }), async (moves, rowsMax) => {
        const naive = new Map<string, { sum: bigint; count: number; last: string }>();
        const store = new RowStore();
        const fold = new Fold({ projection: summing(), rowsMax });
        fold.reset(store.load, rowsMax > 2);
        for (const [n, { name, amount, fails, cut }] of moves.entries()) {
          const move = { ...event(n, { player: name, points: 0 }), data: { name, amount, fails } };
          await fold.add([move], { skip: () => false, failed: () => true });
          if (cut) store.commit(fold);
          if (fails) continue;
          const { sum, count } = naive.get(name) ?? { sum: 0n, count: 0 };
          naive.set(name, { sum: sum + amount, count: count + 1, last: move.id });
        }
        store.commit(fold);
        const rows = [...store.rows.values()].filter((row) => 'sum' in row);
        const told = new Map(rows.map(({ name, ...rest }) => [name, rest]));
        const expected = [...naive].map(([name, row]) => [name, { ...row, sum: String(row.sum) }]);
        expect(told).toEqual(new Map(expected as [string, Row][]));
        const notes = [...store.rows.values()].filter((row) => 'note' in row);
        expect(notes.map(({ note }) => note)).toEqual(
          moves.flatMap(({ fails }, n) => (fails ? [] : [n])),
        );
      }),
    );
  });

  test.each<[string, (rows: Rows) => void, string]>([
    [
      'an addition to a row not touched',
      (rows) => rows.add('sums', ['z'], [1n, 1]),
      'untouched-row',
    ],
    ['one to a table without sums', (rows) => rows.add('totals', ['b', 'a'], [1]), 'untouched-row'],
    ['an addend too few', (rows) => rows.add('sums', ['a'], [1n], { last: '' }), 'row-shape'],
    ['a new row without the rest of it', (rows) => rows.add('sums', ['a'], [1n, 1]), 'row-shape'],
    [
      'an integer sum beyond the safe ones',
      (rows) => rows.add('sums', ['a'], [1n, 2 ** 53], { last: '' }),
      'row-shape',
    ],
    ['a deletion of what is put once', (rows) => rows.delete('notes', [1]), 'untouched-row'],
  ])('%s is a bug of the projection, by name', async (_, bug, code) => {
    const fold = new Fold({
      projection: { ...summing(), apply: (_event, rows) => void bug(rows) },
    });
    fold.reset(() => Promise.resolve([]), true);
    const move = { ...event(0, { player: 'a', points: 0 }), data: { name: 'a', amount: 1n } };
    await expect(fold.add([move])).rejects.toMatchObject({ cause: { code } });
    expect(fold.changes()).toEqual([]);
  });

  test('reset forgets what was not committed', async () => {
    const store = new RowStore();
    const fold = new Fold({ projection: projection() });
    fold.reset(store.load, true);
    await fold.add([event(0, { player: 'a', points: 1 })]);
    fold.reset(store.load, false);
    expect(fold.changes()).toEqual([]);
    await fold.add([event(1, { player: 'a', points: 2 })]);
    store.commit(fold);
    expect(store.rows.get('["totals",["b","a"]]')?.points).toBe(2);
  });
});
