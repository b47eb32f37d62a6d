/**
 * A counted B+-tree: how often each score occurs, so that "how many are above" and "who is k-th" take
 * one way down. Leaves hold (score, count), inner nodes hold (lowest score, child, count, distinct).
 * An empty node is freed and nodes are never merged: see Johnson and Shasha, "B-trees with inserts
 * and deletes: why free-at-empty is better than merge-at-half" (JCSS 47, 1993).
 *
 * Pure: nodes come from and go to a `TreeNodes`. Scores are safe integers.
 */

/** A node is one array: its level (0 for a leaf), then its entries one after the other. */
export type TreeNode = Float64Array;

/** Where nodes are kept. What `read` gives may be changed in place if it is then written. */
export interface TreeNodes {
  read(id: number): TreeNode;
  write(id: number, node: TreeNode): void;
  /** A number for a new node, above 0. */
  allocate(): number;
  free(id: number): void;
}

/** The root of a tree without scores. */
export const emptyTree = 0;

export const treeLimits = {
  /** Scores in one leaf: 2 KB. */
  leafEntriesMax: 128,
  /** Children of one inner node: 2 KB. */
  innerEntriesMax: 64,
} as const;

/** A count would fall below zero, or a node is not what its parent says: derived data is wrong. */
export class CountedTreeError extends Error {
  readonly code = 'counted-tree';
  constructor(message: string) {
    super(message);
    this.name = 'CountedTreeError';
  }
}

const leafWidth = 2;
const innerWidth = 4;

function level(node: TreeNode): number {
  return node[0] as number;
}

function widthOf(node: TreeNode): number {
  return level(node) === 0 ? leafWidth : innerWidth;
}

function entryCount(node: TreeNode): number {
  return (node.length - 1) / widthOf(node);
}

/** Leaf and inner entries alike begin with a score. */
function scoreAt(node: TreeNode, entry: number): number {
  return node[1 + entry * widthOf(node)] as number;
}

function countAt(node: TreeNode, entry: number): number {
  return level(node) === 0
    ? (node[2 + entry * leafWidth] as number)
    : (node[3 + entry * innerWidth] as number);
}

function distinctAt(node: TreeNode, entry: number): number {
  return level(node) === 0 ? 1 : (node[4 + entry * innerWidth] as number);
}

function childAt(node: TreeNode, entry: number): number {
  return node[2 + entry * innerWidth] as number;
}

