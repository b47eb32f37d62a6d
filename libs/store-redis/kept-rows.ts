import type { Row } from '@annals/projection';
import { limits } from './limits.ts';

/** The rows of a table that were read from one shard while nothing of that table changed there. */
interface Kept {
  readonly mark: string;
  readonly rows: Map<string, Row | undefined>;
}

/**
 * A few rows of a generation that a process reads again and again, such as the names of those on top. A
 * shard says in every answer which batch last changed a table there: rows that were read under another
 * mark are forgotten as a whole, so that a change is never hidden, nor is what an erasure removed kept.
 */
export class KeptRows {
  readonly #tables = new Set<number>();
  readonly #kept = new Map<string, Kept>();
  readonly #rowsMax: number;

  constructor(shards: number) {
    this.#rowsMax = Math.ceil(limits.keptRowsMax / shards);
  }

  /** Tables whose marks answers must tell. */
  get tables(): readonly number[] {
    return [...this.#tables];
  }

  add(table: number): void {
    this.#tables.add(table);
  }

  /** The mark that a shard told last. */
  markOf(shard: number, table: number): string | undefined {
    return this.#kept.get(`${shard} ${table}`)?.mark;
  }

  /** Forgets what was read under another mark. */
  marked(shard: number, table: number, mark: string): void {
    const name = `${shard} ${table}`;
    if (this.#kept.get(name)?.mark !== mark) this.#kept.set(name, { mark, rows: new Map() });
  }

  /** Undefined where the row is not kept under this mark; a row that is known not to be there has none. */
  get(
    shard: number,
    table: number,
    mark: string,
    key: string,
  ): { row: Row | undefined } | undefined {
    const kept = this.#kept.get(`${shard} ${table}`);
    if (kept?.mark !== mark || !kept.rows.has(key)) return undefined;
    return { row: kept.rows.get(key) };
  }

  put(shard: number, table: number, mark: string, key: string, row: Row | undefined): void {
    const kept = this.#kept.get(`${shard} ${table}`);
    if (kept?.mark !== mark) return;
    const [oldest] = kept.rows.keys();
    if (kept.rows.size >= this.#rowsMax && oldest !== undefined) kept.rows.delete(oldest);
    kept.rows.set(key, row);
  }
}
