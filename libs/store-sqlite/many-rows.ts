import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';

/** Rows written by one statement: a third of the time goes into running a statement, whatever it writes. */
const rowsInStatement = 16;

/** Inserts rows, several by one statement. What was added is written when it fills a statement, and by `flush`. */
export class ManyRows {
  readonly #one: StatementSync;
  readonly #many: StatementSync;
  readonly #columns: number;
  /** Cells of rows that wait until they fill a statement. */
  readonly #waiting: SQLInputValue[] = [];

  /** `into` goes up to `VALUES`. */
  constructor(database: DatabaseSync, into: string, columns: number) {
    const row = `(${Array(columns).fill('?').join(', ')})`;
    this.#one = database.prepare(`${into} ${row}`);
    this.#many = database.prepare(`${into} ${Array(rowsInStatement).fill(row).join(', ')}`);
    this.#columns = columns;
  }

  /** The cells of one row, `first` before them where the statement has one column more. */
  add(cells: readonly SQLInputValue[], first?: SQLInputValue): void {
    const waiting = this.#waiting;
    if (first !== undefined) waiting.push(first);
    for (let n = 0; n < cells.length; n += 1) waiting.push(cells[n] as SQLInputValue);
    if (waiting.length < rowsInStatement * this.#columns) return;
    this.#many.run(...waiting);
    waiting.length = 0;
  }

  flush(): void {
    for (let start = 0; start < this.#waiting.length; start += this.#columns) {
      this.#one.run(...this.#waiting.slice(start, start + this.#columns));
    }
    this.#waiting.length = 0;
  }

  /** The transaction was rolled back: what waits is not written. */
  forget(): void {
    this.#waiting.length = 0;
  }
}
