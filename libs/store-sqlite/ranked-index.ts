import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Cell, Table } from '@annals/projection';
import {
  above,
  CountedTreeError,
  changeCount,
  countOf,
  emptyTree,
  type Selected,
  select,
  TreeBuilder,
  type TreeNode,
  type TreeNodes,
  treeProblems,
  treeScores,
  treeTotals,
} from './counted-tree.ts';
import { limits } from './limits.ts';
import { cellsText, quoted } from './schema.ts';

/** Nodes in the table `annals_rank_nodes`, read through a cache that is dropped when another connection wrote. */
class SqliteNodes implements TreeNodes {
  readonly #cache = new Map<number, TreeNode>();
  readonly #dirty = new Map<number, TreeNode | 'freed'>();
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #last: StatementSync;
  #nextId = 0;

  constructor(database: DatabaseSync) {
    this.#get = database.prepare('SELECT node FROM annals_rank_nodes WHERE id = ?');
    this.#get.setReturnArrays(true);
    this.#put = database.prepare('INSERT OR REPLACE INTO annals_rank_nodes VALUES (?, ?)');
    this.#delete = database.prepare('DELETE FROM annals_rank_nodes WHERE id = ?');
    this.#last = database.prepare('SELECT coalesce(max(id), 0) AS last FROM annals_rank_nodes');
  }

  read(id: number): TreeNode {
    const known = this.#dirty.get(id) ?? this.#cache.get(id);
    if (known === 'freed') throw new CountedTreeError(`node ${id} was freed`);
    if (known) return known;
    const row = this.#get.get(id) as unknown as [Uint8Array] | undefined;
    if (!row) throw new CountedTreeError(`node ${id} of a ranked count is missing`);
    const node = nodeOf(row[0]);
    this.#keep(id, node);
    return node;
  }

  write(id: number, node: TreeNode): void {
    this.#dirty.set(id, node);
  }

  allocate(): number {
    if (this.#nextId === 0) this.#nextId = Number(this.#last.get()?.last) + 1;
    const id = this.#nextId;
    this.#nextId += 1;
    return id;
  }

  free(id: number): void {
    this.#dirty.set(id, 'freed');
  }

  /** Writes what changed; the transaction is the caller's. */
  flush(): void {
    for (const [id, node] of this.#dirty) {
      if (node === 'freed') {
        this.#delete.run(id);
        this.#cache.delete(id);
      } else {
        this.#put.run(id, new Uint8Array(node.buffer, node.byteOffset, node.byteLength));
        this.#keep(id, node);
      }
    }
    this.#dirty.clear();
  }

  /** Forgets everything: the transaction was rolled back, or somebody else wrote. */
  forget(): void {
    this.#cache.clear();
    this.#dirty.clear();
    this.#nextId = 0;
  }

  get dirtyNodes(): number {
    return this.#dirty.size;
  }

  #keep(id: number, node: TreeNode): void {
    if (this.#cache.size >= limits.treeNodesCachedMax) this.#cache.clear();
    this.#cache.set(id, node);
  }
}

/** Nodes are stored in the byte order of the machine, which on all that Node runs on is little-endian. */
function nodeOf(blob: Uint8Array): TreeNode {
  const aligned = blob.byteOffset % 8 === 0 ? blob : new Uint8Array(blob);
  return new Float64Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 8);
}

/** Tells whether another connection has committed since it was last asked (PRAGMA data_version). */
export class OtherWriters {
  readonly #statement: StatementSync;
  #version = -1;

  constructor(database: DatabaseSync) {
    this.#statement = database.prepare('PRAGMA data_version');
    this.#statement.setReturnArrays(true);
  }

  wrote(): boolean {
    const [version] = this.#statement.get() as unknown as [number];
    const changed = version !== this.#version;
    this.#version = version;
    return changed;
  }
}

/** Where the tree of a group begins. */
class Groups {
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;

  constructor(database: DatabaseSync) {
    this.#get = database.prepare(
      'SELECT root FROM annals_rank_groups WHERE ranked = ? AND cells = ?',
    );
    this.#get.setReturnArrays(true);
    this.#put = database.prepare('INSERT OR REPLACE INTO annals_rank_groups VALUES (?, ?, ?)');
    this.#delete = database.prepare(
      'DELETE FROM annals_rank_groups WHERE ranked = ? AND cells = ?',
    );
  }

  root(table: string, group: string): number {
    const row = this.#get.get(table, group) as unknown as [number] | undefined;
    return row ? row[0] : emptyTree;
  }

  setRoot(table: string, group: string, root: number): void {
    if (root === emptyTree) this.#delete.run(table, group);
    else this.#put.run(table, group, root);
  }
}

