import type { Row } from './projection.ts';

/** The rows of one place that were read under one mark. */
interface Kept {
  readonly mark: string;
  readonly rows: Map<string, Row | undefined>;
}

/**
 * A few rows that a reader asks for again and again, such as the names of those on top. What answers also says which batch
 * last changed a table in some place (a shard, a keyspace): its mark. Rows that were read under another
 * mark are forgotten as a whole, so that a change is never hidden, nor is what an erasure removed kept.
 */
export class KeptRows {
  readonly #kept = new Map<string, Kept>();
  readonly #rowsMax: number;

  /** Keeps `rowsMax` rows of each place, those that came last. */
  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax;
  }

  /** The mark that was told last. */
  markOf(place: string): string | undefined {
    return this.#kept.get(place)?.mark;
  }

  /** Forgets what was read under another mark. */
  marked(place: string, mark: string): void {
    if (this.markOf(place) !== mark) this.#kept.set(place, { mark, rows: new Map() });
  }

  /** Undefined where the row is not kept under this mark; a row that is known not to be there has none. */
  get(place: string, mark: string, key: string): { readonly row: Row | undefined } | undefined {
    const kept = this.#kept.get(place);
    if (kept?.mark !== mark || !kept.rows.has(key)) return undefined;
    return { row: kept.rows.get(key) };
  }

  /** Nothing is kept under a mark that was not told last. */
  put(place: string, mark: string, key: string, row: Row | undefined): void {
    const kept = this.#kept.get(place);
    if (kept?.mark !== mark) return;
    kept.rows.delete(key);
    const [oldest] = kept.rows.keys();
    if (kept.rows.size >= this.#rowsMax && oldest !== undefined) kept.rows.delete(oldest);
    kept.rows.set(key, row);
  }
}
