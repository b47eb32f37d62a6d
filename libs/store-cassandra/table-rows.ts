import type { Cell, ColumnType, Row, Table } from '@annals/projection';
import cassandra from 'cassandra-driver';
import {
  cellBytes,
  checkKey,
  checkRow,
  cqlTypes,
  fromBound,
  keyBytes,
  placeOf,
  rowFrom,
  toBound,
} from './cells.ts';
import type { Bound, CassandraConnection, DriverRow } from './connection.ts';
import type { PlacedStatement } from './grouped-writes.ts';
import { mapBounded } from './in-flight.ts';
import { limits } from './limits.ts';
import { allTablesOf, type Marker, type TableNames } from './marker.ts';
import { quoted } from './names.ts';
import { type Order, orderColumns, placeIn } from './orders.ts';

/** A row with the stamp of the batch that wrote it. */
export interface StampedRow {
  readonly stamp: number;
  readonly row: Row;
}

export interface KeyedRow extends StampedRow {
  readonly key: Buffer;
}

export interface BucketPage {
  readonly rows: readonly KeyedRow[];
  readonly next: string | undefined;
}

/** The rows of one table of a generation, and its orders. */
export class TableRows {
  readonly table: Table;
  /** The table's place in the spec. */
  readonly number: number;
  readonly buckets: number;
  readonly orders: readonly OrderRows[];
  readonly name: string;
  readonly #connection: CassandraConnection;
  readonly #columns: readonly string[];
  readonly #selected: string;
  readonly #loadOne: string;
  readonly #loadMany: string;
  readonly #put: string;
  readonly #delete: string;