/** What a ranked table answers about one group, as of the reader's transaction. */
export interface RankedReads {
  /** Rows of the group that have a score. */
  total(): number;
  /** Different scores in the group. */
  distinctTotal(): number;
  /** Rows with a score strictly above. A row's rank is one more. */
  countAbove(score: number): number;
  /** Rows with a score strictly below. */
  countBelow(score: number): number;
  /** Different scores strictly above: the dense rank is one more. */
  distinctAbove(score: number): number;
  /** Rows with exactly this score. */
  countOf(score: number): number;
  /** The score at a place (0 is the best) and how many rows are strictly above it; undefined beyond the last. */
  fromTop(place: number): Selected | undefined;
  /** The same counted from the lowest score. */
  fromBottom(place: number): Selected | undefined;
}

/** The reading side. Call `forget` when another connection has written. */
export class RankedReader {
  readonly #nodes: SqliteNodes;
  readonly #groups: Groups;
  /** Where the trees of groups begin, by table and group. */
  readonly #roots = new Map<string, number>();

  constructor(database: DatabaseSync) {
    this.#nodes = new SqliteNodes(database);
    this.#groups = new Groups(database);
  }

  forget(): void {
    this.#nodes.forget();
    this.#roots.clear();
  }

  of(table: string, group: readonly Cell[]): RankedReads {
    const nodes = this.#nodes;
    const root = this.#rootOf(table, cellsText(group));
    return {
      total: () => treeTotals(nodes, root).count,
      distinctTotal: () => treeTotals(nodes, root).distinct,
      countAbove: (score) => above(nodes, root, score).count,
      countBelow: (score) =>
        treeTotals(nodes, root).count -
        above(nodes, root, score).count -
        countOf(nodes, root, score),
      distinctAbove: (score) => above(nodes, root, score).distinct,
      countOf: (score) => countOf(nodes, root, score),
      fromTop: (place) => select(nodes, root, place, 'top'),
      fromBottom: (place) => select(nodes, root, place, 'bottom'),
    };
  }

  #rootOf(table: string, group: string): number {
    const name = `${table} ${group}`;
    const known = this.#roots.get(name);
    if (known !== undefined) return known;
    const root = this.#groups.root(table, group);
    if (this.#roots.size >= limits.rootsCachedMax) this.#roots.clear();
    this.#roots.set(name, root);
    return root;
  }
}

/** The writing side: notes what each row did to the counts, and writes the trees once for a commit. */
export class RankedWriter {
  readonly #nodes: SqliteNodes;
  readonly #groups: Groups;
  readonly #others: OtherWriters;
  /** Table, group, score → change of its count. */
  readonly #deltas = new Map<string, Map<string, Map<number, number>>>();

  constructor(database: DatabaseSync) {
    this.#nodes = new SqliteNodes(database);
    this.#groups = new Groups(database);
    this.#others = new OtherWriters(database);
  }

