import type { Clock } from '@annals/core';
import { type Checkpoint, encodeCheckpoint } from '@annals/event-log';
import {
  type Acquired,
  type Batch,
  type CommitResult,
  type GenerationSnapshot,
  type GenerationSpec,
  type GenerationStore,
  type HeldLease,
  type Lease,
  type Row,
  type RowKey,
  type ShareProgress,
  StoreLostError,
} from '@annals/projection';
import { betweenCommits } from './between-commits.ts';
import { BorderKeeper } from './border-keeper.ts';
import { commitBatch } from './commit.ts';
import type { RedisConnection } from './connection.ts';
import { storeError } from './errors.ts';
import { finishBuilding } from './finish-building.ts';
import { releaseScript } from './lease-scripts.ts';
import { takeLease } from './leases.ts';
import { limits } from './limits.ts';
import { loadRows } from './load.ts';
import { type Marker, removeMarker } from './marker.ts';
import { markerKey, type ShardNames } from './names.ts';
import { isUnplanned } from './plan-moves.ts';
import { finishByScore, settle } from './rank-by-score.ts';
import { bringTogether } from './recovery.ts';
import { openSnapshot } from './redis-snapshot.ts';
import { wordOf } from './replies.ts';
import { setScript } from './scripts.ts';
import {
  batchesOf,
  lowestOf,
  progressOf,
  Shards,
  storedCheckpoint,
  type WorkerStamp,
} from './shards.ts';
import { forgetScript } from './snapshot-scripts.ts';

/** Times a batch is begun again as what stood in its way was mended. */
const attemptsMax = 5;

/** An open generation. Its first shard decides; the others follow it, and are brought back to it. */
export class RedisGeneration implements GenerationStore {
  readonly spec: GenerationSpec;
  /** What is one script in each shard: nothing need be kept to take back the pieces of a batch that was cut off. */
  readonly batchRowsMax: number;
  readonly keptRowsMax = limits.foldedRowsMax;
  readonly #shards: Shards;
  readonly #prefix: string;
  readonly #marker: string;
  readonly #clock: Clock;
  readonly #borders: BorderKeeper;
  /** What runs for each worker: commits, and what brings its shards together, come one after another. */
  readonly #busy = new Map<number, Promise<unknown>>();
  #closed = false;

  constructor(options: {
    readonly connection: RedisConnection;
    readonly prefix: string;
    readonly marker: Marker;
    readonly clock: Clock;
    readonly rangeRowsMin?: number;
  }) {
    const { connection, prefix, marker, clock } = options;
    this.spec = marker.spec;
    this.batchRowsMax = limits.pieceRowsMax * marker.tags.length;
    this.#shards = new Shards(connection, marker, options.rangeRowsMin);
    this.#borders = new BorderKeeper(this.#shards);
    this.#prefix = prefix;
    this.#marker = markerKey(prefix, marker.spec.projection, marker.spec.generation);
    this.#clock = clock;
  }

