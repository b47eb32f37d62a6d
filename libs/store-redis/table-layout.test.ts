import type { Table } from '@annals/projection';
import { cells, entries } from '@annals/projection/contract';
import { describe, expect, test } from 'vitest';
import { CellWriter } from './cells.ts';
import { isOurKey, markerKey, shardTags, slotOf } from './names.ts';
import { TableLayout } from './table-layout.ts';

const events: Table = {
  name: 'events',
  columns: { stream: 'text', revision: 'integer', status: 'text' },
  key: ['stream', 'revision'],
};

describe('the place of a row', () => {
  test('is a hash of all rows that differ in the last key column', () => {
    const layout = new TableLayout(entries, 0);
    expect(layout.place(['b', 'ann'])).toMatchObject({ bucket: 'r0:1:b', field: 'ann' });
    expect(layout.keyOf('r0:1:b', 'ann')).toEqual(['b', 'ann']);
  });

  test('is a run of 64 where that column is an integer', () => {
    const layout = new TableLayout(events, 3);
    const bucketOf = (revision: number) => layout.place(['a:b', revision]).bucket;
    expect(bucketOf(0)).toBe('r3:3:a:b#0');
    expect(bucketOf(63)).toBe(bucketOf(0));
    expect(bucketOf(64)).not.toBe(bucketOf(0));
    expect(bucketOf(-1)).not.toBe(bucketOf(0));
    expect(layout.keyOf(bucketOf(-1), '-1')).toEqual(['a:b', -1]);
  });

  test('of every type of cell is read back', () => {
    const layout = new TableLayout(cells, 1);
    const key = ['1:x,#', -7, new Uint8Array([0, 255])];
    const { bucket, field } = layout.place(key);
    expect(layout.keyOf(bucket, field)).toEqual(key);
  });

  test('never changes: it is part of what is stored', () => {
    const layout = new TableLayout(entries, 0);
    const hashes = ['ann', 'bob', 'Ωμέγα'].map((name) => layout.place(['b', name], 2 ** 32).shard);
    expect(hashes).toEqual([3453735188, 3726396123, 2609716060]);
  });

  test.each([[['b']], [['b', 1]], [['b', null]]])('%j is no key of the table', (key) => {
    expect(() => new TableLayout(entries, 0).place(key)).toThrow(TypeError);
  });
});

describe('the value of a row', () => {
  test('does not hold twice what its place in an order holds', () => {
    const table: Table = {
      name: 'scores',
      columns: { board: 'text', player: 'text', score: 'integer', reached_by: 'text' },
      key: ['board', 'player'],
      indexes: { best: ['board', 'score desc', 'reached_by', 'player'] },
      ranked: { group: ['board'], score: 'score' },
    };
    const layout = new TableLayout(table, 0);
    const row = { board: 'b', player: 'ann', score: 12, reached_by: 'an event' };
    const writer = new CellWriter();
    layout.write(row, writer);
    const value = writer.take();
    expect(layout.read(['b', 'ann'], value)).toEqual(row);
    expect(value.toString('latin1').split('an event')).toHaveLength(2);
    const nowhere = { ...row, score: null };
    writer.clear();
    layout.write(nowhere, writer);
    expect(layout.read(['b', 'ann'], writer.take())).toEqual(nowhere);
  });
});

describe('the orders of a table', () => {
  const orders = (change: Partial<Table>) => new TableLayout({ ...entries, ...change }, 0).orders;

  test('rank by an index with their group, else by a set of their own', () => {
    expect(orders({}).map(({ name }) => name)).toEqual(['by_score']);
    expect(orders({ indexes: {} }).map(({ name }) => name)).toEqual(['ranked']);
    const byName = { by_name: ['board', 'name'] };
    expect(orders({ indexes: byName }).map(({ name }) => name)).toEqual(['by_name', 'ranked']);
  });

  test('within a group that does not lead the key are refused', () => {
    const ranked = { group: ['player'], score: 'score' };
    expect(() => orders({ ranked })).toThrow(TypeError);
    const all = { group: ['board', 'player'], score: 'score' };
    expect(() => orders({ ranked: all })).toThrow(TypeError);
  });
});

describe('names', () => {
  test('slots are those of Redis Cluster', () => {
    // From the specification of Redis Cluster: CRC16 of 123456789 is 0x31C3.
    expect(slotOf('{123456789}')).toBe(0x31c3 % 16_384);
    expect(slotOf('{user1000}')).toBe(3443);
  });

  test('shards have slots in every part of the cluster', () => {
    const slots = shardTags('annals', 'board:g1', '0123456789ab', 8).map((tag) =>
      slotOf(tag.slice('annals:'.length, -1)),
    );
    expect(slots.map((slot) => Math.floor(slot / 2_048))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('what has our form is ours, all else is somebody else’s', () => {
    const [tag] = shardTags('annals', 'board:g1', '0123456789ab', 1);
    expect(isOurKey('annals', `${tag}state`)).toBe(true);
    expect(isOurKey('annals', markerKey('annals', 'board', 1))).toBe(true);
    for (const key of ['annals:x', 'annals:{board}:marker', 'annals:{board:g1}:other']) {
      expect(isOurKey('annals', key)).toBe(false);
    }
  });
});
