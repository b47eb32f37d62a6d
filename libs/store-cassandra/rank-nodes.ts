import type { Cell, ColumnType, Row, Table } from '@annals/projection';

/**
 * Ranked counts as rows: a tree over all scores there can be, in which each node knows how many rows lie
 * below each of its children, and how many different scores. A node of level 1 has 512 scores as its
 * children, one of level n + 1 has 512 nodes of level n; six levels hold the safe integers. So a rank is the
 * sum over six nodes, whatever the number of rows and however their scores are spread, and no answer
 * counts rows. Each worker keeps nodes of its own, which readers add up: nobody writes another one's row.
 */

export const rankLevels = 6;
export const rankFanOut = 512;

/** Where the children of a node are kept. */
export interface NodePlace {
  readonly level: number;
  readonly node: number;
  readonly child: number;
}

/** The node of a level that a score lies below, and by which of its children. */
export function placeOfScore(score: number, level: number): NodePlace {
  // Dividing by a power of two is exact.
  const below = Math.floor(score / rankFanOut ** (level - 1));
  if (level === rankLevels) return { level, node: 0, child: below + rankFanOut / 2 };
  const node = Math.floor(below / rankFanOut);
  return { level, node, child: below - node * rankFanOut };
}

/** The place of a node among the children of the level above; `level` is that of the parent, 2 and more. */
export function placeOfNode(place: number, level: number): NodePlace {
  if (level === rankLevels) return { level, node: 0, child: place + rankFanOut / 2 };
  const node = Math.floor(place / rankFanOut);
  return { level, node, child: place - node * rankFanOut };
}

/** What a child is: a node of the level below, or in level 1 a score. */
export function childNode({ level, node, child }: NodePlace): number {
  return level === rankLevels ? child - rankFanOut / 2 : node * rankFanOut + child;
}

/** What one worker counted below one node: only children that have rows, in their order. */
export class RankNode {
  readonly #children: number[] = [];
  readonly #counts: number[] = [];
  /** Different scores; 1 in level 1, where a child is a score. */
  readonly #distinct: number[] = [];

  /** Throws a RangeError for bytes that are no node of this level. */
  static decode(bytes: Uint8Array, level: number): RankNode {
    const node = new RankNode();
    const reader = new VarintReader(bytes);
    let child = -1;
    while (!reader.atEnd) {
      child += reader.next();
      if (child >= rankFanOut) throw new RangeError(`a node has no child ${child}`);
      node.#children.push(child);
      node.#counts.push(reader.next());
      node.#distinct.push(level === 1 ? 1 : reader.next());
    }
    return node;
  }

  encode(level: number): Uint8Array {
    const bytes: number[] = [];
    let last = -1;
    for (const [child, count, distinct] of this.entries()) {
      pushVarint(bytes, child - last);
      pushVarint(bytes, count);
      if (level > 1) pushVarint(bytes, distinct);
      last = child;
    }
    return Uint8Array.from(bytes);
  }

  get size(): number {
    return this.#children.length;
  }

  /** Child, rows, different scores. */
  *entries(): Generator<readonly [number, number, number]> {
    for (const [n, child] of this.#children.entries()) {
      yield [child, this.#counts[n] as number, this.#distinct[n] as number];
    }
  }

  at(child: number): { readonly count: number; readonly distinct: number } {
    const n = this.#placeOf(child);
    if (this.#children[n] !== child) return { count: 0, distinct: 0 };
    return { count: this.#counts[n] as number, distinct: this.#distinct[n] as number };
  }

  /** A child without rows is none. */
  set(child: number, count: number, distinct: number): void {
    const n = this.#placeOf(child);
    const there = this.#children[n] === child ? 1 : 0;
    const now = count > 0 ? [child] : [];
    this.#children.splice(n, there, ...now);
    this.#counts.splice(n, there, ...now.map(() => count));
    this.#distinct.splice(n, there, ...now.map(() => distinct));
  }

  /** Rows, and different scores, below the children before this one. */
  before(child: number): { readonly count: number; readonly distinct: number } {
    let count = 0;
    let distinct = 0;
    for (let n = 0; n < this.#children.length && (this.#children[n] as number) < child; n += 1) {
      count += this.#counts[n] as number;
      distinct += this.#distinct[n] as number;
    }
    return { count, distinct };
  }

  /** The first place whose child is this one or comes after it. */
  #placeOf(child: number): number {
    let low = 0;
    let high = this.#children.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#children[middle] as number) < child) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
}

class VarintReader {
  readonly #bytes: Uint8Array;
  #place = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#place >= this.#bytes.length;
  }

  next(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.#bytes[this.#place];
      if (byte === undefined || factor > Number.MAX_SAFE_INTEGER) {
        throw new RangeError('a node ends within a number');
      }
      this.#place += 1;
      value += (byte % 0x80) * factor;
      if (byte < 0x80) return value;
    }
  }
}

const suffix = '_ranks';
const placeColumns = ['rank_level', 'rank_node', 'rank_worker'] as const;

/** The table of the nodes of a ranked table. */
export function rankTableOf({ name, columns, ranked }: Table): Table | undefined {
  if (!ranked) return undefined;
  const group = ranked.group.map((column): [string, ColumnType] => {
    const type = columns[column];
    if (!type) throw new TypeError(`table ${name} has no column ${column}`);
    return [column, type];
  });
  return {
    name: `${name}${suffix}`,
    columns: {
      ...Object.fromEntries(group),
      rank_level: 'integer',
      rank_node: 'integer',
      rank_worker: 'integer',
      rank_counts: 'blob',
    },
    key: [...ranked.group, ...placeColumns],
  };
}

/** The tables of a generation: those of its projection, then the nodes of the ranked ones. */
export function withRankTables(tables: readonly Table[]): readonly Table[] {
  const ranks = tables.map(rankTableOf).filter((table) => table !== undefined);
  const clash = ranks.find((rank) => tables.some(({ name }) => name === rank.name));
  if (clash) throw new TypeError(`the name ${clash.name} is needed for the ranks of a table`);
  return [...tables, ...ranks];
}

export function nodeKey(
  group: readonly Cell[],
  { level, node }: Pick<NodePlace, 'level' | 'node'>,
  worker: number,
): readonly Cell[] {
  return [...group, level, node, worker];
}

export function nodeRow(rankTable: Table, key: readonly Cell[], counts: Uint8Array): Row {
  const cells = rankTable.key.map((column, n): [string, Cell] => [column, key[n] as Cell]);
  return { ...Object.fromEntries(cells), rank_counts: counts };
}

export function nodeOf(row: Row | undefined, level: number): RankNode | undefined {
  const counts = row?.rank_counts;
  return counts instanceof Uint8Array ? RankNode.decode(counts, level) : undefined;
}
