import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from '@annals/event-log';
import {
  type GenerationSpec,
  lowestCheckpoint,
  type RowKey,
  type ShareProgress,
} from '@annals/projection';
import { type Borders, homeBorders, KeptBorders, readBorders } from './borders.ts';
import type { Argument, RedisConnection, Reply, Script } from './connection.ts';
import { limits } from './limits.ts';
import type { Marker } from './marker.ts';
import { type ShardNames, shardNames } from './names.ts';
import { bordersScript } from './range-scripts.ts';
import { lostError, someText, textOf, wordOf } from './replies.ts';
import { type RowPlace, TableLayout } from './table-layout.ts';
import { TouchedGroups } from './touched-groups.ts';

/** How far one worker has come in one shard. */
export interface WorkerStamp {
  /** As `encodeCheckpoint` wrote it. */
  readonly at: string;
  /** Pieces of a batch that is not whole there; undefined when there is none. */
  readonly open: string | undefined;
  /**
   * How many batches brought it there, and the hash of the last one: a batch may leave the checkpoint where
   * it is, and its rows must not be taken for those of before. Empty at the beginning.
   */
  readonly batch: string;
}

/** The same with what came with the batch that ended there. */
export interface ProgressStamp extends WorkerStamp {
  readonly tail: string;
}

/** The shards of a generation: where rows lie, and scripts that find out whether it is still there. */
export class Shards {
  readonly spec: GenerationSpec;
  readonly instance: string;
  readonly names: readonly ShardNames[];
  readonly connection: RedisConnection;
  /** Whether orders with a score are dealt by it. */
  readonly hasRanges: boolean;
  readonly borders = new KeptBorders();
  /** How many places of a group were last seen in each shard. */
  readonly sizes = new Map<string, readonly number[]>();
  readonly touched = new TouchedGroups();
  /** From how many rows on a group is cut into ranges, and how many may change before its borders are looked at. */
  readonly rangeRowsMin: number;
  readonly borderLookRows: number;
  /** Whether the generation was seen to have no orders yet. */
  isBuilding = false;
  readonly #layouts = new Map<string, TableLayout>();

  constructor(
    connection: RedisConnection,
    { spec, instance, tags, scheme }: Marker,
    rangeRowsMin: number = limits.rangeRowsMin,
  ) {
    this.rangeRowsMin = rangeRowsMin;
    this.borderLookRows = Math.min(rangeRowsMin, limits.borderLookRows);
    this.connection = connection;
    this.spec = spec;
    this.instance = instance;
    this.names = tags.map((tag) => shardNames(tag, limits.snapshotsMax));
    this.hasRanges = scheme === 'range' && tags.length > 1;
    for (const [number, table] of spec.tables.entries()) {
      this.#layouts.set(table.name, new TableLayout(table, number, this.hasRanges));
    }
  }

