import type { Cell } from '@annals/projection';
import { keyBytes } from './cells.ts';
import { limits } from './limits.ts';
import {
  childNode,
  type NodePlace,
  nodeKey,
  nodeOf,
  placeOfScore,
  type RankNode,
  rankFanOut,
  rankLevels,
} from './rank-nodes.ts';
import type { TableRows } from './table-rows.ts';

export interface ScoreCount {
  /** Rows with a lower score, and with this one. */
  readonly below: number;
  readonly at: number;
}

/** Ranked counts of one group. Each call is one round trip, but `select`, which takes six. */
export interface RankReads {
  /** In the order of the scores. */
  counts(
    scores: readonly number[],
  ): Promise<{ readonly total: number; readonly counts: readonly ScoreCount[] }>;
  /**
   * How many different scores are lower than each of these, and how many there are. Not `exact` where several workers
   * have the same scores in more nodes than may be looked into: then they are at least so many.
   */
  distinct(scores: readonly number[]): Promise<{
    readonly total: number;
    readonly below: readonly number[];
    readonly exact: boolean;
  }>;
  /** The score at a place, 0 for the lowest, and the rows with a lower one; undefined beyond the end. */
  select(
    place: number,
  ): Promise<{ readonly score: number; readonly below: number; readonly at: number } | undefined>;
}

type Place = Pick<NodePlace, 'level' | 'node'>;

const root: Place = { level: rankLevels, node: 0 };

/** The nodes of one group that were read. Read again they would be others, if batches go on: so each is read once. */
export class RankTree implements RankReads {
  readonly #nodes: Pick<TableRows, 'load'>;
  readonly #group: readonly Cell[];
  readonly #workers: number;
  /** What each worker has there; those that have nothing are left out. */
  readonly #held = new Map<string, readonly RankNode[]>();

  constructor(nodes: Pick<TableRows, 'load'>, group: readonly Cell[], workers: number) {
    this.#nodes = nodes;
    this.#group = group;
    this.#workers = workers;
  }

  async counts(scores: readonly number[]) {
    const paths = scores.map(pathOf);
    await this.#load([root, ...paths.flat()]);
    const counts = paths.map((path) => this.#countOn(path));
    return { total: this.#before({ ...root, child: rankFanOut }), counts };
  }

  #countOn(path: readonly NodePlace[]): ScoreCount {
    const below = path.reduce((sum, place) => sum + this.#before(place), 0);
    return { below, at: this.#at(path.at(-1) as NodePlace) };
  }

  async select(place: number) {
    let rest = place;
    let below = 0;
    let at: Place = root;
    for (;;) {
      await this.#load([at]);
      const child = this.#childAt(at, rest);
      if (!child) return undefined;
      rest -= child.before;
      below += child.before;
      const found = { ...at, child: child.child };
      if (at.level === 1) return { score: childNode(found), below, at: this.#at(found) };
      at = { level: at.level - 1, node: childNode(found) };
    }
  }

  /** The child that the row at a place of a node lies below. */
  #childAt(
    at: Place,
    place: number,
  ): { readonly child: number; readonly before: number } | undefined {
    const counts = new Map<number, number>();
    for (const node of this.#nodesAt(at)) {
      for (const [child, count] of node.entries()) {
        counts.set(child, (counts.get(child) ?? 0) + count);
      }
    }
    let before = 0;
    for (const [child, count] of [...counts].sort(([a], [b]) => a - b)) {
      if (place < before + count) return { child, before };
      before += count;
    }
    return undefined;
  }

  async distinct(scores: readonly number[], nodesMax: number = limits.distinctNodesMax) {
    const paths = scores.map(pathOf);
    await this.#load([root, ...paths.flat()]);
    const search: DistinctSearch = { nodesLeft: nodesMax, exact: true };
    const below: number[] = [];
    for (const path of paths) below.push(await this.#distinctBefore(path, search));
    const total = await this.#distinctBefore([{ ...root, child: rankFanOut }], search);
    return { total, below, exact: search.exact };
  }

  /**
   * Different scores below the children before these places. Where one worker alone has rows, its own count is right;
   * where several have, the node is looked into.
   */
  async #distinctBefore(places: readonly NodePlace[], search: DistinctSearch): Promise<number> {
    let found = 0;
    let open: readonly NodePlace[] = places;
    while (open.length > 0) {
      const shared: { readonly place: Place; readonly atLeast: number }[] = [];
      for (const place of open) {
        const tally = this.#distinctIn(place);
        found += tally.found;
        shared.push(...tally.shared);
      }
      const unread = shared.filter(({ place }) => !this.#held.has(nameOf(place)));
      if (unread.length > search.nodesLeft) {
        search.exact = false;
        return shared.reduce((sum, { atLeast }) => sum + atLeast, found);
      }
      search.nodesLeft -= unread.length;
      await this.#load(shared.map(({ place }) => place));
      open = shared.map(({ place }) => ({ ...place, child: rankFanOut }));
    }
    return found;
  }

  #distinctIn(place: NodePlace) {
    const children = new Map<number, number[]>();
    for (const node of this.#nodesAt(place)) {
      for (const [child, , distinct] of node.entries()) {
        if (child >= place.child) break;
        const held = children.get(child);
        if (held) held.push(distinct);
        else children.set(child, [distinct]);
      }
    }
    let found = 0;
    const shared: { readonly place: Place; readonly atLeast: number }[] = [];
    for (const [child, distinct] of children) {
      const atLeast = Math.max(...distinct);
      if (distinct.length === 1 || place.level === 1) found += atLeast;
      else {
        const node = childNode({ ...place, child });
        shared.push({ place: { level: place.level - 1, node }, atLeast });
      }
    }
    return { found, shared };
  }

  #before(place: NodePlace): number {
    return this.#nodesAt(place).reduce((sum, node) => sum + node.before(place.child).count, 0);
  }

  #at(place: NodePlace): number {
    return this.#nodesAt(place).reduce((sum, node) => sum + node.at(place.child).count, 0);
  }

  #nodesAt(place: Place): readonly RankNode[] {
    return this.#held.get(nameOf(place)) ?? [];
  }

  async #load(places: readonly Place[]): Promise<void> {
    const missing = new Map<string, Place>();
    for (const place of places) {
      const name = nameOf(place);
      if (!this.#held.has(name)) missing.set(name, place);
    }
    if (missing.size === 0) return;
    const workers = Array.from({ length: this.#workers }, (_, worker) => worker);
    const keysOf = (place: Place) => workers.map((worker) => nodeKey(this.#group, place, worker));
    const loaded = await this.#nodes.load([...missing.values()].flatMap(keysOf));
    for (const [name, place] of missing) {
      const nodes = keysOf(place).map((key) =>
        nodeOf(loaded.get(keyBytes(key).toString('latin1'))?.row, place.level),
      );
      this.#held.set(
        name,
        nodes.filter((node) => node !== undefined),
      );
    }
  }
}

interface DistinctSearch {
  nodesLeft: number;
  exact: boolean;
}

/** From the root to the score. */
function pathOf(score: number): NodePlace[] {
  const levels = Array.from({ length: rankLevels }, (_, n) => rankLevels - n);
  return levels.map((level) => placeOfScore(score, level));
}

function nameOf({ level, node }: Place): string {
  return `${level} ${node}`;
}
