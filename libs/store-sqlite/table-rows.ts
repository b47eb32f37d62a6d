import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { Cell, ColumnType, Row, RowChange, Table } from '@annals/projection';
import { limits } from './limits.ts';
import { ManyRows } from './many-rows.ts';
import type { RankedWriter } from './ranked-index.ts';
import { cellsText, columnsOf, quoted } from './schema.ts';
import { StagedRows } from './staged-rows.ts';

/** The rows of one table through one connection, with its statements prepared once. */
export class TableRows {
  readonly table: Table;
  readonly #columns: readonly string[];
  readonly #types: readonly ColumnType[];
  readonly #isKey: readonly boolean[];
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #scored: Scored | undefined;
  readonly #cells: SQLInputValue[];
  readonly #database: DatabaseSync;
  #staged: StagedRows | undefined;
  #appended: ManyRows | undefined;

  constructor(database: DatabaseSync, table: Table) {
    this.table = table;
    this.#database = database;
    this.#columns = columnsOf(table);
    this.#types = this.#columns.map((column) => table.columns[column] as ColumnType);
    this.#isKey = this.#columns.map((column) => table.key.includes(column));
    this.#cells = this.#columns.map(() => null);
    const name = quoted(table.name);
    const all = this.#columns.map(quoted).join(', ');
    const byKey = table.key.map((column) => `${quoted(column)} = ?`).join(' AND ');
    this.#get = database.prepare(`SELECT ${all} FROM ${name} WHERE ${byKey}`);
    this.#get.setReturnArrays(true);
    this.#put = database.prepare(`INSERT ${this.#intoSql(name)} ${this.#onConflictSql()}`);
    this.#delete = database.prepare(`DELETE FROM ${name} WHERE ${byKey}`);
    this.#scored = table.ranked && new Scored(database, table, table.ranked, byKey);
  }

  #intoSql(name: string): string {
    const all = this.#columns.map(quoted).join(', ');
    return `INTO ${name} (${all}) VALUES (${this.#columns.map(() => '?').join(', ')})`;
  }

  /** Updating in place leaves alone the indexes whose columns did not change; REPLACE would not. */
  #onConflictSql(): string {
    const set = this.#columns
      .filter((_, n) => !this.#isKey[n])
      .map((column) => `${quoted(column)} = excluded.${quoted(column)}`);
    const key = this.table.key.map(quoted).join(', ');
    return `ON CONFLICT (${key}) ${set.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${set.join(', ')}`}`;
  }

  /** What is put aside while the generation is built. */
  get staged(): StagedRows {
    this.#staged ??= new StagedRows(this.#database, this.table);
    return this.#staged;
  }

  /** The transaction that wrote them is rolled back. */
  forgetWritten(): void {
    this.#staged?.forget();
    this.#appended?.forget();
  }

  load(key: readonly Cell[]): Row | undefined {
    const cells = this.#get.get(...(key as SQLInputValue[])) as unknown as Cell[] | undefined;
    return cells && this.#row(cells);
  }

  /** The same while the generation is built, where `staged.isReadable()`. */
  loadBuilding(key: readonly Cell[]): Row | undefined | 'unsure' {
    const staged = this.staged.find(key);
    if (staged === 'absent') return this.load(key);
    if (staged === 'unsure') return staged;
    return staged === 'deleted' ? undefined : this.#row(staged);
  }

  #row(cells: readonly Cell[]): Row {
    const row: { [column: string]: Cell } = {};
    for (let n = 0; n < cells.length; n += 1) row[this.#columns[n] as string] = cells[n] as Cell;
    return row;
  }

  /** Writes one change, and notes what it did to the ranked counts. */
  write(change: RowChange, counts: RankedWriter): void {
    this.#scored?.note(change, counts);
    if (change.row === null) this.#delete.run(...(change.key as SQLInputValue[]));
    else this.#put.run(...this.#checked(change.row));
  }

  /** Before the changes of a batch while the generation is built. */
  beginBuilding(): void {
    if (!this.table.inLogOrder) this.staged.begin();
  }

  /** Puts one change aside while the generation is built; what comes in the order of its key goes to its place at once. */
  writeBuilding({ key, row }: RowChange): void {
    if (this.table.inLogOrder) this.#append(key, row);
    else if (row === null) this.staged.putDeleted(key);
    else this.staged.put(key, this.#checked(row));
  }

  /** After the changes of a batch: all of it is written, and merged where it has become much. */
  endBuilding(): void {
    this.#appended?.flush();
    if (this.table.inLogOrder) return;
    this.staged.flush();
    if (this.staged.count() >= limits.stagedRowsMax) this.staged.merge();
  }

  #append(key: readonly Cell[], row: Row | null): void {
    this.#appended ??= new ManyRows(this.#database, this.#appendSql(), this.#columns.length);
    if (row) {
      this.#appended.add(this.#checked(row));
      return;
    }
    this.#appended.flush();
    this.#delete.run(...(key as SQLInputValue[]));
  }

  #appendSql(): string {
    const all = this.#columns.map(quoted).join(', ');
    return `INSERT OR REPLACE INTO ${quoted(this.table.name)} (${all}) VALUES`;
  }

  /**
   * The row's cells, checked: SQLite would store text that looks like an integer as one, and an
   * unsafe integer as the nearest safe one. The array is the same each time.
   */
  #checked(row: Row): SQLInputValue[] {
    const cells = this.#cells;
    for (let n = 0; n < cells.length; n += 1) {
      const cell = row[this.#columns[n] as string];
      if (!fits(cell, this.#types[n] as ColumnType) && (cell !== null || this.#isKey[n])) {
        const said = cell === null ? 'null' : typeof cell;
        throw new TypeError(
          `${this.table.name}.${this.#columns[n]} must be ${this.#types[n]}, not ${said}`,
        );
      }
      cells[n] = cell as SQLInputValue;
    }
    return cells;
  }
}

function fits(cell: Cell | undefined, type: ColumnType): boolean {
  if (type === 'text') return typeof cell === 'string';
  if (type === 'integer') return Number.isSafeInteger(cell);
  return cell instanceof Uint8Array;
}

/** What the rows of a ranked table count for. */
class Scored {
  readonly #name: string;
  readonly #group: readonly string[];
  readonly #score: string;
  readonly #before: StatementSync;

  constructor(
    database: DatabaseSync,
    table: Table,
    ranked: NonNullable<Table['ranked']>,
    byKey: string,
  ) {
    this.#name = table.name;
    this.#group = ranked.group;
    this.#score = ranked.score;
    const columns = [...ranked.group, ranked.score].map(quoted).join(', ');
    this.#before = database.prepare(`SELECT ${columns} FROM ${quoted(table.name)} WHERE ${byKey}`);
    this.#before.setReturnArrays(true);
  }

  note({ key, row }: RowChange, counts: RankedWriter): void {
    const cells = this.#before.get(...(key as SQLInputValue[])) as unknown as Cell[] | undefined;
    const before = cells?.pop();
    const after = row?.[this.#score];
    const groupBefore = cells && cellsText(cells);
    const groupAfter = row
      ? cellsText(this.#group.map((column) => row[column] as Cell))
      : undefined;
    if (before === after && groupBefore === groupAfter) return;
    if (typeof before === 'number' && groupBefore !== undefined) {
      counts.note(this.#name, groupBefore, before, -1);
    }
    if (typeof after === 'number' && groupAfter !== undefined) {
      counts.note(this.#name, groupAfter, after, 1);
    }
  }
}
