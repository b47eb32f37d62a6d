import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { Cell, Table } from '@annals/projection';
import { ManyRows } from './many-rows.ts';
import { columnsOf, quoted, stageName, stagesTable } from './schema.ts';
import { StagedIndex } from './staged-index.ts';

/** What is put aside for a key: its newest cells, or that it was deleted; `unsure` when only merging can tell. */
export type Staged = readonly Cell[] | 'deleted' | 'absent' | 'unsure';

/**
 * The changes of one table that are put aside while a generation is built, in the order they come:
 * appending is several times cheaper than finding each row's place in a large table, where a batch of
 * random keys writes nearly every page. They are merged in key order when there are many, and when
 * building is finished.
 *
 * Rows that handlers read are found again by an index in memory. It says no more than the file does,
 * so what other connections put aside is added to it by reading that, and after a restart it is made anew.
 */
export class StagedRows {
  readonly table: Table;
  readonly #database: DatabaseSync;
  readonly #last: StatementSync;
  readonly #merges: StatementSync;
  readonly #rows: ManyRows;
  readonly #putDeleted: StatementSync;
  readonly #at: StatementSync;
  readonly #keysAfter: StatementSync;
  readonly #anyDeleted: StatementSync;
  readonly #mergeSql: string;
  readonly #deleteSql: string;
  readonly #clearSql: string;
  /** Only where handlers read the rows. */
  readonly #index: StagedIndex | undefined;
  /** How often the table had been merged, and up to which sequence what came since is in the index. */
  #indexed = { merges: -1, sequence: 0 };
  readonly #keyPlaces: readonly number[];
  #next = 1;

  constructor(database: DatabaseSync, table: Table) {
    this.table = table;
    this.#database = database;
    this.#index = table.writeOnly ? undefined : new StagedIndex();
    const stage = stageName(table);
    const columns = columnsOf(table);
    this.#keyPlaces = table.key.map((column) => columns.indexOf(column));
    const all = columns.map(quoted).join(', ');
    const key = table.key.map(quoted).join(', ');
    const prepare = (sql: string) => {
      const statement = database.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    const marks = (count: number) => Array(count).fill('?').join(', ');
    this.#last = prepare(`SELECT max(annals_sequence) FROM ${stage}`);
    this.#merges = prepare(`SELECT merges FROM ${stagesTable} WHERE name = ?`);
    // Where no index in memory names them, SQLite numbers the rows itself, each one behind the last.
    const into = `INSERT INTO ${stage} (${this.#index ? 'annals_sequence, ' : ''}${all}) VALUES`;
    this.#rows = new ManyRows(database, into, columns.length + (this.#index ? 1 : 0));
    this.#putDeleted = prepare(
      `INSERT INTO ${stage} (annals_sequence, annals_deleted, ${key}) VALUES (?, 1, ${marks(table.key.length)})`,
    );
    this.#at = prepare(`SELECT annals_deleted, ${all} FROM ${stage} WHERE annals_sequence = ?`);
    this.#keysAfter = prepare(
      `SELECT annals_sequence, ${key} FROM ${stage} WHERE annals_sequence > ? ORDER BY annals_sequence`,
    );
    this.#anyDeleted = prepare(`SELECT 1 FROM ${stage} WHERE annals_deleted = 1 LIMIT 1`);
    const name = quoted(table.name);
    this.#mergeSql = `INSERT OR REPLACE INTO ${name} (${all})
      SELECT ${all} FROM ${stage} WHERE annals_deleted IS NULL ORDER BY ${key}, annals_sequence`;
    // Of a GROUP BY with one max(), SQLite takes the other columns from the row that has it.
    this.#deleteSql = `DELETE FROM ${name} WHERE (${key}) IN (
      SELECT ${key} FROM (
        SELECT ${key}, annals_deleted, max(annals_sequence) FROM ${stage}
        WHERE (${key}) IN (SELECT ${key} FROM ${stage} WHERE annals_deleted = 1)
        GROUP BY ${key}
      ) WHERE annals_deleted = 1)`;
    this.#clearSql = `DELETE FROM ${stage};
      UPDATE ${stagesTable} SET merges = merges + 1 WHERE name = '${table.name}'`;
  }

  /** How many changes are put aside, by whomever: one lookup. */
  count(): number {
    const row = this.#last.get() as unknown as [number | null];
    return row[0] ?? 0;
  }

  /** At the start of a writing transaction. */
  begin(): void {
    this.#next = this.count() + 1;
    this.#catchUp();
  }

  put(key: readonly Cell[], cells: readonly SQLInputValue[]): void {
    this.#rows.add(cells, this.#index && this.#next);
    this.#appended(key);
  }

  /** At the end of a writing transaction: writes the rows that did not fill a statement. */
  flush(): void {
    this.#rows.flush();
  }

  putDeleted(key: readonly Cell[]): void {
    // What waits comes before it.
    this.#rows.flush();
    this.#putDeleted.run(this.#next, ...(key as SQLInputValue[]));
    this.#appended(key);
  }

  /** Whether `find` can answer now: not for rows that handlers never read. Before it, in the same transaction. */
  isReadable(): boolean {
    if (this.#index) this.#catchUp();
    return this.#index !== undefined || this.count() === 0;
  }

  find(key: readonly Cell[]): Staged {
    const sequence = this.#index?.get(key) ?? 0;
    if (sequence === 0) return 'absent';
    const cells = this.#at.get(sequence) as unknown as Cell[] | undefined;
    if (!cells) throw new Error(`${this.table.name}: nothing is put aside under ${sequence}`);
    const deleted = cells.shift() === 1;
    for (let n = 0; n < key.length; n += 1) {
      // Two keys have the same hash, or a text was written that SQLite gives back otherwise.
      if (!sameCell(cells[this.#keyPlaces[n] as number], key[n])) return 'unsure';
    }
    return deleted ? 'deleted' : cells;
  }

  /** Brings the rows to their places; of several for a key the last one counts. */
  merge(): void {
    this.#database.exec(this.#mergeSql);
    if (this.#anyDeleted.get()) this.#database.exec(this.#deleteSql);
    this.#database.exec(this.#clearSql);
    this.forget();
  }

  /** Forgets what is in memory: the transaction was rolled back, or everything was merged. */
  forget(): void {
    this.#index?.clear();
    this.#indexed = { merges: -1, sequence: 0 };
    this.#rows.forget();
    this.#next = 1;
  }

  #appended(key: readonly Cell[]): void {
    if (this.#index) {
      this.#index.set(key, this.#next);
      this.#indexed.sequence = this.#next;
    }
    this.#next += 1;
  }

  /** Reads what others put aside since, or all of it. */
  #catchUp(): void {
    const index = this.#index;
    if (!index) return;
    const [merges] = this.#merges.get(this.table.name) as unknown as [number];
    if (merges !== this.#indexed.merges) {
      if (this.#indexed.sequence > 0) index.clear();
      this.#indexed = { merges, sequence: 0 };
    }
    const rows = this.#keysAfter.iterate(this.#indexed.sequence);
    for (const key of rows as Iterable<unknown> as Iterable<Cell[]>) {
      const sequence = key.shift() as number;
      index.set(key, sequence);
      this.#indexed.sequence = sequence;
    }
  }
}

function sameCell(a: Cell | undefined, b: Cell | undefined): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  return a === b;
}
