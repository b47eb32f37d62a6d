import type { KeptRows, Row } from '@annals/projection';
import type { TableMarks } from './changed-tables.ts';

interface LoadedRow {
  readonly table: string;
  readonly key: string;
  readonly row: Row | undefined;
}

/**
 * The rows that one run of a read has from memory, and those that it leaves there. Both lie between two looks at which batch
 * changed each table last; what is kept counts when the look after says what the look before did.
 */
export class KeptReads {
  readonly #rows: KeptRows;
  readonly #before: TableMarks;
  readonly #mayUse: boolean;
  readonly #mayKeep: boolean;
  readonly #used = new Map<string, string>();
  readonly #loaded: LoadedRow[] = [];

  /**
   * `mayUse`: whether the read may be run again, where what was in memory turns out to be of before; `mayKeep`: whether rows
   * are left there at all.
   */
  constructor(
    rows: KeptRows,
    before: TableMarks,
    { mayUse, mayKeep = true }: { readonly mayUse: boolean; readonly mayKeep?: boolean },
  ) {
    this.#rows = rows;
    this.#before = before;
    this.#mayUse = mayUse && mayKeep;
    this.#mayKeep = mayKeep;
  }

  /** Undefined where it has to be asked for; a row that is known not to be there has none. */
  get(table: string, key: string): { readonly row: Row | undefined } | undefined {
    const mark = this.#mayUse ? this.#before.of(table) : undefined;
    const held = mark === undefined ? undefined : this.#rows.get(table, mark, key);
    if (held && mark !== undefined) this.#used.set(table, mark);
    return held;
  }

  loaded(table: string, key: string, row: Row | undefined): void {
    if (this.#mayKeep) this.#loaded.push({ table, key, row });
  }

  /** Keeps what no batch can have changed since it was read. False where what was in memory may have been changed. */
  settle(after: TableMarks): boolean {
    const tables = new Set([...this.#used.keys(), ...this.#loaded.map(({ table }) => table)]);
    const keepable = new Map<string, string>();
    for (const table of tables) {
      const mark = after.of(table);
      // Under no mark, nothing is found again.
      this.#rows.marked(table, mark ?? unknown);
      // Until a batch is written to its end, a row may be the one of before it, and no mark would ever tell.
      const isWritten = this.#before.isWritten(table) && after.isWritten(table);
      if (mark !== undefined && mark === this.#before.of(table) && isWritten) {
        keepable.set(table, mark);
      }
    }
    for (const { table, key, row } of this.#loaded) {
      const mark = keepable.get(table);
      if (mark !== undefined) this.#rows.put(table, mark, key, row);
    }
    return [...this.#used].every(([table, mark]) => after.of(table) === mark);
  }
}

const unknown = 'unknown';