  constructor(connection: CassandraConnection, marker: Marker, names: TableNames, number: number) {
    const table = allTablesOf(marker)[number] as Table;
    this.table = table;
    this.number = number;
    this.buckets = marker.buckets;
    this.#connection = connection;
    this.#columns = Object.keys(table.columns);
    this.name = `${connection.keyspace}.${names.rows}`;
    this.orders = names.orders.map(
      ({ order, name }) =>
        new OrderRows(`${connection.keyspace}.${name}`, table, order, marker.orderShards),
    );
    const all = this.#columns.map(quoted);
    this.#selected = `SELECT annals_stamp, ${all.join(', ')} FROM ${this.name} WHERE annals_bucket = ?`;
    const key = table.key.map(quoted);
    const byKey = key.map((column) => `${column} = ?`).join(' AND ');
    this.#loadOne = `${this.#selected} AND ${byKey}`;
    this.#loadMany = `${this.#selected} AND ${key.length === 1 ? key[0] : `(${key.join(', ')})`} IN ?`;
    this.#put = `INSERT INTO ${this.name} (annals_bucket, annals_stamp, ${all.join(', ')})
      VALUES (?, ?, ${all.map(() => '?').join(', ')}) USING TIMESTAMP ?`;
    this.#delete = `DELETE FROM ${this.name} USING TIMESTAMP ? WHERE annals_bucket = ? AND ${byKey}`;
  }

  /** Throws a TypeError for a change that does not fit the table. */
  check(key: readonly Cell[], row: Row | null): void {
    if (row === null) checkKey(this.table, key);
    else checkRow(this.table, key, row);
  }

  /** The rows of these keys that are there, by the key's text. */
  async load(keys: readonly (readonly Cell[])[]): Promise<ReadonlyMap<string, StampedRow>> {
    const buckets = new Map<number, (readonly Cell[])[]>();
    for (const key of keys) {
      const bucket = placeOf(keyBytes(key), this.buckets);
      const held = buckets.get(bucket);
      if (held) held.push(key);
      else buckets.set(bucket, [key]);
    }
    const parts = [...buckets].flatMap(([bucket, held]) =>
      Array.from({ length: Math.ceil(held.length / limits.loadKeysMax) }, (_, part) => ({
        bucket,
        keys: held.slice(part * limits.loadKeysMax, (part + 1) * limits.loadKeysMax),
      })),
    );
    const loaded = new Map<string, StampedRow>();
    await mapBounded(parts, limits.inFlightMax, async ({ bucket, keys: some }) => {
      for (const row of await this.#loadPart(bucket, some)) {
        loaded.set(row.key.toString('latin1'), row);
      }
    });
    return loaded;
  }

  async #loadPart(bucket: number, keys: readonly (readonly Cell[])[]): Promise<KeyedRow[]> {
    const [only] = keys;
    const rows =
      only && keys.length === 1
        ? await this.#connection.execute(this.#loadOne, [bucket, ...only.map(toBound)])
        : await this.#connection.execute(this.#loadMany, [bucket, keys.map(boundKey)]);
    return rows.map((row) => this.#keyed(row));
  }

  #keyed(held: DriverRow): KeyedRow {
    const row = rowFrom(this.#columns, held);
    return {
      key: keyBytes(this.table.key.map((column) => row[column] as Cell)),
      stamp: Number(held.annals_stamp),
      row,
    };
  }

  put(stamp: number, row: Row): PlacedStatement {
    const cells = this.#columns.map((column) => row[column] as Cell);
    const key = this.table.key.map((column) => row[column] as Cell);
    const bucket = placeOf(keyBytes(key), this.buckets);
    return {
      query: this.#put,
      params: [bucket, BigInt(stamp), ...cells.map(toBound), BigInt(stamp)],
      partition: `${this.name} ${bucket}`,
      bytes: cells.reduce<number>((sum, cell) => sum + cellBytes(cell), 40),
    };
  }

  /** A deletion with a stamp: a late writer's older row stays deleted, a later one is there. */
  delete(stamp: number, key: readonly Cell[]): PlacedStatement {
    const bucket = placeOf(keyBytes(key), this.buckets);
    return {
      query: this.#delete,
      params: [BigInt(stamp), bucket, ...key.map(toBound)],
      partition: `${this.name} ${bucket}`,
      bytes: key.reduce<number>((sum, cell) => sum + cellBytes(cell), 40),
    };
  }

  /** A page of one partition, in key order. */
  async page(bucket: number, rows: number, from: string | undefined): Promise<BucketPage> {
    const page = await this.#connection.page(this.#selected, [bucket], rows, from);
    return { rows: page.rows.map((row) => this.#keyed(row)), next: page.next };
  }
}

/** One key as `IN` takes it: a value, or a tuple of several. */
function boundKey(key: readonly Cell[]): Bound {
  const bound = key.map(toBound);
  return bound.length === 1
    ? (bound[0] as Bound)
    : (new cassandra.types.Tuple(...bound) as unknown as Bound);
}

/** One order of a table: entries that carry the columns it is sorted by, and lead to the row by its key. */
export class OrderRows {
  readonly order: Order;
  readonly name: string;
  readonly shards: number;
  readonly columns: readonly string[];
  readonly #table: Table;
  readonly #put: string;
  readonly #delete: string;

  constructor(name: string, table: Table, order: Order, shards: number) {
    this.name = name;
    this.order = order;
    this.shards = shards;
    this.#table = table;
    this.columns = orderColumns(order);
    const all = this.columns.map(quoted);
    this.#put = `INSERT INTO ${name} (annals_shard, annals_stamp, ${all.join(', ')})
      VALUES (?, ?, ${all.map(() => '?').join(', ')}) USING TIMESTAMP ?`;
    this.#delete = `DELETE FROM ${name} USING TIMESTAMP ? WHERE annals_shard = ? AND ${all
      .map((column) => `${column} = ?`)
      .join(' AND ')}`;
  }

  /** What a change of a row changes in this order. An entry that stays where it is is not touched. */
  changes(stamp: number, before: Row | undefined, after: Row | null): PlacedStatement[] {
    const from = before && placeIn(this.order, before);
    const to = after ? placeIn(this.order, after) : undefined;
    if (from && to && keyBytes(from).equals(keyBytes(to))) return [];
    const statements: PlacedStatement[] = [];
    if (from && before) statements.push(this.#deleted(stamp, before, from));
    if (to && after) statements.push(this.put(stamp, after, to));
    return statements;
  }

  put(stamp: number, row: Row, cells: readonly Cell[]): PlacedStatement {
    const shard = this.#shardOf(row);
    const params = [shard, BigInt(stamp), ...cells.map(toBound), BigInt(stamp)];
    return { query: this.#put, params, ...this.#placed(shard, cells) };
  }

  #deleted(stamp: number, row: Row, cells: readonly Cell[]): PlacedStatement {
    const shard = this.#shardOf(row);
    const params = [BigInt(stamp), shard, ...cells.map(toBound)];
    return { query: this.#delete, params, ...this.#placed(shard, cells) };
  }

  #placed(shard: number, cells: readonly Cell[]): Pick<PlacedStatement, 'partition' | 'bytes'> {
    const group = keyBytes(cells.slice(0, this.order.group.length)).toString('latin1');
    return {
      partition: `${this.name} ${shard} ${group}`,
      bytes: cells.reduce<number>((sum, cell) => sum + cellBytes(cell), 40),
    };
  }

  #shardOf(row: Row): number {
    return placeOf(keyBytes(this.#table.key.map((column) => row[column] as Cell)), this.shards);
  }

  /** An entry's cells, in the order's columns. */
  cellsOf(held: DriverRow): readonly Cell[] {
    return this.columns.map((column) => fromBound(held[column]));
  }

  typeOf(column: string): string {
    return cqlTypes[this.#table.columns[column] as ColumnType];
  }
}
