import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Clock } from '@annals/core';
import { type Checkpoint, encodeCheckpoint } from '@annals/event-log';
import {
  type Batch,
  type CommitResult,
  contentIfItStays,
  type GenerationSnapshot,
  type GenerationSpec,
  type GenerationStore,
  type HeldLease,
  type JudgedShare,
  judgeBatch,
  type Lease,
  type Row,
  type RowKey,
  type ShareProgress,
  StoreLostError,
} from '@annals/projection';
import { BackgroundCheckpoint } from './background-checkpoint.ts';
import { closedError, storeError } from './errors.ts';
import { type FileIdentity, identityOf, sameFile } from './generation-file.ts';
import { limits } from './limits.ts';
import { RankedWriter } from './ranked-index.ts';
import { countBatches, indexesSql, type Marker, storedCheckpoint } from './schema.ts';
import { readCheckpoint, readShares } from './shares.ts';
import { SqliteSnapshot } from './sqlite-snapshot.ts';
import { TableRows } from './table-rows.ts';

/** What a transaction starts from: one worker's share, and what holds for all of them. */
interface WorkerState extends JudgedShare {
  readonly building: boolean;
}

/** An open generation: one connection for writing, on one file. Everything runs on the caller's thread. */
export class SqliteGeneration implements GenerationStore {
  readonly spec: GenerationSpec;
  readonly buildBatchRowsMax = limits.buildBatchRowsMax;
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #identity: FileIdentity;
  readonly #clock: Clock;
  readonly #tables = new Map<string, TableRows>();
  readonly #counts: RankedWriter;
  readonly #background: BackgroundCheckpoint;
  readonly #state: StatementSync;
  readonly #setCheckpoint: StatementSync;
  readonly #building: StatementSync;
  readonly #instance: StatementSync;
  readonly #markedInstance: string;
  readonly #closed: (generation: SqliteGeneration) => void;
  #tunedForBuilding: boolean | undefined;

