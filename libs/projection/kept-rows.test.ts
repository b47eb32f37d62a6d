import { expect, test } from 'vitest';
import { KeptRows } from './kept-rows.ts';

const ann = { name: 'ann' };

test('a row is kept as long as its place tells the same mark', () => {
  const kept = new KeptRows(10);
  kept.put('a', '1', 'ann', ann);
  expect(kept.get('a', '1', 'ann')).toBeUndefined();
  kept.marked('a', '1');
  kept.put('a', '1', 'ann', ann);
  kept.put('a', '1', 'nobody', undefined);
  kept.marked('a', '1');
  kept.marked('b', '7');
  expect(kept.get('a', '1', 'ann')).toEqual({ row: ann });
  expect(kept.get('a', '1', 'nobody')).toEqual({ row: undefined });
  expect(kept.get('a', '1', 'bob')).toBeUndefined();
  expect(kept.get('b', '7', 'ann')).toBeUndefined();
  kept.marked('a', '2');
  expect(kept.get('a', '2', 'ann')).toBeUndefined();
  expect(kept.get('a', '1', 'ann')).toBeUndefined();
  // What was asked under the former mark and comes late is not kept.
  kept.put('a', '1', 'ann', ann);
  kept.marked('a', '1');
  expect(kept.get('a', '1', 'ann')).toBeUndefined();
});

test('the oldest goes where there are too many', () => {
  const kept = new KeptRows(2);
  kept.marked('a', '1');
  for (const key of ['ann', 'bob', 'bob', 'ann', 'cid']) kept.put('a', '1', key, { name: key });
  expect(['ann', 'bob', 'cid'].map((key) => kept.get('a', '1', key)?.row?.name)).toEqual([
    'ann',
    undefined,
    'cid',
  ]);
});
