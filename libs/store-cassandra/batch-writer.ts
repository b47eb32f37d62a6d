import type { Row, RowChange } from '@annals/projection';
import type { BeforeImages } from './before-images.ts';
import { keyBytes } from './cells.ts';
import type { CassandraConnection } from './connection.ts';
import { type PlacedStatement, writeGrouped } from './grouped-writes.ts';
import type { HeldRows } from './rank-keeper.ts';
import type { StampedRow, TableRows } from './table-rows.ts';
import type { WorkerState } from './worker-rows.ts';

/** A batch that was decided. */
export interface DecidedBatch {
  readonly worker: number;
  readonly seq: number;
  readonly changes: readonly RowChange[];
  /** What it must heed, as its worker's row said when it was decided, or says now. */
  readonly heeds: Pick<WorkerState, 'deriving' | 'snapshots'>;
  /** What was there before, of tables where that is known already. */
  readonly held?: HeldRows | undefined;
}

/**
 * The number of a worker's batch as one number of all workers: what a row carries, and is written with as
 * its timestamp. A row belongs to one worker, so a later batch of it always wins over an earlier one,
 * whenever they arrive.
 */
export function stampOf(worker: number, seq: number, workers: number): number {
  return seq * workers + worker;
}

export function batchOf(stamp: number, workers: number): { worker: number; seq: number } {
  return { worker: stamp % workers, seq: Math.floor(stamp / workers) };
}

/**
 * Writes the rows of a decided batch. May be done by several at once and again at any time: every
 * statement carries the batch's stamp and absolute values.
 */
export class BatchWriter {
  readonly #connection: CassandraConnection;
  readonly #tables: ReadonlyMap<string, TableRows>;
  readonly #before: BeforeImages;
  readonly #workers: number;
  readonly #now: () => number;

  constructor(options: {
    readonly connection: CassandraConnection;
    readonly tables: ReadonlyMap<string, TableRows>;
    readonly before: BeforeImages;
    readonly workers: number;
    readonly now: () => number;
  }) {
    this.#connection = options.connection;
    this.#tables = options.tables;
    this.#before = options.before;
    this.#workers = options.workers;
    this.#now = options.now;
  }

  async write({ worker, seq, changes, heeds, held: known }: DecidedBatch): Promise<void> {
    const stamp = stampOf(worker, seq, this.#workers);
    const snapshots = this.#snapshotsBefore(seq, heeds.snapshots);
    const derives = heeds.deriving !== 'none';
    const looksBack = (table: TableRows) =>
      snapshots.length > 0 || (derives && table.orders.length > 0);
    const found = await this.load(changes, looksBack, known);
    const held = changes.map(({ table, key }) =>
      found.get(table)?.get(keyBytes(key).toString('latin1')),
    );
    const left = changes.filter((_, n) => (held[n]?.stamp ?? -1) < stamp);
    const rowsLeft = held.filter((row) => (row?.stamp ?? -1) < stamp);
    if (snapshots.length > 0) {
      await writeGrouped(this.#connection, this.#images(seq, left, rowsLeft, snapshots));
    }
    // A row comes after what is derived from it: a row with this stamp says that all that is done.
    if (derives) await writeGrouped(this.#connection, this.#derived(stamp, left, rowsLeft));
    await writeGrouped(this.#connection, this.#rows(stamp, left));
  }

  #snapshotsBefore(seq: number, snapshots: WorkerState['snapshots']) {
    const now = this.#now();
    return Object.entries(snapshots)
      .filter(([, snapshot]) => snapshot.seq < seq && snapshot.until > now)
      .map(([id, { until }]) => ({ id, ttlSeconds: Math.ceil((until - now) / 1_000) + 60 }));
  }

  /** What is there under the changes' keys, where it matters and is not known. */
  async load(
    changes: readonly RowChange[],
    wanted: (table: TableRows) => boolean,
    known?: HeldRows,
  ): Promise<HeldRows> {
    const held = new Map<string, ReadonlyMap<string, StampedRow>>(known);
    for (const [name, table] of this.#tables) {
      if (held.has(name) || !wanted(table)) continue;
      const keys = changes.filter((change) => change.table === name);
      if (keys.length > 0) held.set(name, await table.load(keys.map(({ key }) => key)));
    }
    return held;
  }

  *#images(
    seq: number,
    changes: readonly RowChange[],
    held: readonly (StampedRow | undefined)[],
    snapshots: readonly { readonly id: string; readonly ttlSeconds: number }[],
  ): Generator<PlacedStatement> {
    for (const [n, { table, key, row }] of changes.entries()) {
      const before: Row | undefined = held[n]?.row;
      if (!before && row === null) continue;
      for (const { id, ttlSeconds } of snapshots) {
        yield this.#before.put(id, ttlSeconds, seq, this.#table(table), key, before);
      }
    }
  }

  *#derived(
    stamp: number,
    changes: readonly RowChange[],
    held: readonly (StampedRow | undefined)[],
  ): Generator<PlacedStatement> {
    for (const [n, { table, row }] of changes.entries()) {
      for (const order of this.#table(table).orders) {
        yield* order.changes(stamp, held[n]?.row, row);
      }
    }
  }

  *#rows(stamp: number, changes: readonly RowChange[]): Generator<PlacedStatement> {
    for (const { table, key, row } of changes) {
      const rows = this.#table(table);
      yield row ? rows.put(stamp, row) : rows.delete(stamp, key);
    }
  }

  #table(name: string): TableRows {
    const table = this.#tables.get(name);
    if (!table) throw new TypeError(`there is no table ${name}`);
    return table;
  }
}
