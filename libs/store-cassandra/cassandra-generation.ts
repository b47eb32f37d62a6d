import { randomBytes } from 'node:crypto';
import type { Clock } from '@annals/core';
import type { Checkpoint } from '@annals/event-log';
import {
  type Batch,
  type CommitResult,
  contentIfItStays,
  type GenerationSnapshot,
  type GenerationSpec,
  type GenerationStore,
  type HeldLease,
  judgeBatch,
  type Lease,
  lowestCheckpoint,
  type Row,
  type RowKey,
  type ShareProgress,
  StoreLostError,
} from '@annals/projection';
import { BatchWriter, batchOf } from './batch-writer.ts';
import { BeforeImages } from './before-images.ts';
import { CassandraSnapshot } from './cassandra-snapshot.ts';
import { checkKey, keyBytes } from './cells.ts';
import type { CassandraConnection } from './connection.ts';
import { DecidedBatches } from './decided-batches.ts';
import { storeError } from './errors.ts';
import { contentOf, Journals } from './journal.ts';
import { limits } from './limits.ts';
import { allTablesOf, type Marker, readMarker, tableNamesOf } from './marker.ts';
import { makeOrders } from './order-making.ts';
import { type HeldRows, RankKeeper } from './rank-keeper.ts';
import { TableRows } from './table-rows.ts';
import { WorkerRows, type WorkerState } from './worker-rows.ts';

/**
 * Has every node leave no bytes of cells that were replaced or deleted in these tables (each with its
 * keyspace): `nodetool flush`, then `nodetool garbagecollect -g CELL`. No statement of CQL can.
 */
export type CompactTables = (tables: readonly string[]) => Promise<void>;

/** A batch that may be decided. */
interface PreparedBatch {
  readonly changes: Batch['changes'];
  readonly held: HeldRows;
  readonly journal: string | null;
}

/** An open generation in one keyspace. Any number of processes may have it open. */
export class CassandraGeneration implements GenerationStore {
  readonly spec: GenerationSpec;
  readonly #connection: CassandraConnection;
  readonly #marker: Marker;
  readonly #clock: Clock;
  readonly #compact: CompactTables | undefined;
  readonly #tables = new Map<string, TableRows>();
  readonly #workers: WorkerRows;
  readonly #journals: Journals;
  readonly #before: BeforeImages;
  readonly #writer: BatchWriter;
  readonly #decided: DecidedBatches;
  /** Of each worker. */
  readonly #ranks: readonly RankKeeper[];
  /** The rows of workers as last seen: right until a compare-and-set says otherwise. */
  readonly #seen = new Map<number, WorkerState>();
  /** One batch of a worker after the other. */
  readonly #turns = new Map<number, Promise<unknown>>();
  readonly #busy = new Set<number>();
  #closed = false;

