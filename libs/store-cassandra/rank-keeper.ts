import {
  type Cell,
  type Row,
  type RowChange,
  StoreLostError,
  type Table,
} from '@annals/projection';
import { keyBytes } from './cells.ts';
import { limits } from './limits.ts';
import {
  nodeKey,
  nodeOf,
  nodeRow,
  placeOfNode,
  placeOfScore,
  RankNode,
  rankLevels,
  rankTableOf,
} from './rank-nodes.ts';
import type { StampedRow, TableRows } from './table-rows.ts';

/** The rows that stand under the keys of a batch's changes, by table, by the key's text. */
export type HeldRows = ReadonlyMap<string, ReadonlyMap<string, StampedRow>>;

interface Ranked {
  readonly table: Table;
  readonly rankTable: Table;
  readonly nodes: TableRows;
}

/** What a batch changes at one place of the tree. */
interface Delta {
  readonly group: readonly Cell[];
  /** A score at level 0, else a node of the level. */
  readonly place: number;
  count: number;
  distinct: number;
}

interface HeldNode {
  readonly key: readonly Cell[];
  readonly node: RankNode;
}

/**
 * Counts along with the batches of one worker: from what its rows were and will be, the nodes as they
 * will be, as absolute rows that are decided together with the batch. Nobody else writes these nodes, so
 * those of the last batches are kept in memory, as long as every batch is one of ours.
 */
export class RankKeeper {
  readonly #ranked: readonly Ranked[];
  readonly #worker: number;
  /** By table and key. */
  readonly #nodes = new Map<string, RankNode>();
  /** About how many children the nodes in memory have. */
  #weight = 0;
  /** The batch that the nodes in memory are good after. */
  #seq: number | undefined;

  constructor(tables: ReadonlyMap<string, TableRows>, worker: number) {
    this.#worker = worker;
    this.#ranked = [...tables.values()].flatMap(({ table }) => {
      const rankTable = rankTableOf(table);
      const nodes = rankTable && tables.get(rankTable.name);
      return nodes ? [{ table, rankTable, nodes }] : [];
    });
  }

  /** Whether it needs to know what the rows of this table were. */
  counts(table: string): boolean {
    return this.#ranked.some((ranked) => ranked.table.name === table);
  }

  /** The nodes after a batch that follows batch `seq`. They count only once the batch is `kept`. */
  async changes(
    seq: number,
    changes: readonly RowChange[],
    held: HeldRows,
  ): Promise<readonly RowChange[]> {
    if (this.#seq !== seq || this.#weight > limits.rankChildrenKeptMax) {
      this.#nodes.clear();
      this.#weight = 0;
    }
    this.#seq = undefined;
    const counted: RowChange[] = [];
    for (const ranked of this.#ranked) {
      counted.push(...(await this.#count(ranked, scoreDeltas(ranked.table, changes, held))));
    }
    return counted;
  }

  /** Batch `seq` was decided with the nodes last asked for. */
  kept(seq: number): void {
    this.#seq = seq;
  }

  async #count(ranked: Ranked, scores: readonly Delta[]): Promise<RowChange[]> {
    const { rankTable } = ranked;
    if (scores.length === 0) return [];
    await this.#load(ranked, scores);
    const changes: RowChange[] = [];
    let deltas = scores;
    for (let level = 1; level <= rankLevels; level += 1) {
      const touched = new Map<string, HeldNode>();
      const above = new Map<string, Delta>();
      for (const { group, place, count, distinct } of deltas) {
        const at = level === 1 ? placeOfScore(place, 1) : placeOfNode(place, level);
        const key = nodeKey(group, at, this.#worker);
        const name = nameOf(rankTable, key);
        const node = this.#nodes.get(name) ?? new RankNode();
        this.#nodes.set(name, node);
        this.#weight += 1;
        touched.set(name, { key, node });
        const gained = add(node, at.child, count, level === 1 ? undefined : distinct);
        const delta = above.get(name) ?? { group, place: at.node, count: 0, distinct: 0 };
        delta.count += count;
        delta.distinct += gained;
        above.set(name, delta);
      }
      for (const { key, node } of touched.values()) {
        changes.push({
          table: rankTable.name,
          key,
          row: nodeRow(rankTable, key, node.encode(level)),
        });
      }
      deltas = [...above.values()];
    }
    return changes;
  }

  /** Brings the nodes that these scores lie below into memory. */
  async #load({ rankTable, nodes }: Ranked, scores: readonly Delta[]): Promise<void> {
    const missing = new Map<string, readonly Cell[]>();
    for (let level = 1; level <= rankLevels; level += 1) {
      for (const { group, place } of scores) {
        const key = nodeKey(group, placeOfScore(place, level), this.#worker);
        const name = nameOf(rankTable, key);
        if (!this.#nodes.has(name)) missing.set(name, key);
      }
    }
    if (missing.size === 0) return;
    const loaded = await nodes.load([...missing.values()]);
    for (const [name, key] of missing) {
      const level = key.at(-3) as number;
      const node = nodeOf(loaded.get(keyBytes(key).toString('latin1'))?.row, level);
      if (!node) continue;
      this.#nodes.set(name, node);
      this.#weight += node.size;
    }
  }
}

/** By how much the number of rows of each score changes; nothing for those that stay the same. */
function scoreDeltas(table: Table, changes: readonly RowChange[], held: HeldRows): Delta[] {
  const deltas = new Map<string, Delta>();
  const add = (row: Row | null | undefined, by: number) => {
    const at = row && scoreIn(table, row);
    if (!at) return;
    const name = keyBytes([...at.group, at.score]).toString('latin1');
    const delta = deltas.get(name) ?? { group: at.group, place: at.score, count: 0, distinct: 0 };
    delta.count += by;
    deltas.set(name, delta);
  };
  for (const { table: name, key, row } of changes) {
    if (name !== table.name) continue;
    add(held.get(name)?.get(keyBytes(key).toString('latin1'))?.row, -1);
    add(row, 1);
  }
  return [...deltas.values()].filter(({ count }) => count !== 0);
}

/** Where a row is counted; undefined where its score or a column of its group is null. */
export function scoreIn(
  { ranked }: Table,
  row: Row,
): { readonly group: readonly Cell[]; readonly score: number } | undefined {
  if (!ranked) return undefined;
  const score = row[ranked.score];
  const group = ranked.group.map((column) => row[column] ?? null);
  return typeof score === 'number' && !group.includes(null) ? { group, score } : undefined;
}

/** By how many the different scores below it changed. */
function add(node: RankNode, child: number, count: number, distinct: number | undefined): number {
  const before = node.at(child);
  const after = before.count + count;
  if (after < 0) {
    throw new StoreLostError('the ranks of a table do not fit its rows: rebuild the generation');
  }
  const gained = distinct ?? (after > 0 ? 1 : 0) - before.distinct;
  node.set(child, after, before.distinct + gained);
  return gained;
}

function nameOf(rankTable: Table, key: readonly Cell[]): string {
  return `${rankTable.name} ${keyBytes(key).toString('latin1')}`;
}
