import type { Clock } from '@annals/core';
import type { Checkpoint } from '@annals/event-log';
import type { GenerationSnapshot, Row } from '@annals/projection';
import { batchOf } from './batch-writer.ts';
import type { BeforeImages } from './before-images.ts';
import { BucketCursor, mergedRows } from './bucket-cursor.ts';
import type { CassandraConnection } from './connection.ts';
import { storeError } from './errors.ts';
import { mapBounded } from './in-flight.ts';
import { limits } from './limits.ts';
import { orderProblems } from './order-check.ts';
import { rankProblems } from './rank-check.ts';
import type { TableRows } from './table-rows.ts';

export interface SnapshotOptions {
  readonly id: string;
  readonly until: number;
  readonly clock: Clock;
  readonly connection: CassandraConnection;
  readonly tables: ReadonlyMap<string, TableRows>;
  readonly before: BeforeImages;
  readonly checkpoint: Checkpoint;
  /** The last batch of each worker that it shows. */
  readonly seqs: readonly number[];
  /** Whether the orders are whole. */
  readonly derived: boolean;
  readonly guarded: <T>(work: () => Promise<T>) => Promise<T>;
  readonly onClose: () => Promise<void>;
}

/**
 * Rows as they are now, but for those that were changed since: of these, what they were. Nothing is read
 * before it is asked for, and no commit waits.
 */
export class CassandraSnapshot implements GenerationSnapshot {
  readonly checkpoint: Checkpoint;
  readonly #options: SnapshotOptions;
  #closed = false;

  constructor(options: SnapshotOptions) {
    this.#options = options;
    this.checkpoint = options.checkpoint;
  }

  async count(table: string): Promise<number> {
    const cursors = this.#cursors(this.#table(table));
    const counts = await mapBounded(cursors, limits.bucketsReadMax, async (cursor) => {
      let count = 0;
      for (await cursor.fill(); cursor.head; await cursor.fill()) {
        count += 1;
        cursor.step();
      }
      return count;
    });
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async *rows(table: string): AsyncIterable<readonly Row[]> {
    const cursors = this.#cursors(this.#table(table));
    const fillAll = async (all: readonly BucketCursor[]) => {
      await mapBounded(all, limits.bucketsReadMax, (cursor) => cursor.fill());
    };
    let page: Row[] = [];
    for await (const { row } of mergedRows(cursors, fillAll)) {
      page.push(row);
      if (page.length < limits.snapshotPageRows) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }

  async problems(): Promise<readonly string[]> {
    const { connection, tables, derived } = this.#options;
    const found: string[] = [];
    for (const table of tables.values()) {
      found.push(...(await this.#readable(() => rankProblems(table, tables))));
      if (!derived) continue;
      found.push(...(await this.#readable(() => orderProblems(connection, table))));
    }
    return found;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Its place is free again; what was kept for it runs out by itself.
    await this.#options.onClose().catch(() => undefined);
  }

  #cursors(table: TableRows): BucketCursor[] {
    const { before, id, seqs } = this.#options;
    const read = <T>(work: () => Promise<T>) => this.#readable(work);
    return Array.from(
      { length: table.buckets },
      (_, bucket) =>
        new BucketCursor({
          page: (from) => read(() => table.page(bucket, limits.bucketPageRows, from)),
          images: (after, upTo) => read(() => before.read(id, table, bucket, after, upTo)),
          isLater: ({ stamp }) => {
            const { worker, seq } = batchOf(stamp, seqs.length);
            return seq > (seqs[worker] ?? -1);
          },
        }),
    );
  }

  /** What was read after its time was over may be missing images, so it is not given out. */
  async #readable<T>(work: () => Promise<T>): Promise<T> {
    const { guarded, clock, until, id } = this.#options;
    if (this.#closed) throw storeError('closed', `snapshot ${id}`);
    const result = await guarded(work);
    if (clock.now() < until) return result;
    throw storeError('snapshot-ended', `${limits.snapshotMsMax / 1_000} s`);
  }

  #table(name: string): TableRows {
    const table = this.#options.tables.get(name);
    if (!table) throw new TypeError(`there is no table ${name}`);
    return table;
  }
}