  constructor(options: {
    readonly connection: CassandraConnection;
    readonly marker: Marker;
    readonly clock: Clock;
    readonly compact: CompactTables | undefined;
  }) {
    const { connection, marker } = options;
    this.#compact = options.compact;
    this.#connection = connection;
    this.#marker = marker;
    this.#clock = options.clock;
    this.spec = marker.spec;
    for (const [number, names] of tableNamesOf(marker).entries()) {
      const rows = new TableRows(connection, marker, names, number);
      this.#tables.set(rows.table.name, rows);
    }
    this.#workers = new WorkerRows(connection, marker);
    this.#journals = new Journals(connection, marker.instance, allTablesOf(marker));
    this.#before = new BeforeImages(connection, marker);
    this.#writer = new BatchWriter({
      connection,
      tables: this.#tables,
      before: this.#before,
      workers: this.spec.workers,
      now: () => this.#clock.now(),
    });
    this.#decided = new DecidedBatches({
      spec: this.spec,
      workers: this.#workers,
      journals: this.#journals,
      writer: this.#writer,
      tables: allTablesOf(marker),
      mustBeDecided: (worker, seq) => this.#mustBeDecided(worker, seq),
    });
    this.#ranks = this.#workerNumbers().map((worker) => new RankKeeper(this.#tables, worker));
  }

  async acquire(worker: number, holder: string, now: number, ttlMs: number): Promise<Lease> {
    this.#checkWorker(worker);
    return this.#guarded(async () => {
      for (let attempt = 0; attempt < limits.casAttemptsMax; attempt += 1) {
        const state = await this.#read(worker);
        // A lease that would outlast its own length was given before a clock was set back.
        const isGood = state.until > now && state.until <= now + ttlMs;
        if (state.holder !== null && state.holder !== holder && isGood) {
          return { kind: 'busy', holder: state.holder, until: state.until };
        }
        const epoch = state.epoch + (state.holder === holder ? 0 : 1);
        const lease = { epoch, holder, until: now + ttlMs };
        if (!(await this.#workers.setLease(worker, state, lease))) continue;
        const renewed = { ...state, ...lease };
        this.#seen.set(worker, renewed);
        // Who renews in the midst of a batch of his own will write its rows himself.
        if (!this.#busy.has(worker)) await this.#decided.settle(worker, renewed);
        const { checkpoint, tail, seq: batches } = state;
        return { kind: 'acquired', epoch, checkpoint, tail, batches };
      }
      throw storeError('contended', `the lease of worker ${worker}`);
    });
  }

  async release(worker: number, epoch: number): Promise<void> {
    this.#checkWorker(worker);
    await this.#guarded(async () => {
      for (let attempt = 0; attempt < limits.casAttemptsMax; attempt += 1) {
        const state = await this.#read(worker);
        if (state.epoch !== epoch || state.holder === null) return;
        const lease = { epoch, holder: null, until: state.until };
        if (await this.#workers.setLease(worker, state, lease)) return;
      }
      throw storeError('contended', `the lease of worker ${worker}`);
    });
  }

  async leases(): Promise<readonly (HeldLease | undefined)[]> {
    return this.#guarded(async () => {
      const workers = await Promise.all(
        this.#workerNumbers().map((worker) => this.#workers.read(worker)),
      );
      return workers.map(({ holder, until }) => (holder === null ? undefined : { holder, until }));
    });
  }

  async load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]> {
    const byTable = new Map<TableRows, RowKey[]>();
    for (const key of keys) {
      const table = this.#table(key.table);
      checkKey(table.table, key.key);
      const held = byTable.get(table);
      if (held) held.push(key);
      else byTable.set(table, [key]);
    }
    return this.#guarded(async () => {
      const found = new Map<TableRows, Awaited<ReturnType<TableRows['load']>>>();
      for (const [table, some] of byTable) {
        const loaded = await table.load(some.map(({ key }) => key));
        for (const { stamp } of loaded.values()) await this.#checkStamp(stamp);
        found.set(table, loaded);
      }
      return keys.map(
        ({ table, key }) =>
          found.get(this.#table(table))?.get(keyBytes(key).toString('latin1'))?.row,
      );
    });
  }

  async commit(batch: Batch): Promise<CommitResult> {
    this.#checkWorker(batch.worker);
    for (const { table, key, row } of batch.changes) this.#table(table).check(key, row);
    return this.#inTurn(batch.worker, () => this.#guarded(() => this.#commit(batch)));
  }

  /**
   * Writes the changes down, decides them by one compare-and-set on the worker's row, then writes the rows
   * and says so. Until it is decided nothing of the batch can be seen; from then on it counts, and whoever
   * comes next finishes it.
   */
  async #commit(batch: Batch): Promise<CommitResult> {
    const { worker, to, tail } = batch;
    let prepared: PreparedBatch | undefined;
    let state = this.#seen.get(worker);
    for (let attempt = 0; attempt < limits.casAttemptsMax; attempt += 1) {
      const known = state !== undefined;
      state ??= await this.#read(worker);
      const verdict = this.#judge(batch, state);
      if (verdict && known) {
        state = undefined;
        continue;
      }
      if (verdict) {
        if (verdict.kind === 'already-applied') await this.#decided.settle(worker, state);
        if (prepared) await this.#journals.remove(prepared.journal);
        return verdict;
      }
      await this.#decided.settle(worker, state);
      prepared ??= await this.#prepare(batch);
      const { journal, changes, held } = prepared;
      if (await this.#decide(worker, state, { to, tail, journal })) {
        const decided = { ...state, seq: state.seq + 1, checkpoint: { ...to }, tail, journal };
        this.#seen.set(worker, decided);
        this.#ranks[worker]?.kept(decided.seq);
        await this.#decided.write(worker, decided, changes, held);
        return { kind: 'applied' };
      }
      state = undefined;
    }
    throw storeError('contended', `the batch of worker ${worker}`);
  }

  /** What is counted of its rows goes into the batch, and all of it is written down. */
  async #prepare(batch: Batch): Promise<PreparedBatch> {
    const { worker, after, changes } = batch;
    const ranks = this.#ranks[worker] as RankKeeper;
    const held = await this.#writer.load(changes, ({ table }) => ranks.counts(table.name));
    const counted = await ranks.changes(after, changes, held);
    const all = counted.length > 0 ? [...changes, ...counted] : changes;
    const journal = await this.#journals.write(all, contentIfItStays(batch));
    return { changes: all, held, journal };
  }

  /** Undefined when the batch may be decided. */
  #judge(batch: Batch, state: WorkerState): CommitResult | undefined {
    const { seq: batches, journal } = state;
    return judgeBatch(batch, { ...state, batches, stayed: contentOf(journal) }, this.#clock.now());
  }

  async #decide(
    worker: number,
    state: WorkerState,
    decision: Parameters<WorkerRows['decide']>[2],
  ): Promise<boolean> {
    try {
      return await this.#workers.decide(worker, state, decision);
    } catch (error) {
      this.#seen.delete(worker);
      throw error;
    }
  }

  async finishBuilding(): Promise<void> {
    const ordered = [...this.#tables.values()].filter(({ orders }) => orders.length > 0);
    await this.#guarded(async () => {
      const workers = this.#workerNumbers();
      const before = await Promise.all(
        workers.map((worker) =>
          this.#workers.setControl(worker, ({ deriving }) =>
            deriving === 'none' ? { deriving: 'making' } : undefined,
          ),
        ),
      );
      this.#seen.clear();
      if (before.every(({ deriving }) => deriving === 'made')) return;
      for (const worker of workers)
        await this.#decided.settlePatiently(worker, await this.#read(worker));
      for (const table of ordered) await makeOrders(this.#connection, table);
      for (const worker of workers) {
        await this.#workers.setControl(worker, () => ({ deriving: 'made' }));
      }
      this.#seen.clear();
    });
  }

  async checkpoint(): Promise<Checkpoint> {
    const shares = await this.shares();
    return lowestCheckpoint(
      shares.map(({ checkpoint }) => checkpoint),
      this.spec.split,
    );
  }

  async shares(): Promise<readonly ShareProgress[]> {
    return this.#guarded(async () =>
      (await this.#workers.applied()).map(({ checkpoint, tail }) => ({ checkpoint, tail })),
    );
  }

  async hold(at: Checkpoint, until: number): Promise<void> {
    await this.#control(() => ({ hold: { at: { ...at }, until } }));
  }

  async unhold(): Promise<void> {
    await this.#control(({ hold }) => (hold ? { hold: undefined } : undefined));
  }

  async snapshot(): Promise<GenerationSnapshot> {
    const id = randomBytes(8).toString('hex');
    const now = this.#clock.now();
    const until = now + limits.snapshotMsMax;
    const states = await this.#control(({ seq, checkpoint: at, snapshots }) => {
      // A compare-and-set may say that it failed after it took effect: batches heed what it wrote.
      if (snapshots[id]) return undefined;
      const open = Object.entries(snapshots).filter(([, one]) => one.until > now);
      if (open.length >= limits.snapshotsMax) {
        throw storeError('overloaded', `${open.length} snapshots are open`);
      }
      return { snapshots: { ...Object.fromEntries(open), [id]: { seq, at, until } } };
    });
    return this.#guarded(async () => {
      for (const [worker, state] of states.entries())
        await this.#decided.settlePatiently(worker, state);
      const shown = states.map(
        ({ seq, checkpoint, snapshots }) => snapshots[id] ?? { seq, at: checkpoint },
      );
      return new CassandraSnapshot({
        id,
        until,
        clock: this.#clock,
        connection: this.#connection,
        tables: this.#tables,
        before: this.#before,
        checkpoint: lowestCheckpoint(
          shown.map(({ at }) => at),
          this.spec.split,
        ),
        seqs: shown.map(({ seq }) => seq),
        derived: states.every(({ deriving }) => deriving === 'made'),
        guarded: (work) => this.#guarded(work),
        onClose: () => this.#forgetSnapshot(id),
      });
    });
  }

  async #forgetSnapshot(id: string): Promise<void> {
    await this.#control(({ snapshots }) => {
      if (!(id in snapshots)) return undefined;
      const { [id]: _, ...others } = snapshots;
      return { snapshots: others };
    });
  }

  /** `blocked` as long as nobody told how to make the nodes compact their files: the old bytes are there. */
  async purge(): Promise<'purged' | 'blocked'> {
    return this.#guarded(async () => {
      for (const worker of this.#workerNumbers()) {
        const state = await this.#read(worker);
        await this.#decided.settlePatiently(worker, state);
        if (state.journal !== null) await this.#workers.forgetJournal(worker, state.seq);
        this.#seen.delete(worker);
      }
      if (!this.#compact) return 'blocked';
      const { keyspace } = this.#connection;
      const own = [...this.#tables.values()].flatMap(({ name, orders }) => [
        name,
        ...orders.map((order) => order.name),
      ]);
      const shared = ['annals_workers', 'annals_journals', 'annals_before'];
      await this.#compact([...own, ...shared.map((name) => `${keyspace}.${name}`), 'system.paxos']);
      return 'purged';
    });
  }

  async present(): Promise<boolean> {
    if (this.#closed) return false;
    const { projection, spec } = this.#marker;
    const marker = await readMarker(this.#connection, projection, spec.generation);
    return marker?.instance === this.#marker.instance;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  // Workers

  async #read(worker: number): Promise<WorkerState> {
    const state = await this.#workers.read(worker);
    this.#seen.set(worker, state);
    this.#decided.forget(worker);
    return state;
  }

  /** Changes what all workers must heed. Gives what they were. */
  async #control(change: Parameters<WorkerRows['setControl']>[1]): Promise<readonly WorkerState[]> {
    return this.#guarded(() =>
      Promise.all(this.#workerNumbers().map((worker) => this.#workers.setControl(worker, change))),
    );
  }

  #workerNumbers(): number[] {
    return Array.from({ length: this.spec.workers }, (_, worker) => worker);
  }

  #checkWorker(worker: number): void {
    if (Number.isInteger(worker) && worker >= 0 && worker < this.spec.workers) return;
    throw new RangeError(`worker ${worker} of ${this.spec.workers}`);
  }

  async #inTurn<T>(worker: number, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(worker) ?? Promise.resolve();
    const turn = before.then(async () => {
      this.#busy.add(worker);
      try {
        return await work();
      } finally {
        this.#busy.delete(worker);
      }
    });
    this.#turns.set(
      worker,
      turn.catch(() => undefined),
    );
    return turn;
  }

  /**
   * A row that is ahead of the batch decided last comes from a restore that brought back rows of one time
   * and checkpoints of another: nothing can be built on it.
   */
  async #checkStamp(stamp: number): Promise<void> {
    const { worker, seq } = batchOf(stamp, this.spec.workers);
    if (seq > (this.#seen.get(worker)?.seq ?? -1)) await this.#mustBeDecided(worker, seq);
  }

  async #mustBeDecided(worker: number, seq: number): Promise<void> {
    if (seq <= (await this.#read(worker)).seq) return;
    const { projection, generation } = this.spec;
    throw new StoreLostError(
      `${projection} g${generation} has a begun batch ${seq} of worker ${worker}, which was never decided: ` +
        'it was restored in part',
    );
  }

  #table(name: string): TableRows {
    const rows = this.#tables.get(name);
    if (!rows) throw new TypeError(`${this.spec.projection} has no table ${name}`);
    return rows;
  }

  /** Throws StoreLostError when the generation is not there any more, whatever else fails then. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    const { projection, generation } = this.spec;
    if (this.#closed) throw storeError('closed', `${projection} g${generation}`);
    try {
      return await work();
    } catch (error) {
      if (error instanceof StoreLostError || error instanceof TypeError) throw error;
      const isThere = await this.present().catch(() => true);
      throw isThere ? error : this.#workers.lost(error);
    }
  }
}
