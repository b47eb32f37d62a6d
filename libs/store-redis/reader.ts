import type { Checkpoint } from '@annals/event-log';
import type { Cell, GenerationSpec, Row, RowKey } from '@annals/projection';
import { GatheredReads } from './gathered-reads.ts';
import { KeptTables } from './kept-tables.ts';
import { limits } from './limits.ts';
import type { OrderReads } from './order-reads.ts';
import { areEqual, lowestOf, type Shards, type WorkerStamp } from './shards.ts';
import { StampedReads } from './stamped-reads.ts';

/** For each shard what each worker has reached there. */
type Stamps = readonly (readonly WorkerStamp[])[];

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

/** What one read asks for. Calls that do not wait for each other share a round trip, also with those of other reads. */
export interface RedisReads {
  /** Rows by key, in their order. */
  load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>;
  /**
   * The same for rows of a table that changes seldom: those that this reader has in memory, and that did not
   * change by what the other parts of this read were told, are not asked for.
   */
  loadKept(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>;
  /** The rows of one group in an order of a table, by the names of its indexes. */
  order(table: string, name: string, group: readonly Cell[]): OrderReads;
}

export function redisReader(shards: Shards): RedisReader {
  const kept = new KeptTables(shards.names.length);
  const gathered = new GatheredReads(shards, kept);
  const checkpointOf = rememberedCheckpoint(shards.spec);
  return {
    spec: shards.spec,
    read: (run) =>
      readTogether(
        shards,
        (attempt) => new StampedReads(shards, gathered, kept, { assumesMarks: attempt === 0 }),
        checkpointOf,
        run,
      ),
    checkpoint: async () => lowestOf(shards.spec, await shards.stamps()),
  };
}

async function readTogether<T>(
  shards: Shards,
  begin: (attempt: number) => StampedReads,
  checkpointOf: (stamps: Stamps) => Checkpoint,
  run: (reads: RedisReads) => Promise<T>,
): Promise<Read<T>> {
  for (let attempt = 0; ; attempt += 1) {
    const reads = begin(attempt);
    const value = await run(reads);
    const stamps = reads.stamps.length > 0 ? reads.stamps : await shards.stamps();
    const exact = areEqual(stamps) && reads.haveBordersHeld() && reads.hasAssumedRight();
    if (exact || attempt === limits.readRetriesMax) {
      return { value, checkpoint: checkpointOf(stamps), exact };
    }
  }
}

/** Many reads in a row find the same stamps: what they say is read once. */
function rememberedCheckpoint(spec: GenerationSpec) {
  let last: { readonly said: string; readonly checkpoint: Checkpoint } | undefined;
  return (stamps: Stamps): Checkpoint => {
    const said = stamps.map((workers) => workers.map(({ at }) => at).join(' ')).join('\n');
    if (last?.said !== said) last = { said, checkpoint: lowestOf(spec, stamps) };
    return last.checkpoint;
  };
}