/** The last entry whose score is at or below `score`; -1 when all are above. */
function lastAtOrBelow(node: TreeNode, score: number): number {
  let low = 0;
  let high = entryCount(node);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (scoreAt(node, middle) <= score) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The child that covers `score`: the first one covers everything below the second. */
function childFor(node: TreeNode, score: number): number {
  return Math.max(0, lastAtOrBelow(node, score));
}

interface Sums {
  count: number;
  distinct: number;
}

function sumsOf(node: TreeNode, from = 0, to = entryCount(node)): Sums {
  const sums = { count: 0, distinct: 0 };
  for (let entry = from; entry < to; entry += 1) {
    sums.count += countAt(node, entry);
    sums.distinct += distinctAt(node, entry);
  }
  return sums;
}

function spliced(
  node: TreeNode,
  entry: number,
  removed: number,
  cells: readonly number[],
): TreeNode {
  const width = widthOf(node);
  const at = 1 + entry * width;
  const next = new Float64Array(node.length - removed * width + cells.length);
  next.set(node.subarray(0, at));
  next.set(cells, at);
  next.set(node.subarray(at + removed * width), at + cells.length);
  return next;
}

// Reading

/** How many scores, and how many different ones. */
export function treeTotals(nodes: TreeNodes, root: number): Readonly<Sums> {
  return root === emptyTree ? { count: 0, distinct: 0 } : sumsOf(nodes.read(root));
}

/** How many scores are strictly above `score`, and how many different ones. */
export function above(nodes: TreeNodes, root: number, score: number): Readonly<Sums> {
  const sums = { count: 0, distinct: 0 };
  let id = root;
  while (id !== emptyTree) {
    const node = nodes.read(id);
    const leaf = level(node) === 0;
    const entry = leaf ? lastAtOrBelow(node, score) : childFor(node, score);
    const right = sumsOf(node, entry + 1);
    sums.count += right.count;
    sums.distinct += right.distinct;
    if (leaf) break;
    id = childAt(node, entry);
  }
  return sums;
}

/** How many scores are exactly `score`. */
export function countOf(nodes: TreeNodes, root: number, score: number): number {
  let id = root;
  while (id !== emptyTree) {
    const node = nodes.read(id);
    if (level(node) > 0) {
      id = childAt(node, childFor(node, score));
      continue;
    }
    const entry = lastAtOrBelow(node, score);
    return entry >= 0 && scoreAt(node, entry) === score ? countAt(node, entry) : 0;
  }
  return 0;
}

/** A score, and how many stand before it (strictly above it from the top, below it from the bottom). */
export interface Selected {
  readonly score: number;
  readonly before: number;
}

/** The score of whoever stands at `place` (0 is the first) counted from the top or the bottom. */
export function select(
  nodes: TreeNodes,
  root: number,
  place: number,
  from: 'top' | 'bottom',
): Selected | undefined {
  if (!(place >= 0)) return undefined;
  let before = 0;
  let id = root;
  while (id !== emptyTree) {
    const node = nodes.read(id);
    const entries = entryCount(node);
    let step = 0;
    let entry = from === 'top' ? entries - 1 : 0;
    for (; step < entries; step += 1, entry += from === 'top' ? -1 : 1) {
      const count = countAt(node, entry);
      if (before + count > place) break;
      before += count;
    }
    if (step === entries) return undefined;
    if (level(node) === 0) return { score: scoreAt(node, entry), before };
    id = childAt(node, entry);
  }
  return undefined;
}

// Writing

interface Split {
  readonly score: number;
  readonly id: number;
  readonly sums: Sums;
}

/** What became of a node: empty ones are freed by whoever held them. */
type Changed =
  | { readonly kind: 'empty' }
  | { readonly kind: 'changed'; readonly distinct: number }
  | { readonly kind: 'split'; readonly left: Sums; readonly right: Split };

/** Adds `delta` (not 0) to the count of `score`. Gives the tree's root, which may be another one. */
export function changeCount(nodes: TreeNodes, root: number, score: number, delta: number): number {
  if (root === emptyTree) {
    if (delta < 0) throw belowZero(score);
    const id = nodes.allocate();
    nodes.write(id, Float64Array.of(0, score, delta));
    return id;
  }
  const changed = changeNode(nodes, root, score, delta);
  if (changed.kind === 'empty') {
    nodes.free(root);
    return emptyTree;
  }
  if (changed.kind === 'split') {
    const { left, right } = changed;
    const id = nodes.allocate();
    const cells = [level(nodes.read(root)) + 1];
    cells.push(Number.MIN_SAFE_INTEGER, root, left.count, left.distinct);
    cells.push(right.score, right.id, right.sums.count, right.sums.distinct);
    nodes.write(id, Float64Array.from(cells));
    return id;
  }
  return withoutLoneRoots(nodes, root);
}

/** A root with one child only makes the way longer. */
function withoutLoneRoots(nodes: TreeNodes, root: number): number {
  let id = root;
  for (;;) {
    const node = nodes.read(id);
    if (level(node) === 0 || entryCount(node) > 1) return id;
    nodes.free(id);
    id = childAt(node, 0);
  }
}

function changeNode(nodes: TreeNodes, id: number, score: number, delta: number): Changed {
  const node = nodes.read(id);
  return level(node) === 0
    ? changeLeaf(nodes, id, node, score, delta)
    : changeInner(nodes, id, node, score, delta);
}

function changeLeaf(
  nodes: TreeNodes,
  id: number,
  leaf: TreeNode,
  score: number,
  delta: number,
): Changed {
  const entry = lastAtOrBelow(leaf, score);
  const known = entry >= 0 && scoreAt(leaf, entry) === score;
  const count = (known ? countAt(leaf, entry) : 0) + delta;
  if (count < 0) throw belowZero(score);
  if (known && count > 0) {
    leaf[2 + entry * leafWidth] = count;
    nodes.write(id, leaf);
    return { kind: 'changed', distinct: 0 };
  }
  if (known) {
    if (entryCount(leaf) === 1) return { kind: 'empty' };
    nodes.write(id, spliced(leaf, entry, 1, []));
    return { kind: 'changed', distinct: -1 };
  }
  const grown = spliced(leaf, entry + 1, 0, [score, count]);
  return entryCount(grown) > treeLimits.leafEntriesMax
    ? splitNode(nodes, id, grown)
    : written(nodes, id, grown, 1);
}

function changeInner(
  nodes: TreeNodes,
  id: number,
  inner: TreeNode,
  score: number,
  delta: number,
): Changed {
  const entry = childFor(inner, score);
  const child = childAt(inner, entry);
  const changed = changeNode(nodes, child, score, delta);
  const at = 1 + entry * innerWidth;
  if (changed.kind === 'changed') {
    inner[at + 2] = countAt(inner, entry) + delta;
    inner[at + 3] = distinctAt(inner, entry) + changed.distinct;
    return written(nodes, id, inner, changed.distinct);
  }
  if (changed.kind === 'empty') {
    nodes.free(child);
    if (entryCount(inner) === 1) return { kind: 'empty' };
    return written(nodes, id, spliced(inner, entry, 1, []), -1);
  }
  const { left, right } = changed;
  const grown = spliced(inner, entry, 1, [
    ...[scoreAt(inner, entry), child, left.count, left.distinct],
    ...[right.score, right.id, right.sums.count, right.sums.distinct],
  ]);
  return entryCount(grown) > treeLimits.innerEntriesMax
    ? splitNode(nodes, id, grown)
    : written(nodes, id, grown, 1);
}

function written(nodes: TreeNodes, id: number, node: TreeNode, distinct: number): Changed {
  nodes.write(id, node);
  return { kind: 'changed', distinct };
}

function splitNode(nodes: TreeNodes, id: number, node: TreeNode): Changed {
  const width = widthOf(node);
  const keep = entryCount(node) >>> 1;
  const left = node.slice(0, 1 + keep * width);
  const right = new Float64Array(node.length - keep * width);
  right[0] = level(node);
  right.set(node.subarray(1 + keep * width), 1);
  const rightId = nodes.allocate();
  nodes.write(id, left);
  nodes.write(rightId, right);
  return {
    kind: 'split',
    left: sumsOf(left),
    right: { score: scoreAt(right, 0), id: rightId, sums: sumsOf(right) },
  };
}

function belowZero(score: number): CountedTreeError {
  return new CountedTreeError(`the count of score ${score} would fall below zero`);
}

/** Builds a tree from (score, count) in ascending order of score, each once. Gives its root. */
export function buildTree(
  nodes: TreeNodes,
  scores: Iterable<readonly [score: number, count: number]>,
): number {
  const builder = new TreeBuilder(nodes);
  for (const [score, count] of scores) builder.add(score, count);
  return builder.finish();
}

/** Fills nodes from left to right, three quarters full, so that the first changes split nothing. */
export class TreeBuilder {
  readonly #nodes: TreeNodes;
  readonly #levels: number[][] = [];

  constructor(nodes: TreeNodes) {
    this.#nodes = nodes;
  }

  add(score: number, count: number): void {
    this.#push(0, [score, count]);
  }

  finish(): number {
    if (this.#levels.length === 0) return emptyTree;
    for (let depth = 0; ; depth += 1) {
      const cells = this.#levels[depth] ?? [];
      const top = depth === this.#levels.length - 1;
      if (cells.length > 0 && top) return this.#write(depth, cells).id;
      if (cells.length > 0) this.#lift(depth, cells);
    }
  }

  #push(depth: number, entry: readonly number[]): void {
    const max = depth === 0 ? treeLimits.leafEntriesMax : treeLimits.innerEntriesMax;
    let cells = this.#levels[depth];
    if (cells && cells.length >= entry.length * Math.floor((max * 3) / 4)) {
      this.#lift(depth, cells);
      cells = undefined;
    }
    if (!cells) {
      cells = [];
      this.#levels[depth] = cells;
    }
    cells.push(...entry);
  }

  /** Writes a full node and enters it in the level above. */
  #lift(depth: number, cells: readonly number[]): void {
    const { id, sums } = this.#write(depth, cells);
    this.#levels[depth] = [];
    this.#push(depth + 1, [cells[0] as number, id, sums.count, sums.distinct]);
  }

  #write(depth: number, cells: readonly number[]): { id: number; sums: Sums } {
    const node = Float64Array.from([depth, ...cells]);
    const id = this.#nodes.allocate();
    this.#nodes.write(id, node);
    return { id, sums: sumsOf(node) };
  }
}

