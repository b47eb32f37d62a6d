import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  above,
  buildTree,
  CountedTreeError,
  changeCount,
  countOf,
  emptyTree,
  select,
  type TreeNode,
  type TreeNodes,
  treeLimits,
  treeProblems,
  treeScores,
  treeTotals,
} from './counted-tree.ts';

class MemoryNodes implements TreeNodes {
  readonly nodes = new Map<number, TreeNode>();
  #last = 0;

  read(id: number): TreeNode {
    const node = this.nodes.get(id);
    if (!node) throw new Error(`there is no node ${id}`);
    return node.slice();
  }

  write(id: number, node: TreeNode): void {
    const width = node[0] === 0 ? 2 : 4;
    const max = node[0] === 0 ? treeLimits.leafEntriesMax : treeLimits.innerEntriesMax;
    if ((node.length - 1) / width > max) throw new Error(`node ${id} is too large`);
    if (node.length <= 1) throw new Error(`node ${id} is empty`);
    this.nodes.set(id, node.slice());
  }

  allocate(): number {
    this.#last += 1;
    return this.#last;
  }

  free(id: number): void {
    if (!this.nodes.delete(id)) throw new Error(`node ${id} was freed twice`);
  }
}

class Tree {
  readonly nodes = new MemoryNodes();
  root = emptyTree;
  /** The same, kept the simple way. */
  readonly counts = new Map<number, number>();

  change(score: number, delta: number): void {
    this.root = changeCount(this.nodes, this.root, score, delta);
    const count = (this.counts.get(score) ?? 0) + delta;
    if (count === 0) this.counts.delete(score);
    else this.counts.set(score, count);
  }

  get scores(): number[] {
    const each = [...this.counts].flatMap(([score, count]) => Array<number>(count).fill(score));
    return each.sort((a, b) => b - a);
  }

  expectRight(probes: Iterable<number>): void {
    const { nodes, root } = this;
    const sorted = [...this.counts].sort(([a], [b]) => a - b);
    expect([...treeScores(nodes, root)]).toEqual(sorted);
    expect(treeProblems(nodes, root)).toEqual([]);
    const count = sorted.reduce((sum, [, n]) => sum + n, 0);
    expect(treeTotals(nodes, root)).toEqual({ count, distinct: sorted.length });
    for (const probe of probes) {
      const over = sorted.filter(([score]) => score > probe);
      const naive = { count: over.reduce((sum, [, n]) => sum + n, 0), distinct: over.length };
      expect({ probe, ...above(nodes, root, probe) }).toEqual({ probe, ...naive });
      expect(countOf(nodes, root, probe)).toBe(this.counts.get(probe) ?? 0);
    }
  }

  expectSelect(places: Iterable<number>): void {
    const top = this.scores;
    const bottom = top.toReversed();
    for (const place of places) {
      for (const [from, scores] of [['top', top] as const, ['bottom', bottom] as const]) {
        const score = scores[place];
        const naive = score === undefined ? undefined : { score, before: scores.indexOf(score) };
        expect(select(this.nodes, this.root, place, from)).toEqual(naive);
      }
    }
  }
}

const score = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.integer({ min: 0, max: 2_000 }),
  fc.integer({ min: -100_000, max: 100_000 }),
  fc.maxSafeInteger(),
  fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0),
);

/** Numbers in an order that is the same in each run and looks like none. */
function* mixed(count: number, range: number): Generator<number> {
  let state = 12_345;
  for (let n = 0; n < count; n += 1) {
    state = (state * 48_271) % 2_147_483_647;
    yield state % range;
  }
}

