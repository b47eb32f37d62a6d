import type { DatabaseSync } from 'node:sqlite';
import type { Checkpoint } from '@annals/event-log';
import {
  type Cell,
  type GenerationSnapshot,
  type GenerationSpec,
  lowestCheckpoint,
  type Row,
  type Table,
} from '@annals/projection';
import { openDatabase } from './generation-file.ts';
import { limits } from './limits.ts';
import { rankedProblems } from './ranked-index.ts';
import { columnsOf, quoted } from './schema.ts';
import { readWorkerCheckpoints } from './worker-checkpoints.ts';

/** A read transaction on a connection of its own: WAL keeps showing it one state while commits go on. */
export class SqliteSnapshot implements GenerationSnapshot {
  readonly checkpoint: Checkpoint;
  readonly #database: DatabaseSync;
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #building: boolean;

  constructor(path: string, spec: GenerationSpec) {
    this.#tables = new Map(spec.tables.map((table) => [table.name, table]));
    this.#database = openDatabase(path, 'read-only');
    try {
      this.#database.exec(`PRAGMA cache_size = -${limits.readerCacheKib}; BEGIN`);
      this.checkpoint = lowestCheckpoint(readWorkerCheckpoints(this.#database), spec.split);
      const state = this.#database.prepare('SELECT building FROM annals_state').get();
      this.#building = state?.building === 1;
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  async count(table: string): Promise<number> {
    const { name } = this.#table(table);
    const row = this.#database.prepare(`SELECT count(*) AS n FROM ${quoted(name)}`).get();
    return Number(row?.n);
  }

  async *rows(name: string): AsyncIterable<readonly Row[]> {
    const table = this.#table(name);
    const columns = columnsOf(table);
    const key = table.key.map(quoted).join(', ');
    const statement = this.#database.prepare(
      `SELECT ${columns.map(quoted).join(', ')} FROM ${quoted(name)} ORDER BY ${key}`,
    );
    statement.setReturnArrays(true);
    let page: Row[] = [];
    for (const cells of statement.iterate() as Iterable<unknown> as Iterable<Cell[]>) {
      page.push(Object.fromEntries(columns.map((column, n) => [column, cells[n] as Cell])));
      if (page.length < limits.snapshotPageRows) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }

  async problems(): Promise<readonly string[]> {
    // What is derived is made when building is finished.
    if (this.#building) return [];
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

  #table(name: string): Table {
    const table = this.#tables.get(name);
    if (!table) throw new TypeError(`there is no table ${name}`);
    return table;
  }
}
