import { expect, test } from 'vitest';
import { runsOf } from './player-history.ts';

test('revisions that lie together are read in one read', () => {
  expect(runsOf([20, 19, 12, 3], 8)).toEqual([
    { from: 12, limit: 9 },
    { from: 3, limit: 1 },
  ]);
  expect(runsOf([], 8)).toEqual([]);
});
