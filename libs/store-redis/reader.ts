import type { Checkpoint } from '@annals/event-log';
import type { Cell, GenerationSpec, Row, RowKey } from '@annals/projection';
import type { Argument, Reply, Script } from './connection.ts';
import { limits } from './limits.ts';
import { rowsBy } from './load.ts';
import type { ShardNames } from './names.ts';
import { OrderReads } from './order-reads.ts';
import { readRowsScript } from './read-scripts.ts';
import { listOf, someText } from './replies.ts';
import { areEqual, lowestOf, type Shards, type WorkerStamp } from './shards.ts';

/** What was read, and what it is good for. */
export interface Read<T> {
  readonly value: T;
  /** What every part of it covers. */
  readonly checkpoint: Checkpoint;
  /** Whether all parts are of this one checkpoint; else some are of a later one. */
  readonly exact: boolean;
}

/** A generation, for reading. */
export interface RedisReader {
  readonly spec: GenerationSpec;
  /**
   * Runs `run`, and runs it again (three times at most) where commits came between its parts. Throws
   * StoreLostError when the generation is gone, RedisStoreError on broken I/O.
   */
  read<T>(run: (reads: RedisReads) => Promise<T>): Promise<Read<T>>;
  /** What all shards cover. */
  checkpoint(): Promise<Checkpoint>;
}

/** What one read asks for: each call is one round trip, to all shards it concerns at once. */
export interface RedisReads {
  /** Rows by key, in their order. */
  load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>;
  /** The rows of one group in an order of a table, by the names of its indexes. */
  order(table: string, name: string, group: readonly Cell[]): OrderReads;
}

export function redisReader(shards: Shards): RedisReader {
  return {
    spec: shards.spec,
    read: (run) => readTogether(shards, run),
    checkpoint: async () => lowestOf(shards.spec, await shards.stamps()),
  };
}

async function readTogether<T>(
  shards: Shards,
  run: (reads: RedisReads) => Promise<T>,
): Promise<Read<T>> {
  for (let attempt = 0; ; attempt += 1) {
    const reads = new StampedReads(shards);
    const value = await run(reads);
    const stamps = reads.stamps.length > 0 ? reads.stamps : await shards.stamps();
    const exact = areEqual(stamps);
    if (exact || attempt === limits.readRetriesMax) {
      return { value, checkpoint: lowestOf(shards.spec, stamps), exact };
    }
  }
}

/** The reads of one attempt, with the stamps of all their answers. */
export class StampedReads implements RedisReads {
  readonly shards: Shards;
  readonly stamps: (readonly WorkerStamp[])[] = [];

  constructor(shards: Shards) {
    this.shards = shards;
  }

  load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]> {
    return rowsBy(this.shards, keys, (names, buckets, wanted) =>
      this.ask(names, readRowsScript, buckets, wanted),
    );
  }

  order(table: string, name: string, group: readonly Cell[]): OrderReads {
    const layout = this.shards.layout(table);
    const order = layout.orders.find((one) => one.name === name);
    if (!order) throw new TypeError(`the table ${table} has no order ${name} in Redis`);
    return new OrderReads(this, order, order.keyOfGroup(group));
  }

  /** Runs a reading script in one shard; gives its answer without the stamp. */
  async ask(
    names: ShardNames,
    script: Script,
    keys: readonly string[],
    asked: Argument,
  ): Promise<readonly Reply[]> {
    const args = [this.shards.spec.workers, asked];
    const [, stamp = null, ...answer] = await this.shards.run(names, script, keys, args);
    const [, ...said] = listOf(stamp).map(someText);
    const workers: WorkerStamp[] = [];
    for (let n = 0; n < said.length; n += 2) workers.push({ at: said[n] ?? '', open: said[n + 1] });
    this.stamps.push(workers);
    return answer;
  }
}
