import { KeptRows } from '@annals/projection';
import { limits } from './limits.ts';

/** The rows that the reads of a generation keep, by shard and table. */
export class KeptTables {
  readonly rows: KeptRows;
  /** Tables whose marks answers must tell. */
  readonly #tables = new Set<number>();

  constructor(shards: number) {
    this.rows = new KeptRows(Math.ceil(limits.keptRowsMax / shards));
  }

  get tables(): readonly number[] {
    return [...this.#tables];
  }

  add(table: number): void {
    this.#tables.add(table);
  }
}

/** A shard is a place of its own for each table. */
export function placeOf(shard: number, table: number): string {
  return `${shard} ${table}`;
}
