import type { Table } from '@annals/projection';
import { expect, test } from 'vitest';
import { ordersOf, placeIn } from './orders.ts';

const scores: Table = {
  name: 'scores',
  columns: { board: 'text', period: 'text', player: 'text', score: 'integer', at: 'integer' },
  key: ['board', 'period', 'player'],
  ranked: { group: ['board', 'period'], score: 'score' },
};
const asc = (column: string) => ({ column, desc: false });
const desc = (column: string) => ({ column, desc: true });

test('a ranked table is sorted by score within each group, then by the rest of its key', () => {
  expect(ordersOf(scores)).toEqual([
    { group: ['board', 'period'], sorted: [desc('score'), asc('player')] },
  ]);
});

test('an index is grouped as the table is ranked where it can, else by its first column, else not at all', () => {
  const groupOf = (index: readonly string[], ranked = scores.ranked) => {
    const { ranked: _, ...plain } = scores;
    const table = { ...plain, ...(ranked ? { ranked } : {}), indexes: { by: index } };
    return ordersOf(table)[0]?.group;
  };
  expect(groupOf(['board', 'period', 'at', 'player'])).toEqual(['board', 'period']);
  expect(groupOf(['board', 'at'])).toEqual(['board']);
  expect(groupOf(['board', 'at'], undefined)).toEqual(['board']);
  expect(groupOf(['board', 'period'])).toEqual(['board']);
  expect(groupOf(['at'])).toEqual([]);
  expect(groupOf(['at desc', 'player'])).toEqual([]);
  expect(groupOf(['board', 'period desc', 'at'])).toEqual(['board']);
});

test('an index that is the ranked order is kept once', () => {
  const indexes = { best: ['board', 'period', 'score desc', 'player'] };
  expect(ordersOf({ ...scores, indexes })).toHaveLength(1);
});

test('a ranked table that an index sorts within its groups is not sorted a second time', () => {
  const indexes = { standing: ['board', 'period', 'at'], byPlayer: ['player', 'at'] };
  const sorted = ordersOf({ ...scores, indexes }).map((order) => order.sorted[0]);
  expect(sorted).toEqual([asc('at'), asc('at')]);
  expect(ordersOf({ ...scores, indexes: { byPlayer: ['player', 'at'] } })).toHaveLength(2);
});

test('a row with a null in a column of an order has no place in it', () => {
  const [order] = ordersOf(scores);
  if (!order) throw new Error('there is no order');
  const row = { board: 'b', period: 'all', player: 'ann', score: 7, at: null };
  expect(placeIn(order, row)).toEqual(['b', 'all', 7, 'ann']);
  expect(placeIn(order, { ...row, score: null })).toBeUndefined();
});
