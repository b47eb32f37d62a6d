import type { Cell, Row, Table } from '@annals/projection';
import { fromJsonCell, type JsonCell, keyBytes, placeOf, toJsonCell } from './cells.ts';
import type { CassandraConnection } from './connection.ts';
import type { PlacedStatement } from './grouped-writes.ts';
import type { Marker } from './marker.ts';
import type { TableRows } from './table-rows.ts';

export interface BeforeImage {
  readonly key: Buffer;
  /** What the row was; undefined when there was none. */
  readonly row: Row | undefined;
}

/** More than any worker commits batches. */
const base = 2n ** 61n;

/**
 * What rows were when a snapshot was taken, kept by whoever changes them while it is open, and written
 * before the row is. Of several changes the first one's image counts: the earlier the batch, the later
 * the timestamp it is written with. A batch that is written twice may find a row gone that a later batch
 * deleted; so "there was none" yields to an image of the same batch.
 */
export class BeforeImages {
  readonly #connection: CassandraConnection;
  readonly #marker: Marker;
  readonly #put: string;
  readonly #name: string;

  constructor(connection: CassandraConnection, marker: Marker) {
    this.#connection = connection;
    this.#marker = marker;
    this.#name = `${connection.keyspace}.annals_before`;
    this.#put = `INSERT INTO ${this.#name} (instance, snapshot, tbl, bucket, key, cells)
      VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?`;
  }

  put(
    snapshot: string,
    ttlSeconds: number,
    seq: number,
    { table, number }: TableRows,
    key: readonly Cell[],
    before: Row | undefined,
  ): PlacedStatement {
    const bytes = keyBytes(key);
    const bucket = placeOf(bytes, this.#marker.buckets);
    const text = before ? imageText(table, before) : '';
    const timestamp = base - 2n * BigInt(seq) - (before ? 0n : 1n);
    const { instance } = this.#marker;
    return {
      query: this.#put,
      params: [instance, snapshot, number, bucket, bytes, text, timestamp, ttlSeconds],
      partition: `${this.#name} ${snapshot} ${number} ${bucket}`,
      bytes: bytes.length + text.length + 80,
    };
  }

  /** The images of one partition with keys above `after` and up to `upTo`, in key order. */
  async read(
    snapshot: string,
    { table, number }: TableRows,
    bucket: number,
    after: Buffer | undefined,
    upTo: Buffer | undefined,
  ): Promise<readonly BeforeImage[]> {
    const query = `SELECT key, cells FROM ${this.#name}
      WHERE instance = ? AND snapshot = ? AND tbl = ? AND bucket = ? AND key > ?`;
    const params = [this.#marker.instance, snapshot, number, bucket, after ?? Buffer.alloc(0)];
    const pages = upTo
      ? this.#connection.pages(`${query} AND key <= ?`, [...params, upTo], 1_000)
      : this.#connection.pages(query, params, 1_000);
    const images: BeforeImage[] = [];
    for await (const page of pages) {
      for (const { key, cells } of page) {
        images.push({ key: key as Buffer, row: imageFrom(table, String(cells)) });
      }
    }
    return images;
  }
}

function imageText(table: Table, row: Row): string {
  return JSON.stringify(
    Object.keys(table.columns).map((column) => toJsonCell(row[column] as Cell)),
  );
}

function imageFrom(table: Table, text: string): Row | undefined {
  if (text === '') return undefined;
  const cells = JSON.parse(text) as JsonCell[];
  return Object.fromEntries(
    Object.keys(table.columns).map((column, n) => [column, fromJsonCell(cells[n] as JsonCell)]),
  );
}
