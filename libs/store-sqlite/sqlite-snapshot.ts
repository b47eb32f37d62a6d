import type { DatabaseSync } from 'node:sqlite';
import type { Checkpoint } from '@annals/event-log';
import type { Cell, GenerationSnapshot, GenerationSpec, Row, Table } from '@annals/projection';
import { closedError, storeError } from './errors.ts';
import { openDatabase } from './generation-file.ts';
import { limits } from './limits.ts';
import { rankedProblems } from './ranked-index.ts';
import { columnsOf, quoted } from './schema.ts';
import { readCheckpoint } from './shares.ts';

/** A read transaction on a connection of its own: WAL keeps showing it one state while commits go on. */
export class SqliteSnapshot implements GenerationSnapshot {
  readonly checkpoint: Checkpoint;
  readonly #database: DatabaseSync;
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #building: boolean;
  readonly #path: string;

  constructor(path: string, spec: GenerationSpec) {
    this.#path = path;
    this.#tables = new Map(spec.tables.map((table) => [table.name, table]));
    this.#database = openDatabase(path, 'read-only');
    try {
      this.#database.exec(`PRAGMA cache_size = -${limits.readerCacheKib}; BEGIN`);
      this.checkpoint = readCheckpoint(this.#database, spec.split);
      const state = this.#database.prepare('SELECT building FROM annals_state').get();
      this.#building = state?.building === 1;
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  async count(table: string): Promise<number> {
    const { name } = this.#table(table);
    const sql = `SELECT count(*) AS n FROM ${quoted(name)}`;
    return this.#named(() => Number(this.#database.prepare(sql).get()?.n));
  }

  async *rows(name: string): AsyncIterable<readonly Row[]> {
    const table = this.#table(name);
    const columns = columnsOf(table);
    const key = table.key.map(quoted).join(', ');
    const rows = this.#named(() => {
      const statement = this.#database.prepare(
        `SELECT ${columns.map(quoted).join(', ')} FROM ${quoted(name)} ORDER BY ${key}`,
      );
      statement.setReturnArrays(true);
      return (statement.iterate() as Iterable<unknown> as Iterable<Cell[]>)[Symbol.iterator]();
    });
    const nextPage = () => {
      const page: Row[] = [];
      while (page.length < limits.snapshotPageRows) {
        const next = rows.next();
        if (next.done) break;
        page.push(Object.fromEntries(columns.map((column, n) => [column, next.value[n] as Cell])));
      }
      return page;
    };
    for (;;) {
      const page = this.#named(nextPage);
      if (page.length > 0) yield page;
      if (page.length < limits.snapshotPageRows) return;
    }
  }

  async problems(): Promise<readonly string[]> {
    // What is derived is made when building is finished.
    if (this.#building) return [];
    return this.#named(() => this.#problems());
  }

  #problems(): string[] {
    const found = [...this.#tables.values()].flatMap((table) =>
      table.ranked ? rankedProblems(this.#database, table) : [],
    );
    const check = this.#database.prepare('PRAGMA quick_check(20)').all();
    const said = check.map((row) => String(row.quick_check)).filter((text) => text !== 'ok');
    return [...found, ...said];
  }

  async close(): Promise<void> {
    if (this.#database.isOpen) this.#database.close();
  }

  /** Errors of SQLite name the file and what to do. */
  #named<T>(run: () => T): T {
    if (!this.#database.isOpen) throw closedError(this.#path);
    try {
      return run();
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }

  #table(name: string): Table {
    const table = this.#tables.get(name);
    if (!table) throw new TypeError(`there is no table ${name}`);
    return table;
  }
}
