import type { Clock } from '@annals/core';
import type { Cell } from '@annals/projection';
import { betweenCommits } from './between-commits.ts';
import { type Borders, rangeOf } from './borders.ts';
import { bucketsOf, type FoundBucket, keysOf } from './finish-building.ts';
import { limits } from './limits.ts';
import type { ShardNames } from './names.ts';
import { placesPageScript } from './range-scripts.ts';
import { settle } from './rank-by-score.ts';
import { listOf, someText, textOf } from './replies.ts';
import type { Shards } from './shards.ts';
import type { SetPlace, TableLayout } from './table-layout.ts';

const lookMs = 50;

/** A row, or a place, that did not fit as it was looked at: commits may have come in between. */
type Suspect =
  | { readonly kind: 'row'; readonly key: readonly Cell[] }
  | {
      readonly kind: 'place';
      readonly names: ShardNames;
      readonly set: string;
      readonly order: number;
      readonly member: Buffer;
    };

/**
 * Compares rows with their places where these are dealt by score: a row and its place lie in two shards, which
 * are not seen at one moment. What does not fit is looked at again while commits wait.
 */
export async function rangeProblems(
  shards: Shards,
  layout: TableLayout,
  clock: Clock,
): Promise<string[]> {
  const comparison = new Comparison(shards, layout);
  const suspects: Suspect[] = [];
  for await (const one of comparison.rows()) if (suspects.push(one) >= suspectsMax) break;
  for await (const one of comparison.places()) if (suspects.push(one) >= 2 * suspectsMax) break;
  if (suspects.length === 0) return [];
  for (let waitedMs = 0; waitedMs < limits.borderWaitMsMax; waitedMs += lookMs) {
    const problems = await betweenCommits(shards, clock, async () => {
      // A change that was cut off is gone on with, as a commit would, once its time is over.
      return (await settle(shards, 'built')) ? comparison.confirm(suspects) : undefined;
    });
    if (problems) return problems.slice(0, limits.problemsMax);
    await clock.sleep(lookMs);
  }
  return [`${layout.table.name}: the borders of its orders are being changed`];
}

/** Some hundred wrong ones say enough, and are looked at again in a moment. */
const suspectsMax = 200;

class Comparison {
  readonly #shards: Shards;
  readonly #layout: TableLayout;

  constructor(shards: Shards, layout: TableLayout) {
    this.#shards = shards;
    this.#layout = layout;
  }

  /** Rows that are not in their place. */
  async *rows(): AsyncIterable<Suspect> {
    const { orders, hasRanges } = this.#layout;
    if (!hasRanges) return;
    for await (const { names, bucket } of bucketsOf(this.#shards, this.#layout)) {
      let cursor = '0';
      do {
        const args = [cursor, limits.rankPageRows, orders.length];
        const reply = await this.#shards.run(names, placesPageScript, [names.tag + bucket], args);
        cursor = textOf(reply[1] ?? null);
        const pairs = listOf(reply[2] ?? null) as readonly Buffer[];
        for (let n = 0; n + 1 < pairs.length; n += 2) {
          const key = this.#layout.keyOf(bucket, String(pairs[n]));
          const places = this.#layout.readPlaces(pairs[n + 1] as Buffer);
          if (!(await this.#isPlaced(bucket, places))) yield { kind: 'row', key };
        }
      } while (cursor !== '0');
    }
  }

  /** Places that no row has. */
  async *places(): AsyncIterable<Suspect> {
    for (const [order, { prefix }] of this.#layout.orders.entries()) {
      if (!this.#layout.ranged[order]) continue;
      for await (const { names, bucket: set } of keysOf(this.#shards, prefix)) {
        for await (const member of this.#members({ names, bucket: set })) {
          const suspect = { kind: 'place', names, set, order, member } as const;
          if (!(await this.#isOwned(suspect))) yield suspect;
        }
      }
    }
  }

  /** What is wrong still. */
  async confirm(suspects: readonly Suspect[]): Promise<string[]> {
    const problems = new Set<string>();
    const { table, orders } = this.#layout;
    for (const suspect of suspects) {
      if (suspect.kind === 'row') {
        const value = await this.#valueOf(suspect.key);
        const { bucket } = this.#layout.place(suspect.key);
        if (!value || (await this.#isPlaced(bucket, this.#layout.readPlaces(value)))) continue;
        problems.add(
          `${table.name} ${JSON.stringify(suspect.key)} is not in its place in an order`,
        );
      } else if (!(await this.#isOwned(suspect))) {
        const { names, set, member, order } = suspect;
        if ((await this.#shards.connection.call('ZSCORE', names.tag + set, member)) === null)
          continue;
        const { field } = this.#layout.place(this.#keyOf(suspect));
        problems.add(`${table.name}: ${orders[order]?.name} has a place for no row (${field})`);
      }
    }
    return [...problems];
  }

  async #isPlaced(bucket: string, places: readonly (SetPlace | undefined)[]): Promise<boolean> {
    const keys = this.#layout.orderKeys(bucket);
    for (const [n, place] of places.entries()) {
      if (!place || !this.#layout.ranged[n]) continue;
      const names = await this.#shardOf(keys[n] as string, place.score);
      const held = await this.#shards.connection.call('ZSCORE', names.tag + keys[n], place.member);
      if (held === null || Number(textOf(held)) !== place.score) return false;
    }
    return true;
  }

  /** Whether a row stands behind a place, and the place in the shard of its score. */
  async #isOwned(suspect: Suspect & { kind: 'place' }): Promise<boolean> {
    const { names, set, order, member } = suspect;
    const value = await this.#valueOf(this.#keyOf(suspect));
    const place = value && this.#layout.readPlaces(value)[order];
    if (!place?.member.equals(member)) return false;
    return (await this.#shardOf(set, place.score)) === names;
  }

  async #shardOf(set: string, score: number): Promise<ShardNames> {
    const { borders: kept, names } = this.#shards;
    const borders: Borders = kept.get(set) ?? (await this.#shards.askBorders(set)).borders;
    return names[rangeOf(borders, score)] as ShardNames;
  }

  async #valueOf(key: readonly Cell[]): Promise<Buffer | undefined> {
    const { shard, bucket, field } = this.#shards.place({ table: this.#layout.table.name, key });
    const names = this.#shards.names[shard] as ShardNames;
    const value = await this.#shards.connection.call('HGET', names.tag + bucket, field);
    return value instanceof Buffer ? value : undefined;
  }

  #keyOf({ set, order, member }: Suspect & { kind: 'place' }): Cell[] {
    const cells: { [column: string]: Cell } = {};
    const { orders, table } = this.#layout;
    const group = orders[order]?.groupOf(set) ?? [];
    orders[order]?.read(0, member, cells);
    for (const [n, column] of (orders[order]?.group ?? []).entries()) {
      cells[column] = group[n] as Cell;
    }
    return table.key.map((column) => cells[column] as Cell);
  }

  async *#members({ names, bucket }: FoundBucket): AsyncIterable<Buffer> {
    let cursor = '0';
    do {
      const { connection } = this.#shards;
      const key = names.tag + bucket;
      const reply = listOf(await connection.call('ZSCAN', key, cursor, 'COUNT', limits.scanCount));
      cursor = someText(reply[0]) ?? '0';
      const pairs = listOf(reply[1] ?? null) as readonly Buffer[];
      for (let n = 0; n < pairs.length; n += 2) yield pairs[n] as Buffer;
    } while (cursor !== '0');
  }
}
