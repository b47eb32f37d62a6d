import { beginChange, keepChange, type Move, numberOf, withBorder } from './border-changes.ts';
import { type BorderShift, type Borders, furthestBorder, scoreText } from './borders.ts';
import { limits } from './limits.ts';
import type { ShardNames } from './names.ts';
import { carryOut } from './rank-by-score.ts';
import { listOf, textOf } from './replies.ts';
import type { Shards } from './shards.ts';

/**
 * Keeps the borders of a generation where the scores are: after some thousand rows it looks at the groups that
 * they belong to, and moves borders that lie too far off, a few thousand places at a time.
 */
export class BorderKeeper {
  readonly #shards: Shards;

  constructor(shards: Shards) {
    this.#shards = shards;
  }

  async lookIfDue(): Promise<void> {
    const { touched, borderLookRows } = this.#shards;
    if (touched.places < borderLookRows) return;
    const keys = touched.take();
    for (const key of keys) {
      for (let step = 0; step < limits.borderStepsMax; step += 1) {
        if (!(await this.#step(key))) break;
      }
    }
  }

  /** Whether a border of this group was moved. */
  async #step(key: string): Promise<boolean> {
    if (!(await this.#choose(key))) return false;
    const begun = await beginChange(this.#shards);
    if (!begun) return false;
    const { id, change } = begun;
    if (begun.isTaken || change.kind !== 'none') {
      await carryOut(this.#shards, begun);
      return true;
    }
    // Nothing moves any more: what was seen before may not hold now.
    const move = await this.#choose(key);
    if (move) await keepChange(this.#shards, id, move);
    await carryOut(this.#shards, { id, change: move ?? change, isTaken: false });
    return move !== undefined;
  }

  async #choose(key: string): Promise<Move | undefined> {
    const { names, connection, rangeRowsMin } = this.#shards;
    const sizes = await Promise.all(
      names.map(async ({ tag }) => numberOf(await connection.call('ZCARD', tag + key))),
    );
    if (sizes.reduce((sum, size) => sum + size, 0) < rangeRowsMin) return undefined;
    const shift = furthestBorder(sizes, limits.borderSlack);
    if (!shift) return undefined;
    const { borders } = await this.#shards.askBorders(key);
    const cut = await this.#cut(key, shift, sizes[shift.from] as number, borders);
    if (!cut) return undefined;
    const { from, to, border } = shift;
    const { score, ...bounds } = cut;
    return { kind: 'move', key, from, to, borders: withBorder(borders, border, score), ...bounds };
  }

  /** Where to cut so that about as many places go as should. Those with one score go together, or stay. */
  async #cut(key: string, shift: BorderShift, size: number, borders: Borders) {
    const { from, to, count } = shift;
    const now = scoreText(borders[shift.border] as number);
    const set = `${(this.#shards.names[from] as ShardNames).tag}${key}`;
    const { connection } = this.#shards;
    const some = Math.min(count, limits.borderStepPlaces);
    const isUp = to > from;
    const at = isUp ? size - some : some - 1;
    const edge = listOf(await connection.call('ZRANGE', set, at, at, 'WITHSCORES'));
    if (edge.length === 0) return undefined;
    const last = Number(textOf(edge[1] ?? null));
    // The border is the last score of the better shard.
    const [withTies, without] = isUp ? [last - 1, last] : [last, last - 1];
    for (const score of [withTies, without]) {
      const [least, most] = isUp ? [`(${score}`, now] : [`(${now}`, String(score)];
      const places = numberOf(await connection.call('ZCOUNT', set, least, most));
      // More than twice too many would only move what is wrong to the other side.
      const isBetter = places > 0 && places < 2 * count && places <= limits.borderTiesMax;
      if (isBetter) return { score, least, most, count: places };
    }
    return undefined;
  }
}