  async acquire(worker: number, holder: string, now: number, ttlMs: number): Promise<Lease> {
    this.#check(worker);
    const lease = await takeLease(this.#shards, worker, holder, now, ttlMs);
    // A lease that is renewed beside a commit is all there is to do: the commit moves the shards now.
    if ('kind' in lease) return lease;
    const { epoch } = lease;
    if (this.#busy.has(worker)) {
      return { kind: 'acquired', epoch, ...(await this.#reached(worker)) };
    }
    return this.#alone(worker, async () => {
      const came = await bringTogether(this.#shards, worker, epoch);
      if (came === 'apart') await this.#giveUp(worker, epoch);
      await this.#finishAgain();
      return { kind: 'acquired', epoch, ...(await this.#reached(worker)) };
    });
  }

  /** A shard that lost its last writes may have lost that it was built: then some say so and others do not. */
  async #finishAgain(): Promise<void> {
    if (this.#shards.names.length === 1) return;
    if (this.#shards.hasRanges) {
      await settle(this.#shards, 'any');
      return;
    }
    const built = (await this.#shards.states(['building'])).map(([building]) => building === '0');
    if (built.includes(true) && built.includes(false)) await finishBuilding(this.#shards);
  }

  /** Shards that cannot be brought to one checkpoint are no read model any more. */
  async #giveUp(worker: number, epoch: number): Promise<never> {
    const { connection, spec } = this.#shards;
    const [stored] = await this.#shards.states([`epoch:${worker}`]);
    if (stored?.[0] !== String(epoch)) {
      throw storeError('busy', `${connection.place}: somebody else took the lease`);
    }
    await removeMarker(connection, this.#prefix, spec);
    throw new StoreLostError(
      `the shards of ${spec.projection} g${spec.generation} lost more than they can take back: ` +
        `${connection.place}`,
    );
  }

  async release(worker: number, epoch: number): Promise<void> {
    this.#check(worker);
    await this.#shards.run(this.#shards.first, releaseScript, [], [worker, epoch]);
  }

  async leases(): Promise<readonly (HeldLease | undefined)[]> {
    this.#checkOpen();
    const workers = Array.from({ length: this.spec.workers }, (_, worker) => worker);
    const fields = workers.flatMap((worker) => [`holder:${worker}`, `until:${worker}`]);
    const [said = []] = await this.#shards.states(fields);
    return workers.map((worker) => {
      const holder = said[2 * worker];
      return holder === undefined ? undefined : { holder, until: Number(said[2 * worker + 1]) };
    });
  }

  async load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]> {
    this.#checkOpen();
    return loadRows(this.#shards, keys);
  }

  async commit(batch: Batch): Promise<CommitResult> {
    this.#check(batch.worker);
    return this.#alone(batch.worker, async () => {
      const result = await this.#commit(batch);
      if (this.#shards.hasRanges && result.kind === 'applied') await this.#borders.lookIfDue();
      return result;
    });
  }

  /** A batch that finds the shards apart, or their borders on the way, waits until that is mended. */
  async #commit(batch: Batch): Promise<CommitResult> {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const result = await commitBatch(this.#shards, batch, this.#clock.now());
      if (!isUnplanned(result)) return result;
      if (result.kind === 'apart') {
        const came = await bringTogether(this.#shards, batch.worker, batch.epoch);
        // Acquiring the lease again says what is to be done about it.
        if (came === 'apart') break;
      } else {
        this.#shards.isBuilding = false;
        if (!(await settle(this.#shards, 'any'))) return { kind: 'held', at: batch.from };
      }
    }
    const [stamp] = (await this.#shards.stamps())[0]?.slice(batch.worker) ?? [];
    const checkpoint = storedCheckpoint(stamp?.at ?? '');
    return { kind: 'stale', epoch: batch.epoch, checkpoint };
  }

  async finishBuilding(): Promise<void> {
    this.#checkOpen();
    if (this.#shards.hasRanges) {
      await finishByScore(this.#shards, this.#clock);
      this.#shards.isBuilding = false;
      return;
    }
    await finishBuilding(this.#shards);
  }

  async checkpoint(): Promise<Checkpoint> {
    this.#checkOpen();
    return lowestOf(this.spec, await this.#shards.stamps());
  }

  async shares(): Promise<readonly ShareProgress[]> {
    this.#checkOpen();
    const stamps = await this.#shards.stamps();
    return Array.from({ length: this.spec.workers }, (_, n) => progressOf(stamps, n));
  }

  async hold(at: Checkpoint, until: number): Promise<void> {
    this.#checkOpen();
    // An empty value would remove the field: the beginning is written as one blank.
    const held = encodeCheckpoint(at) || ' ';
    await this.#set(this.#shards.first, ['held', held, 'held-until', until]);
  }

  async unhold(): Promise<void> {
    this.#checkOpen();
    await this.#set(this.#shards.first, ['held', '', 'held-until', '']);
  }

  async snapshot(): Promise<GenerationSnapshot> {
    this.#checkOpen();
    return openSnapshot(this.#shards, this.#clock);
  }

  /** What was kept to go back holds old rows. Memory keeps nothing else; files of Redis are another matter. */
  async purge(): Promise<'purged' | 'blocked'> {
    this.#checkOpen();
    return betweenCommits(this.#shards, this.#clock, async () => {
      const workers = Array.from({ length: this.spec.workers }, (_, worker) => worker);
      const said = await Promise.all(
        this.#shards.names.map((names) => {
          const keys = [...names.snapshots, ...workers.map((worker) => names.undo(worker))];
          return this.#shards.run(names, forgetScript, keys);
        }),
      );
      return said.every((reply) => wordOf(reply) === 'forgotten') ? 'purged' : 'blocked';
    });
  }

  async present(): Promise<boolean> {
    if (this.#closed) return false;
    return this.#shards.present(this.#marker);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #reached(worker: number): Promise<Pick<Acquired, 'checkpoint' | 'tail' | 'batches'>> {
    const stamps = await this.#shards.stamps();
    const counts = stamps.map((shard) => batchesOf(shard[worker] as WorkerStamp));
    return { ...progressOf(stamps, worker), batches: Math.min(...counts) };
  }

  #set(names: ShardNames, fields: readonly (string | number)[]) {
    return this.#shards.run(names, setScript, [], fields);
  }

  async #alone<T>(worker: number, run: () => Promise<T>): Promise<T> {
    const running = (this.#busy.get(worker) ?? Promise.resolve()).then(run, run);
    this.#busy.set(worker, running);
    try {
      return await running;
    } finally {
      if (this.#busy.get(worker) === running) this.#busy.delete(worker);
    }
  }

  #check(worker: number): void {
    this.#checkOpen();
    this.#shards.checkWorker(worker);
  }

  #checkOpen(): void {
    if (this.#closed) throw storeError('closed', this.#shards.connection.place);
  }
}
