import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { Checkpoint } from '@annals/event-log';
import {
  type Cell,
  type GenerationSpec,
  lowestCheckpoint,
  StoreLostError,
} from '@annals/projection';
import { closedError, isNoDatabase, storeError } from './errors.ts';
import {
  type FileIdentity,
  generationPath,
  identityOf,
  openDatabase,
  sameFile,
} from './generation-file.ts';
import { limits } from './limits.ts';
import { OtherWriters, RankedReader, type RankedReads } from './ranked-index.ts';
import { readMarker, storedCheckpoint } from './schema.ts';

/** What one read transaction sees: all of it at one checkpoint. */
export interface ReadTransaction {
  /** Rows of a query; its text should be a constant, for its statement is kept. */
  all<Result = { readonly [column: string]: Cell }>(
    sql: string,
    ...params: readonly Cell[]
  ): Result[];
  /** The first row of a query. */
  get<Result = { readonly [column: string]: Cell }>(
    sql: string,
    ...params: readonly Cell[]
  ): Result | undefined;
  /** The ranked counts of one group of a ranked table: its group's cells in their declared order. */
  ranked(table: string, group: readonly Cell[]): RankedReads;
  /** How far the generation had come: what the answers of this transaction are good for. */
  checkpoint(): Checkpoint;
}

/** A generation's file, for reading: never waits for a writer, never disturbs one. */
export interface GenerationReader {
  readonly spec: GenerationSpec;
  readonly path: string;
  /**
   * Runs `run` in one read transaction, synchronously. Throws StoreLostError when the file is known
   * to be gone, SqliteStoreError on broken I/O.
   */
  read<T>(run: (transaction: ReadTransaction) => T): T;
  /**
   * The same in a transaction that all calls of one turn of the event loop share: what is committed during the turn is seen
   * in the next one, or as soon as somebody calls `read`. Beginning and ending one takes as long as a few queries.
   */
  readInTurn<T>(run: (transaction: ReadTransaction) => T): T;
  /** False while the generation is filled for the first time: ranked counts and indexes are not there yet. */
  isBuilt(): boolean;
  /** Changes whenever another connection has committed since the last call. Takes microseconds. */
  dataVersion(): number;
  /** Whether the file of that name is still the one that was opened. Takes microseconds. */
  isSameFile(): boolean;
  /** Idempotent. */
  close(): void;
}

/**
 * Opens a generation. Throws StoreLostError when there is none of that number, or no
 * marker in it: lost is not empty.
 */
export function openGenerationReader(
  folder: string,
  projection: string,
  generation: number,
): GenerationReader {
  const path = generationPath(folder, projection, generation);
  const identity = identityOf(path);
  if (!identity) throw lostError(path);
  let database: DatabaseSync | undefined;
  try {
    database = openDatabase(path, 'read-only');
    database.exec(`PRAGMA cache_size = -${limits.readerCacheKib}`);
    const marker = readMarker(database);
    if (!marker) throw lostError(path);
    return new SqliteGenerationReader(path, database, identity, marker.spec);
  } catch (error) {
    if (database?.isOpen) database.close();
    const lost = isNoDatabase(error) || !sameFile(identityOf(path), identity);
    throw lost ? lostError(path, error) : storeError(error, path);
  }
}

function lostError(path: string, cause?: unknown): StoreLostError {
  return new StoreLostError(`there is no read model in ${path}`, { cause });
}

class SqliteGenerationReader implements GenerationReader, ReadTransaction {
  readonly spec: GenerationSpec;
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #identity: FileIdentity;
  readonly #statements = new Map<string, Query>();
  readonly #ranked: RankedReader;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #version: StatementSync;
  readonly #checkpoints: StatementSync;
  readonly #others: OtherWriters;
  /** Read once for all transactions that see the same. */
  #checkpoint: Checkpoint | undefined;
  /** Whether the transaction of this turn is open. */
  #isInTurn = false;

  constructor(path: string, database: DatabaseSync, identity: FileIdentity, spec: GenerationSpec) {
    this.path = path;
    this.spec = spec;
    this.#database = database;
    this.#identity = identity;
    this.#ranked = new RankedReader(database);
    this.#others = new OtherWriters(database);
    this.#begin = database.prepare('BEGIN');
    this.#commit = database.prepare('COMMIT');
    this.#version = database.prepare('PRAGMA data_version');
    this.#checkpoints = database.prepare('SELECT checkpoint FROM annals_workers ORDER BY worker');
  }