  /** At the start of each writing transaction. */
  begin(): void {
    if (this.#others.wrote()) this.#nodes.forget();
  }

  note(table: string, group: string, score: number, delta: number): void {
    const groups = this.#deltas.get(table) ?? new Map<string, Map<number, number>>();
    const scores = groups.get(group) ?? new Map<number, number>();
    this.#deltas.set(table, groups.set(group, scores));
    scores.set(score, (scores.get(score) ?? 0) + delta);
  }

  flush(): void {
    for (const [table, groups] of this.#deltas) {
      for (const [group, scores] of groups) this.#change(table, group, scores);
    }
    this.#deltas.clear();
    this.#nodes.flush();
  }

  rollback(): void {
    this.#deltas.clear();
    this.#nodes.forget();
  }

  #change(table: string, group: string, scores: ReadonlyMap<number, number>): void {
    const before = this.#groups.root(table, group);
    let root = before;
    // What grows comes first, so that a tree is not emptied and made again.
    for (const [score, delta] of scores) {
      if (delta > 0) root = changeCount(this.#nodes, root, score, delta);
    }
    for (const [score, delta] of scores) {
      if (delta < 0) root = changeCount(this.#nodes, root, score, delta);
    }
    if (root !== before) this.#groups.setRoot(table, group, root);
  }

  /** Counts all rows of a ranked table anew, in one pass in order of group and score. */
  rebuild(database: DatabaseSync, table: Table): void {
    let builder: TreeBuilder | undefined;
    let open: string | undefined;
    const finish = () => {
      if (builder && open !== undefined) this.#groups.setRoot(table.name, open, builder.finish());
      this.#nodes.flush();
    };
    for (const { group, score, count } of countedScores(database, table)) {
      if (group !== open) {
        finish();
        builder = new TreeBuilder(this.#nodes);
        open = group;
      }
      builder?.add(score, count);
      if (this.#nodes.dirtyNodes >= limits.treeNodesCachedMax) this.#nodes.flush();
    }
    finish();
  }

  /** Removes all counts of all tables. */
  clear(database: DatabaseSync): void {
    database.exec('DELETE FROM annals_rank_groups; DELETE FROM annals_rank_nodes');
    this.rollback();
  }
}

interface CountedScore {
  readonly group: string;
  readonly score: number;
  readonly count: number;
}

/** The scores of a ranked table as its rows have them, by group, ascending. */
function* countedScores(database: DatabaseSync, table: Table): Generator<CountedScore> {
  if (!table.ranked) return;
  const { group, score } = table.ranked;
  const columns = [...group, score].map(quoted).join(', ');
  const statement = database.prepare(
    `SELECT ${columns}, count(*) FROM ${quoted(table.name)} WHERE ${quoted(score)} IS NOT NULL
     GROUP BY ${columns} ORDER BY ${columns}`,
  );
  statement.setReturnArrays(true);
  for (const row of statement.iterate() as Iterable<unknown> as Iterable<Cell[]>) {
    const count = row.pop() as number;
    const held = row.pop() as number;
    yield { group: cellsText(row), score: held, count };
  }
}

/** Problems that are told of one table; then looking ends. */
const problemsMax = 1_000;

/** Compares a ranked table's counts with its rows, and each tree with itself. */
export function rankedProblems(database: DatabaseSync, table: Table): string[] {
  const problems: string[] = [];
  for (const problem of eachRankedProblem(database, table)) {
    problems.push(`${table.name} ${problem}`);
    if (problems.length >= problemsMax) break;
  }
  return problems;
}

function* eachRankedProblem(database: DatabaseSync, table: Table): Generator<string> {
  const nodes = new SqliteNodes(database);
  const groups = new Groups(database);
  const listed = database.prepare('SELECT cells FROM annals_rank_groups WHERE ranked = ?');
  const unseen = new Set(listed.all(table.name).map((row) => String(row.cells)));
  const held = countedScores(database, table);
  let first = held.next();
  while (!first.done) {
    const { group } = first.value;
    unseen.delete(group);
    const root = groups.root(table.name, group);
    const own = treeProblems(nodes, root);
    for (const problem of own) yield `${group}: ${problem}`;
    // The scores of a tree that is wrong in itself need not ascend: there is nothing to compare in order.
    const counted = own.length === 0 ? treeScores(nodes, root) : undefined;
    first = yield* differingCounts(first.value, held, counted);
  }
  for (const group of unseen) yield `${group}: is counted and has no rows`;
}

/**
 * Walks the scores of one group, beginning with `first`, beside what its tree counts, both ascending.
 * Returns the first of the next group.
 */
function* differingCounts(
  first: CountedScore,
  held: Generator<CountedScore>,
  counted: Generator<readonly [score: number, count: number]> | undefined,
): Generator<string, IteratorResult<CountedScore>> {
  const { group } = first;
  const here = (row: IteratorResult<CountedScore>) => !row.done && row.value.group === group;
  let row: IteratorResult<CountedScore> = { value: first };
  let said = counted?.next();
  while (here(row) || (said && !said.done)) {
    const score = here(row) ? row.value.score : Number.POSITIVE_INFINITY;
    const saidScore = said && !said.done ? said.value[0] : Number.POSITIVE_INFINITY;
    const count = score <= saidScore ? (row.value as CountedScore).count : 'none';
    const countedAs = saidScore <= score ? said?.value[1] : undefined;
    if (counted && count !== countedAs) {
      const told = countedAs === undefined ? 'not counted' : `counted as ${countedAs}`;
      yield `${group}: score ${Math.min(score, saidScore)} is held by ${count}, ${told}`;
    }
    if (score <= saidScore) row = held.next();
    if (saidScore <= score) said = counted?.next();
  }
  return row;
}