describe('a counted tree', () => {
  test('agrees with a sorted array for any history', () => {
    const step = fc.record({ score, more: fc.boolean(), by: fc.integer({ min: 1, max: 3 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const tree = new Tree();
        for (const { score, more, by } of steps) {
          const held = tree.counts.get(score) ?? 0;
          if (more) tree.change(score, by);
          else if (held > 0) tree.change(score, -Math.min(held, by));
        }
        const probes = steps.flatMap(({ score }) => [score - 1, score, score + 1]);
        tree.expectRight(probes.slice(0, 60));
        tree.expectSelect([0, 1, 2, steps.length, tree.scores.length - 1, tree.scores.length]);
      }),
      { numRuns: 200 },
    );
  });

  test('grows to several levels and shrinks to nothing', () => {
    const tree = new Tree();
    const scores = [...new Set(mixed(30_000, 1_000_000))];
    for (const score of scores) tree.change(score, 1);
    expect(treeProblems(tree.nodes, tree.root)).toEqual([]);
    const root = tree.nodes.read(tree.root);
    expect(root[0]).toBeGreaterThanOrEqual(2);
    tree.expectRight([...scores.slice(0, 40), -1, 0, 999_999, 1_000_000]);
    tree.expectSelect([0, 1, 777, 15_000, scores.length - 1, scores.length]);
    for (const score of scores.slice(100)) tree.change(score, -1);
    tree.expectRight([...scores.slice(0, 200)]);
    for (const score of scores.slice(0, 100)) tree.change(score, -1);
    expect(tree.root).toBe(emptyTree);
    expect(tree.nodes.nodes.size).toBe(0);
  });

  test.each([
    ['rising', (n: number) => n],
    ['falling', (n: number) => 1 - n],
  ])('takes %s scores', (_, scoreOf) => {
    const tree = new Tree();
    for (let n = 0; n < 10_000; n += 1) tree.change(scoreOf(n), 1);
    tree.expectRight([-10_001, -10_000, -9_999, -64, 0, 64, 127, 128, 129, 9_999]);
    for (let n = 0; n < 9_990; n += 1) tree.change(scoreOf(n), -1);
    tree.expectRight([-9_995, 0, 9_995]);
  });

  test('that was built at once is as one that grew', () => {
    for (const size of [0, 1, 95, 96, 97, 128, 4_608, 4_609, 40_000]) {
      const tree = new Tree();
      for (const score of mixed(size, 50_000)) {
        tree.counts.set(score, (tree.counts.get(score) ?? 0) + 1);
      }
      tree.root = buildTree(
        tree.nodes,
        [...tree.counts].sort(([a], [b]) => a - b),
      );
      tree.expectRight([0, 17, 25_000, 49_999]);
      for (const score of mixed(200, 60_000)) tree.change(score, 2);
      tree.expectRight([0, 17, 25_000, 59_999]);
    }
  });

  test('keeps the counts of a million equal scores in one entry', () => {
    const tree = new Tree();
    tree.change(7, 1_000_000);
    tree.change(7, -1);
    tree.change(8, 1);
    expect(above(tree.nodes, tree.root, 6)).toEqual({ count: 1_000_000, distinct: 2 });
    expect(select(tree.nodes, tree.root, 999_999, 'top')).toEqual({ score: 7, before: 1 });
    expect(tree.nodes.nodes.size).toBe(1);
  });

  test('refuses a count below zero, which only wrong data can bring about', () => {
    const tree = new Tree();
    expect(() => tree.change(1, -1)).toThrow(CountedTreeError);
    tree.change(1, 1);
    expect(() => tree.change(1, -2)).toThrow(CountedTreeError);
    expect(() => tree.change(2, -1)).toThrow(CountedTreeError);
  });

  test('says what is wrong with it', () => {
    const tree = new Tree();
    for (let n = 0; n < 500; n += 1) tree.change(n, 1);
    const [leaf] = [...tree.nodes.nodes].find(([, node]) => node[0] === 0)!;
    const wrong = tree.nodes.read(leaf);
    wrong[2] = 5;
    tree.nodes.write(leaf, wrong);
    expect(treeProblems(tree.nodes, tree.root).join()).toContain(`of ${leaf}`);
  });

  test('of no place has nobody', () => {
    const tree = new Tree();
    expect(select(tree.nodes, tree.root, 0, 'top')).toBeUndefined();
    tree.change(1, 1);
    expect(select(tree.nodes, tree.root, -1, 'top')).toBeUndefined();
    expect(select(tree.nodes, tree.root, Number.NaN, 'bottom')).toBeUndefined();
  });
});
