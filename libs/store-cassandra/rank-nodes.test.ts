import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  childNode,
  placeOfNode,
  placeOfScore,
  RankNode,
  rankFanOut,
  rankLevels,
  withRankTables,
} from './rank-nodes.ts';

const safe = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -2_000, max: 2_000 }));

test('six nodes lead from the root to every safe integer', () => {
  const ends = [Number.MIN_SAFE_INTEGER, -513, -512, -1, 0, 511, 512, Number.MAX_SAFE_INTEGER];
  const check = (score: number) => {
    let place = score;
    for (let level = 1; level <= rankLevels; level += 1) {
      const at = level === 1 ? placeOfScore(place, 1) : placeOfNode(place, level);
      expect(at).toEqual(placeOfScore(score, level));
      expect(at.child >= 0 && at.child < rankFanOut).toBe(true);
      expect(childNode(at)).toBe(place);
      place = at.node;
    }
    expect(Math.abs(place)).toBe(0);
  };
  for (const score of ends) check(score);
  fc.assert(fc.property(safe, (score) => check(score + 0)));
});

test('of two scores the lower one lies before the other in the first node that tells them apart', () => {
  fc.assert(
    fc.property(safe, safe, (a, b) => {
      fc.pre(a < b);
      for (let level = rankLevels; level > 0; level -= 1) {
        const [left, right] = [placeOfScore(a, level), placeOfScore(b, level)];
        expect(left.node + 0).toBe(right.node + 0);
        if (left.child === right.child) continue;
        expect(left.child).toBeLessThan(right.child);
        return;
      }
      throw new Error('no level tells them apart');
    }),
  );
});

test('a node comes back from its bytes as it was', () => {
  const children = fc.array(
    fc.tuple(fc.nat(rankFanOut - 1), fc.nat(), fc.integer({ min: 1, max: 2 ** 45 })),
  );
  fc.assert(
    fc.property(children, fc.constantFrom(1, 2, 6), (some, level) => {
      const node = new RankNode();
      const naive = new Map<number, number>();
      for (const [child, count, distinct] of some) {
        node.set(child, count, level === 1 ? 1 : distinct);
        if (count > 0) naive.set(child, count);
        else naive.delete(child);
      }
      const again = RankNode.decode(node.encode(level), level);
      expect([...again.entries()]).toEqual([...node.entries()]);
      expect(new Map([...again.entries()].map(([child, count]) => [child, count]))).toEqual(naive);
      for (const child of [0, 200, rankFanOut]) {
        const before = [...naive].filter(([one]) => one < child);
        expect(again.before(child).count).toBe(before.reduce((sum, [, count]) => sum + count, 0));
      }
    }),
  );
});

test('bytes that are cut off are refused', () => {
  const node = new RankNode();
  node.set(3, 300, 1);
  expect(() => RankNode.decode(node.encode(1).subarray(0, 2), 1)).toThrow(RangeError);
  expect(() => RankNode.decode(Uint8Array.of(0xff, 0x7f, 1), 1)).toThrow(RangeError);
});

test('a table cannot have the name of another one’s ranks', () => {
  const ranked = {
    name: 'scores',
    columns: { board: 'text', player: 'text', score: 'integer' },
    key: ['board', 'player'],
    ranked: { group: ['board'], score: 'score' },
  } as const;
  expect(withRankTables([ranked]).map(({ name }) => name)).toEqual(['scores', 'scores_ranks']);
  const other = { name: 'scores_ranks', columns: { id: 'text' }, key: ['id'] } as const;
  expect(() => withRankTables([ranked, other])).toThrow(/scores_ranks/);
});
