import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { Table } from '@annals/projection';
import { limits } from './limits.ts';
import { columnsOf, quoted, stageName } from './schema.ts';

/**
 * The rows of a write-only table that are put aside while a generation is built: in the order they
 * come, which is several times cheaper than finding each one's place in a large table. They are merged
 * in key order when there are many, when somebody reads the table, and when building is finished.
 *
 * Tables whose rows handlers read gain nothing (measured): the index that finds their rows again, and
 * the merging of rows that change in every batch, cost what is saved.
 */
export class StagedRows {
  readonly #database: DatabaseSync;
  readonly #last: StatementSync;
  readonly #put: StatementSync;
  readonly #mergeSql: string;

  constructor(database: DatabaseSync, table: Table) {
    this.#database = database;
    const stage = stageName(table);
    const columns = columnsOf(table);
    const all = columns.map(quoted).join(', ');
    const key = table.key.map(quoted).join(', ');
    this.#last = database.prepare(`SELECT max(annals_sequence) FROM ${stage}`);
    this.#last.setReturnArrays(true);
    this.#put = database.prepare(
      `INSERT INTO ${stage} (${all}) VALUES (${columns.map(() => '?').join(', ')})`,
    );
    this.#mergeSql = `INSERT OR REPLACE INTO ${quoted(table.name)} (${all})
      SELECT ${all} FROM ${stage} ORDER BY ${key}, annals_sequence;
      DELETE FROM ${stage}`;
  }

  /** How many rows are put aside, by whomever: one lookup. */
  count(): number {
    const row = this.#last.get() as unknown as [number | null];
    return row[0] ?? 0;
  }

  get isFull(): boolean {
    return this.count() >= limits.stagedRowsMax;
  }

  put(cells: readonly SQLInputValue[]): void {
    this.#put.run(...cells);
  }

  /** Brings the rows to their places; of several for a key the last one counts. */
  merge(): void {
    this.#database.exec(this.#mergeSql);
  }
}