  read<T>(run: (transaction: ReadTransaction) => T): T {
    return this.#checked(() => {
      this.#endTurn();
      this.#begin.run();
      try {
        this.#forgetWhatChanged();
        return run(this);
      } finally {
        this.#commit.run();
      }
    });
  }

  readInTurn<T>(run: (transaction: ReadTransaction) => T): T {
    return this.#checked(() => {
      if (!this.#isInTurn) this.#beginTurn();
      try {
        return run(this);
      } catch (error) {
        // Broken I/O ends a transaction by itself: nobody else must go on in this one.
        if (isSqliteError(error)) this.#endTurn();
        throw error;
      }
    });
  }

  #beginTurn(): void {
    this.#begin.run();
    this.#isInTurn = true;
    setImmediate(() => this.#endTurn());
    try {
      this.#forgetWhatChanged();
    } catch (error) {
      this.#endTurn();
      throw error;
    }
  }

  #endTurn(): void {
    if (!this.#isInTurn) return;
    this.#isInTurn = false;
    if (this.#database.isOpen && this.#database.isTransaction) this.#commit.run();
  }

  #checked<T>(read: () => T): T {
    if (!this.#database.isOpen) throw closedError(this.path);
    try {
      return read();
    } catch (error) {
      if (!isSqliteError(error)) throw error;
      if (!this.isSameFile()) throw lostError(this.path, error);
      throw storeError(error, this.path);
    }
  }

  all<Result>(sql: string, ...params: readonly Cell[]): Result[] {
    const { statement, columns } = this.#query(sql);
    const rows = statement.all(...(params as SQLInputValue[])) as unknown as Cell[][];
    return rows.map((cells) => rowOf(columns, cells)) as Result[];
  }

  get<Result>(sql: string, ...params: readonly Cell[]): Result | undefined {
    const { statement, columns } = this.#query(sql);
    const cells = statement.get(...(params as SQLInputValue[])) as unknown as Cell[] | undefined;
    return cells && (rowOf(columns, cells) as Result);
  }

  ranked(table: string, group: readonly Cell[]): RankedReads {
    return this.#ranked.of(table, group);
  }

  checkpoint(): Checkpoint {
    this.#checkpoint ??= this.#readCheckpoint();
    return this.#checkpoint;
  }

  isBuilt(): boolean {
    return this.read((tx) => tx.get('SELECT building FROM annals_state')?.building === 0);
  }

  dataVersion(): number {
    if (!this.#database.isOpen) throw closedError(this.path);
    return Number(this.#version.get()?.data_version);
  }

  isSameFile(): boolean {
    return sameFile(identityOf(this.path), this.#identity);
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  /** At the start of a transaction: this very look decides what the transaction sees. */
  #forgetWhatChanged(): void {
    if (!this.#others.wrote()) return;
    this.#ranked.forget();
    this.#checkpoint = undefined;
  }

  #readCheckpoint(): Checkpoint {
    const workers = this.#checkpoints.all().map((row) => storedCheckpoint(row.checkpoint));
    return lowestCheckpoint(workers, this.spec.split);
  }

  #query(sql: string): Query {
    const known = this.#statements.get(sql);
    if (known) return known;
    if (this.#statements.size >= limits.statementsCachedMax) this.#statements.clear();
    const statement = this.#database.prepare(sql);
    statement.setReturnArrays(true);
    const query = { statement, columns: statement.columns().map(({ name }) => name) };
    this.#statements.set(sql, query);
    return query;
  }
}

interface Query {
  readonly statement: StatementSync;
  readonly columns: readonly string[];
}

/** An object as code makes them; those of `node:sqlite` take twice as long to make, and longer to read. */
function rowOf(columns: readonly string[], cells: readonly Cell[]): { [column: string]: Cell } {
  const row: { [column: string]: Cell } = {};
  for (let n = 0; n < cells.length; n += 1) row[columns[n] as string] = cells[n] as Cell;
  return row;
}

function isSqliteError(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error;
}
