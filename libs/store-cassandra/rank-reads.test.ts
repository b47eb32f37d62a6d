import type { Cell } from '@annals/projection';
import { expect, test } from 'vitest';
import { keyBytes } from './cells.ts';
import { nodeKey, placeOfNode, placeOfScore, RankNode, rankLevels } from './rank-nodes.ts';
import { RankTree } from './rank-reads.ts';
import type { StampedRow } from './table-rows.ts';

/** A table of nodes in memory, as workers with these scores would have written it. */
function nodesOf(workers: readonly (readonly number[])[]) {
  const rows = new Map<string, StampedRow>();
  for (const [worker, scores] of workers.entries()) {
    let below = new Map(scores.map((score) => [score, { count: 1, distinct: 1 }]));
    for (let level = 1; level <= rankLevels; level += 1) {
      const nodes = new Map<number, RankNode>();
      const above = new Map<number, { count: number; distinct: number }>();
      for (const [place, { count, distinct }] of below) {
        const at = level === 1 ? placeOfScore(place, 1) : placeOfNode(place, level);
        const node = nodes.get(at.node) ?? new RankNode();
        nodes.set(at.node, node);
        node.set(at.child, count, distinct);
        const sum = above.get(at.node) ?? { count: 0, distinct: 0 };
        above.set(at.node, { count: sum.count + count, distinct: sum.distinct + distinct });
      }
      for (const [node, held] of nodes) {
        const key = nodeKey([], { level, node }, worker);
        const row = { rank_counts: held.encode(level) };
        rows.set(keyBytes(key).toString('latin1'), { stamp: 1, row });
      }
      below = above;
    }
  }
  let loads = 0;
  const load = async (keys: readonly (readonly Cell[])[]) => {
    loads += 1;
    const texts = keys.map((key) => keyBytes(key).toString('latin1'));
    return new Map(
      texts.flatMap((text) => (rows.has(text) ? [[text, rows.get(text) as StampedRow]] : [])),
    );
  };
  return { load, loads: () => loads };
}

const spread = Array.from({ length: 40 }, (_, n) => n * 1_000_000);

test('different scores of one worker are known from the way to the score alone', async () => {
  const { load, loads } = nodesOf([spread]);
  const tree = new RankTree({ load }, [], 1);
  expect(await tree.distinct([20_000_000, 20_000_001], 0)).toEqual({
    ...{ total: 40, below: [20, 21], exact: true },
  });
  expect(loads()).toBe(1);
});

test('the same scores of two workers are one, as long as their nodes may be looked into', async () => {
  const { load } = nodesOf([spread, spread.slice(0, 30)]);
  const whole = await new RankTree({ load }, [], 2).distinct([20_000_000]);
  expect(whole).toEqual({ total: 40, below: [20], exact: true });
  const cut = await new RankTree({ load }, [], 2).distinct([20_000_000], 3);
  expect(cut.exact).toBe(false);
  expect(cut.below[0]).toBeLessThanOrEqual(20);
  expect(cut.total).toBeLessThanOrEqual(40);
});

test('a place beyond the end has no score', async () => {
  const { load } = nodesOf([spread, []]);
  const tree = new RankTree({ load }, [], 2);
  expect(await tree.select(39)).toEqual({ score: 39_000_000, below: 39, at: 1 });
  expect(await tree.select(40)).toBeUndefined();
  expect(await new RankTree(nodesOf([]), [], 1).select(0)).toBeUndefined();
});