  constructor(options: {
    readonly path: string;
    readonly database: DatabaseSync;
    readonly identity: FileIdentity;
    readonly marker: Marker;
    readonly clock: Clock;
    readonly onClose: (generation: SqliteGeneration) => void;
  }) {
    const { database, marker } = options;
    this.path = options.path;
    this.spec = marker.spec;
    this.#markedInstance = marker.instance;
    this.#database = database;
    this.#identity = options.identity;
    this.#clock = options.clock;
    this.#closed = options.onClose;
    // A copy made with VACUUM INTO and put back is not in WAL mode.
    database.exec('PRAGMA journal_mode = WAL');
    countBatches(database);
    // NORMAL syncs only when the WAL is written back: a power cut may take the last commits. It takes
    // their checkpoint with their rows, and the log, which is synced, has the events: they come again.
    database.exec('PRAGMA synchronous = NORMAL');
    for (const table of this.spec.tables) {
      this.#tables.set(table.name, new TableRows(database, table));
    }
    this.#counts = new RankedWriter(database);
    this.#background = new BackgroundCheckpoint(this.path);
    this.#state = database.prepare(
      `SELECT epoch, checkpoint, batches, stayed, building, hold_at, hold_until
       FROM annals_workers, annals_state WHERE worker = ?`,
    );
    this.#setCheckpoint = database.prepare(
      `UPDATE annals_workers SET checkpoint = ?, tail = ?, batches = batches + 1, stayed = ?
       WHERE worker = ?`,
    );
    this.#building = database.prepare('SELECT building FROM annals_state');
    this.#instance = database.prepare('SELECT instance FROM annals_marker');
    this.#tune(this.#isBuilding());
  }

  async acquire(worker: number, holder: string, now: number, ttlMs: number): Promise<Lease> {
    this.#checkWorker(worker);
    return this.#write(() => {
      const held = this.#database
        .prepare(
          `SELECT epoch, holder, until, checkpoint, tail, batches
           FROM annals_workers WHERE worker = ?`,
        )
        .get(worker);
      const current = held?.holder;
      const until = Number(held?.until);
      // A lease that would outlast its own length was given before a clock was set back.
      const isGood = until > now && until <= now + ttlMs;
      if (typeof current === 'string' && current !== holder && isGood) {
        return { kind: 'busy', holder: current, until };
      }
      const epoch = Number(held?.epoch) + (current === holder ? 0 : 1);
      this.#database
        .prepare('UPDATE annals_workers SET epoch = ?, holder = ?, until = ? WHERE worker = ?')
        .run(epoch, holder, now + ttlMs, worker);
      const checkpoint = storedCheckpoint(held?.checkpoint);
      const batches = Number(held?.batches);
      return { kind: 'acquired', epoch, checkpoint, tail: String(held?.tail), batches };
    });
  }

  async release(worker: number, epoch: number): Promise<void> {
    this.#checkWorker(worker);
    this.#write(() =>
      this.#database
        .prepare('UPDATE annals_workers SET holder = NULL WHERE worker = ? AND epoch = ?')
        .run(worker, epoch),
    );
  }

  async leases(): Promise<readonly (HeldLease | undefined)[]> {
    const sql = 'SELECT holder, until FROM annals_workers ORDER BY worker';
    return this.#read(() =>
      this.#database
        .prepare(sql)
        .all()
        .map(({ holder, until }) => {
          return typeof holder === 'string' ? { holder, until: Number(until) } : undefined;
        }),
    );
  }

  async load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]> {
    const tables = keys.map(({ table }) => this.#table(table));
    const distinct = new Set(tables);
    for (;;) {
      const rows = this.#read(() => {
        if (!this.#isBuilding())
          return keys.map(({ key }, n) => (tables[n] as TableRows).load(key));
        return this.#loadBuilding(keys, tables);
      });
      if (rows) return rows;
      this.#write(() => this.#mergeAll(distinct));
    }
  }

  /** Undefined when what is put aside must be merged first. */
  #loadBuilding(
    keys: readonly RowKey[],
    tables: readonly TableRows[],
  ): readonly (Row | undefined)[] | undefined {
    for (const { staged } of new Set(tables)) if (!staged.isReadable()) return undefined;
    const rows: (Row | undefined)[] = [];
    for (let n = 0; n < keys.length; n += 1) {
      const row = (tables[n] as TableRows).loadBuilding((keys[n] as RowKey).key);
      if (row === 'unsure') return undefined;
      rows.push(row);
    }
    return rows;
  }

  async commit(batch: Batch): Promise<CommitResult> {
    this.#checkWorker(batch.worker);
    const result = this.#commit(batch);
    if (result.kind === 'applied' && !this.#tunedForBuilding) {
      this.#background.wrote(batch.changes.length);
    }
    return result;
  }

  #commit(batch: Batch): CommitResult {
    return this.#write(() => {
      const state = this.#stateOf(batch.worker);
      const verdict = judgeBatch(batch, state, this.#clock.now());
      if (verdict) return verdict;
      const { building } = state;
      this.#tune(building);
      if (building) this.#writeBuilding(batch);
      else this.#writeLive(batch);
      const stayed = contentIfItStays(batch);
      this.#setCheckpoint.run(encodeCheckpoint(batch.to), batch.tail, stayed, batch.worker);
      return { kind: 'applied' };
    });
  }

  async finishBuilding(): Promise<void> {
    if (!this.#read(() => this.#isBuilding())) return;
    // Each step is a transaction of its own: after a crash those that are done are not done again.
    for (const rows of this.#tables.values()) this.#write(() => this.#mergeAll([rows]));
    for (const { table } of this.#tables.values()) {
      for (const sql of indexesSql(table)) this.#write(() => this.#database.exec(sql));
    }
    this.#write(() => {
      this.#mergeAll(this.#tables.values());
      this.#counts.clear(this.#database);
      for (const { table } of this.#tables.values()) this.#counts.rebuild(this.#database, table);
      this.#database.exec('UPDATE annals_state SET building = 0');
    });
    this.#tune(false);
    this.#checkpointWal();
  }

  async checkpoint(): Promise<Checkpoint> {
    return this.#read(() => readCheckpoint(this.#database, this.spec.split));
  }

  async shares(): Promise<readonly ShareProgress[]> {
    return this.#read(() => readShares(this.#database));
  }

  async hold(at: Checkpoint, until: number): Promise<void> {
    this.#write(() =>
      this.#database
        .prepare('UPDATE annals_state SET hold_at = ?, hold_until = ?')
        .run(encodeCheckpoint(at), until),
    );
  }

  async unhold(): Promise<void> {
    this.#write(() => this.#database.exec('UPDATE annals_state SET hold_at = NULL'));
  }

  async snapshot(): Promise<GenerationSnapshot> {
    for (;;) {
      const snapshot = this.#write(() => {
        const merged = this.#mergeAll(this.#tables.values());
        // While this transaction has the lock and has written nothing, a reader sees what it sees.
        return merged ? undefined : new SqliteSnapshot(this.path, this.spec);
      });
      if (snapshot) return snapshot;
    }
  }

  async present(): Promise<boolean> {
    if (!this.#database.isOpen) return false;
    return this.#isSameFile() && this.#hasMarker();
  }

  async purge(): Promise<'purged' | 'blocked'> {
    this.#write(() => this.#mergeAll(this.#tables.values()));
    // secure_delete leaves copies of rows behind in pages that were split, so the file is written anew.
    this.#guarded(() => this.#database.exec('VACUUM'));
    for (let waitedMs = 0; ; waitedMs += purgeRetryMs) {
      if (this.#guarded(() => this.#checkpointWal())) return 'purged';
      if (waitedMs >= limits.purgeWaitMsMax) return 'blocked';
      await this.#clock.sleep(purgeRetryMs);
    }
  }

  async close(): Promise<void> {
    await this.#background.settled();
    if (!this.#database.isOpen) return;
    this.#database.close();
    this.#closed(this);
  }

  // Transactions

  /** Runs one writing transaction. Whatever throws in it undoes it. */
  #write<T>(run: () => T): T {
    return this.#guarded(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        const result = run();
        this.#database.exec('COMMIT');
        return result;
      } catch (error) {
        this.#counts.rollback();
        for (const rows of this.#tables.values()) rows.forgetWritten();
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  #read<T>(run: () => T): T {
    return this.#guarded(() => {
      this.#database.exec('BEGIN');
      try {
        return run();
      } finally {
        if (this.#database.isTransaction) this.#database.exec('COMMIT');
      }
    });
  }

  /** Throws StoreLostError when this is not the file of that name any more, whatever else fails then. */
  #guarded<T>(run: () => T): T {
    if (!this.#database.isOpen) throw closedError(this.path);
    if (!this.#isSameFile()) throw this.#lost();
    try {
      return run();
    } catch (error) {
      if (!this.#isSameFile() || (isDamage(error) && !this.#hasMarker())) throw this.#lost(error);
      throw storeError(error, this.path);
    }
  }

  #lost(cause?: unknown): StoreLostError {
    const { projection, generation } = this.spec;
    return new StoreLostError(
      `the file of ${projection} g${generation} was removed or replaced: ${this.path}`,
      { cause },
    );
  }

  #isSameFile(): boolean {
    return sameFile(identityOf(this.path), this.#identity);
  }

  #hasMarker(): boolean {
    try {
      return this.#instance.get()?.instance === this.#markedInstance;
    } catch {
      return false;
    }
  }

  // Rows

  #writeLive({ changes }: Batch): void {
    this.#counts.begin();
    for (const change of changes) this.#table(change.table).write(change, this.#counts);
    this.#counts.flush();
  }

  #writeBuilding({ changes }: Batch): void {
    const written = new Set<TableRows>();
    for (const change of changes) {
      const rows = this.#table(change.table);
      if (!written.has(rows)) rows.beginBuilding();
      written.add(rows);
      rows.writeBuilding(change);
    }
    for (const rows of written) rows.endBuilding();
  }

  /** Merges what is put aside in these tables; whether there was any. */
  #mergeAll(tables: Iterable<TableRows>): boolean {
    if (!this.#isBuilding()) return false;
    let merged = false;
    for (const { staged } of tables) {
      if (staged.count() === 0) continue;
      staged.merge();
      merged = true;
    }
    return merged;
  }

  #table(name: string): TableRows {
    const rows = this.#tables.get(name);
    if (!rows) throw new TypeError(`${this.spec.projection} has no table ${name}`);
    return rows;
  }

  // State

  #stateOf(worker: number): WorkerState {
    const row = this.#state.get(worker);
    const holdAt = row?.hold_at;
    return {
      epoch: Number(row?.epoch),
      checkpoint: storedCheckpoint(row?.checkpoint),
      batches: Number(row?.batches),
      stayed: typeof row?.stayed === 'string' ? row.stayed : null,
      building: row?.building === 1,
      hold:
        typeof holdAt === 'string'
          ? { at: storedCheckpoint(holdAt), until: Number(row?.hold_until) }
          : undefined,
    };
  }

  #isBuilding(): boolean {
    return this.#building.get()?.building === 1;
  }

  #checkWorker(worker: number): void {
    if (Number.isInteger(worker) && worker >= 0 && worker < this.spec.workers) return;
    throw new RangeError(`worker ${worker} of ${this.spec.workers}`);
  }

  #tune(building: boolean): void {
    if (this.#tunedForBuilding === building) return;
    this.#tunedForBuilding = building;
    const cacheKib = building ? limits.buildingCacheKib : limits.liveCacheKib;
    const walPages = building ? limits.buildingWalPages : limits.liveWalPages;
    // What is put aside leaves bytes behind while building; a purge writes the file anew in any case.
    const secureDelete = building ? 'OFF' : 'ON';
    this.#database.exec(
      `PRAGMA cache_size = -${cacheKib}; PRAGMA wal_autocheckpoint = ${walPages};
       PRAGMA secure_delete = ${secureDelete}`,
    );
  }

  /** Writes the WAL back and cuts it to nothing; false when a reader still needs it. */
  #checkpointWal(): boolean {
    this.#database.exec('PRAGMA busy_timeout = 0');
    try {
      return this.#database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy === 0;
    } finally {
      this.#database.exec(`PRAGMA busy_timeout = ${limits.busyMsMax}`);
    }
  }
}

const purgeRetryMs = 100;

/** Damage that may come from another file having been copied over this one. */
function isDamage(error: unknown): boolean {
  if (!(error instanceof Error) || !('errcode' in error)) return false;
  const code = Number(error.errcode) & 0xff;
  return code === 11 || code === 26 || code === 1;
}