  get layouts(): readonly TableLayout[] {
    return [...this.#layouts.values()];
  }

  get first(): ShardNames {
    return this.names[0] as ShardNames;
  }

  layout(table: string): TableLayout {
    const layout = this.#layouts.get(table);
    if (!layout) throw new TypeError(`${this.spec.projection} has no table ${table}`);
    return layout;
  }

  place({ table, key }: RowKey): RowPlace {
    return this.layout(table).place(key, this.names.length);
  }

  checkWorker(worker: number): void {
    if (Number.isInteger(worker) && worker >= 0 && worker < this.spec.workers) return;
    throw new RangeError(`worker ${worker} of ${this.spec.workers}`);
  }

  /** Runs a script in one shard, for this instance. Throws StoreLostError when the generation is gone. */
  run(
    shard: ShardNames,
    script: Script,
    keys: readonly (string | Buffer)[],
    args: readonly Argument[] = [],
  ): Promise<readonly Reply[]> {
    return this.runOver(script, [shard.state, ...keys], args);
  }

  /** The same with other keys than the state in the first place. */
  async runOver(
    script: Script,
    keys: readonly (string | Buffer)[],
    args: readonly Argument[],
  ): Promise<readonly Reply[]> {
    const reply = await this.connection.run(script, keys, [this.instance, ...args]);
    if (wordOf(reply) === 'lost') throw lostError(this.spec, this.connection.place);
    return reply as readonly Reply[];
  }

  /** Where the places of a group are cut, as the first shard has it now. */
  async askBorders(key: string): Promise<{ readonly version: string; readonly borders: Borders }> {
    const { first } = this;
    const reply = await this.run(first, bordersScript, [first.borders], [key]);
    const [, version = null, text] = reply;
    const said = someText(text);
    const { length } = this.names;
    const borders = said === undefined ? homeBorders(key, length) : readBorders(said, length);
    this.borders.put(textOf(version), key, borders);
    return { version: textOf(version), borders };
  }

  /** Fields of the state of every shard. Throws StoreLostError when one is gone. */
  async states(fields: readonly string[]): Promise<readonly (string | undefined)[][]> {
    return Promise.all(
      this.names.map(async ({ state }) => {
        const found = await this.connection.call('HMGET', state, 'instance', ...fields);
        const [instance, ...values] = (found as readonly Reply[]).map(someText);
        if (instance !== this.instance) throw lostError(this.spec, this.connection.place);
        return values;
      }),
    );
  }

  /** For each shard what each worker has reached there. */
  async stamps(): Promise<readonly (readonly ProgressStamp[])[]> {
    const workers = Array.from({ length: this.spec.workers }, (_, worker) => worker);
    const fields = workers.flatMap((worker) =>
      ['at', 'open', 'batch', 'tail'].map((field) => `${field}:${worker}`),
    );
    const states = await this.states(fields);
    return states.map((values) =>
      workers.map((worker) => {
        const [at = '', open, batch = '', tail = ''] = values.slice(4 * worker, 4 * worker + 4);
        return { at, open, batch, tail };
      }),
    );
  }

  /** Whether the marker and every shard are there, and still these. */
  async present(marker: string): Promise<boolean> {
    const found = await Promise.all([
      this.connection.call('HGET', marker, 'instance'),
      ...this.names.map(({ state }) => this.connection.call('HGET', state, 'instance')),
    ]);
    return found.every((instance) => textOf(instance) === this.instance);
  }
}

/** What a worker has reached in all shards. */
export function reachedEverywhere(
  stamps: readonly (readonly WorkerStamp[])[],
  worker: number,
): Checkpoint {
  const [first, ...others] = stamps.map((shard) => (shard[worker] as WorkerStamp).at);
  if (others.every((at) => at === first)) return storedCheckpoint(first as string);
  return lowestCheckpoint([first as string, ...others].map(storedCheckpoint), 'stream');
}

/** How far a worker has come in all shards: where its last batch that all have ended. */
export function progressOf(
  stamps: readonly (readonly ProgressStamp[])[],
  worker: number,
): ShareProgress {
  const checkpoint = reachedEverywhere(stamps, worker);
  const at = encodeCheckpoint(checkpoint);
  const tail = stamps.map((shard) => shard[worker]).find((stamp) => stamp?.at === at)?.tail;
  return { checkpoint, tail: tail ?? '' };
}

/** What all workers of a generation have reached in all shards, as the port defines it. */
export function lowestOf(
  spec: Pick<GenerationSpec, 'workers' | 'split'>,
  stamps: readonly (readonly WorkerStamp[])[],
): Checkpoint {
  const workers = Array.from({ length: spec.workers }, (_, n) => reachedEverywhere(stamps, n));
  return lowestCheckpoint(workers, spec.split);
}

/** Whether all shards stand at one checkpoint, and no batch is half there. */
export function areEqual(stamps: readonly (readonly WorkerStamp[])[]): boolean {
  const first = stamps[0] as readonly WorkerStamp[];
  return stamps.every((shard) =>
    shard.every(({ at, open, batch }, worker) => {
      const other = first[worker];
      return open === undefined && at === other?.at && batch === other.batch;
    }),
  );
}

/** How many batches a worker's rows in a shard are made of. */
export function batchesOf({ batch }: WorkerStamp): number {
  return Number(batch.slice(0, batch.indexOf(' ') + 1));
}

/** A checkpoint as `encodeCheckpoint` wrote it; anything else means that the keys are damaged. */
export function storedCheckpoint(text: string): Checkpoint {
  const checkpoint = decodeCheckpoint(text);
  if (!checkpoint) throw new Error(`the store holds no checkpoint: ${text}`);
  return checkpoint;
}