/** Every (score, count), ascending. */
export function* treeScores(
  nodes: TreeNodes,
  root: number,
): Generator<readonly [score: number, count: number]> {
  if (root === emptyTree) return;
  const node = nodes.read(root);
  for (let entry = 0; entry < entryCount(node); entry += 1) {
    if (level(node) === 0) yield [scoreAt(node, entry), countAt(node, entry)];
    else yield* treeScores(nodes, childAt(node, entry));
  }
}

/** What is wrong with a tree's own sums, order and levels; each problem in words. */
export function treeProblems(nodes: TreeNodes, root: number): string[] {
  const problems: string[] = [];
  let last = Number.NEGATIVE_INFINITY;
  const visit = (id: number): Sums => {
    const node = nodes.read(id);
    for (let entry = 0; entry < entryCount(node); entry += 1) {
      const [count, distinct] = [countAt(node, entry), distinctAt(node, entry)];
      if (level(node) === 0) {
        const score = scoreAt(node, entry);
        if (score <= last) problems.push(`node ${id}: score ${score} comes after ${last}`);
        if (count < 1) problems.push(`node ${id}: score ${score} counts ${count}`);
        last = score;
        continue;
      }
      const child = childAt(node, entry);
      const below = level(nodes.read(child));
      if (below !== level(node) - 1) problems.push(`node ${child} is on level ${below}`);
      const sums = visit(child);
      if (sums.count !== count || sums.distinct !== distinct) {
        problems.push(
          `node ${id} says ${count}/${distinct} of ${child}, not ${sums.count}/${sums.distinct}`,
        );
      }
    }
    return sumsOf(node);
  };
  if (root !== emptyTree) visit(root);
  return problems;
}
