import { expect, test } from 'vitest';
import { generationPrefix, quoted, tableName } from './names.ts';

test('a table is named by projection, generation, making and number, in at most 48 characters', () => {
  const prefix = generationPrefix('leaderboard', 3);
  expect(tableName(prefix, '0a1b2c3d', 2, 'scores')).toBe('leaderboard_g3_0a1b2c3d_2_scores');
  const long = generationPrefix('a-projection-with-a-long-name', 999_999_999);
  const name = tableName(long, '0a1b2c3d', 12, 'a_table_with_a_long_name');
  expect(name).toMatch(/^a_proje_[0-9a-f]{6}_g999999999_0a1b2c3d_12_/);
  expect(name.length).toBeLessThanOrEqual(48);
});

test('projections whose names are cut alike have tables of their own', () => {
  const names = ['wallet-balances-eur', 'wallet-balances-usd'].map((one) =>
    generationPrefix(one, 1),
  );
  expect(new Set(names).size).toBe(2);
});

test('names that CQL would take apart are refused', () => {
  expect(quoted('score')).toBe('"score"');
  for (const bad of ['', 'Score', 'a"b', 'annals_stamp', 'a b', '1a']) {
    expect(() => quoted(bad)).toThrow(TypeError);
  }
  expect(() => generationPrefix('Bad', 1)).toThrow(TypeError);
  expect(() => generationPrefix('good', 0)).toThrow(RangeError);
});
