import { randomBytes } from 'node:crypto';
import type { GenerationSpec, Table } from '@annals/projection';
import type { CassandraConnection } from './connection.ts';
import { storeError } from './errors.ts';
import { checkedGeneration, generationPrefix, tableName } from './names.ts';
import { type Order, ordersOf } from './orders.ts';
import { withRankTables } from './rank-nodes.ts';
import { createTables, dropTables, orderTableCql, rowTableCql, tableNames } from './schema.ts';

/** Raised when a program of before could not read the tables. A generation of another format is rebuilt, not converted. */
const formatVersion = 2;

/** What stands in the registry of a keyspace for a generation that is there. */
export interface Marker {
  /** The name it stands under; the spec carries the same one, where nobody keeps several of one name. */
  readonly projection: string;
  readonly spec: GenerationSpec;
  /** Tells two makings of one generation apart; in the names of its tables, so that none is ever used again. */
  readonly instance: string;
  readonly buckets: number;
  readonly orderShards: number;
  readonly format: number;
}

export interface Layout {
  readonly buckets: number;
  readonly orderShards: number;
}

/** The tables of a generation in Cassandra, in the order of `allTablesOf`. */
export interface TableNames {
  readonly rows: string;
  readonly orders: readonly { readonly order: Order; readonly name: string }[];
}

/** The tables of a generation's projection, and those that the store keeps ranks in. */
export function allTablesOf({ spec }: Pick<Marker, 'spec'>): readonly Table[] {
  return withRankTables(spec.tables);
}

export function tableNamesOf({ projection, spec, instance }: Marker): TableNames[] {
  const prefix = generationPrefix(projection, spec.generation);
  let number = 0;
  const next = (table: string) => {
    number += 1;
    return tableName(prefix, instance, number, table);
  };
  return allTablesOf({ spec }).map((table) => ({
    rows: next(table.name),
    orders: ordersOf(table).map((order) => ({ order, name: next(`${table.name}_order`) })),
  }));
}

/** The marker of a generation that this program can work with; one of an older format is as good as lost. */
export async function readableMarker(
  connection: CassandraConnection,
  projection: string,
  generation: number,
): Promise<Marker | undefined> {
  const marker = await readMarker(connection, projection, generation);
  return marker?.format === formatVersion ? marker : undefined;
}

export async function readMarker(
  connection: CassandraConnection,
  projection: string,
  generation: number,
): Promise<Marker | undefined> {
  const [row] = await connection.serialRead(
    `SELECT instance, spec, buckets, order_shards, format FROM ${connection.keyspace}.annals_generations
     WHERE projection = ? AND generation = ?`,
    [projection, BigInt(checkedGeneration(generation))],
  );
  if (!row?.spec) return undefined;
  if (Number(row.format) > formatVersion) {
    throw storeError('newer-format', `${projection} g${generation} has format ${row.format}`);
  }
  return {
    projection,
    spec: JSON.parse(String(row.spec)) as GenerationSpec,
    instance: String(row.instance),
    buckets: Number(row.buckets),
    orderShards: Number(row.order_shards),
    format: Number(row.format),
  };
}

/**
 * Makes the tables, then says so in the registry: nobody ever opens half a generation, and of two who make
 * it one wins. The other's tables are dropped again.
 */
export async function createGeneration(
  connection: CassandraConnection,
  projection: string,
  spec: GenerationSpec,
  layout: Layout,
): Promise<'created' | 'exists'> {
  const { generation } = spec;
  if (await readMarker(connection, projection, generation)) return 'exists';
  const instance = randomBytes(4).toString('hex');
  const marker: Marker = { projection, spec, instance, ...layout, format: formatVersion };
  const names = tableNamesOf(marker);
  await createTables(connection, definitions(spec, names));
  await createWorkers(connection, marker);
  const made = await connection.compareAndSet(
    `INSERT INTO ${connection.keyspace}.annals_generations
       (projection, generation, instance, spec, buckets, order_shards, format)
     VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS`,
    [
      projection,
      BigInt(generation),
      marker.instance,
      JSON.stringify(spec),
      layout.buckets,
      layout.orderShards,
      formatVersion,
    ],
  );
  // A compare-and-set may say that it failed after it took effect.
  const isOurs =
    made || (await readMarker(connection, projection, generation))?.instance === instance;
  if (isOurs) return 'created';
  await removeInstance(connection, marker);
  return 'exists';
}

function definitions(spec: GenerationSpec, names: readonly TableNames[]): string[] {
  return allTablesOf({ spec }).flatMap((table, n) => {
    const { rows, orders } = names[n] as TableNames;
    return [
      rowTableCql(rows, table),
      ...orders.map(({ name, order }) => orderTableCql(name, table, order)),
    ];
  });
}

async function createWorkers(
  connection: CassandraConnection,
  { instance, spec }: Marker,
): Promise<void> {
  const { keyspace } = connection;
  for (let worker = 0; worker < spec.workers; worker += 1) {
    await connection.compareAndSet(
      `INSERT INTO ${keyspace}.annals_workers
         (instance, worker, epoch, until, seq, checkpoint, hold_until, deriving, control)
       VALUES (?, ?, 0, 0, 0, '', 0, 'none', 0) IF NOT EXISTS`,
      [instance, worker],
    );
    await connection.execute(
      `INSERT INTO ${keyspace}.annals_applied (instance, worker, seq, checkpoint)
       VALUES (?, ?, 0, '') USING TIMESTAMP 0`,
      [instance, worker],
    );
  }
}

/** Removes a generation from the registry first: whoever has it open finds it lost. */
export async function dropGeneration(
  connection: CassandraConnection,
  projection: string,
  generation: number,
): Promise<void> {
  const marker = await readMarker(connection, projection, generation);
  if (marker) {
    await connection.compareAndSet(
      `DELETE FROM ${connection.keyspace}.annals_generations
       WHERE projection = ? AND generation = ? IF instance = ?`,
      [projection, BigInt(generation), marker.instance],
    );
    await removeInstance(connection, marker);
  }
  // What a process left behind that was killed while it made the generation.
  await dropTables(connection, await tablesLeft(connection, projection, generation));
}

/** Tables of a generation that are there, whether it is in the registry or not. */
export async function tablesLeft(
  connection: CassandraConnection,
  projection: string,
  generation: number,
): Promise<readonly string[]> {
  const prefix = generationPrefix(projection, generation);
  // The instance is looked at, too: the projection x-g1 has tables that begin like those of x, generation 1.
  const own = new RegExp(`^${prefix}[0-9a-f]{8}_[0-9]`);
  return (await tableNames(connection)).filter((name) => own.test(name));
}

/**
 * An instance's name is never used again, so what belongs to it may be deleted at today's time: whatever
 * a late writer still sends there, stamped with a small number, stays deleted.
 */
async function removeInstance(connection: CassandraConnection, marker: Marker): Promise<void> {
  const { keyspace } = connection;
  const { instance, spec } = marker;
  for (let worker = 0; worker < spec.workers; worker += 1) {
    await connection.compareAndSet(
      `DELETE FROM ${keyspace}.annals_workers WHERE instance = ? AND worker = ? IF EXISTS`,
      [instance, worker],
    );
  }
  await connection.execute(`DELETE FROM ${keyspace}.annals_applied WHERE instance = ?`, [instance]);
  const names = tableNamesOf(marker);
  await dropTables(
    connection,
    names.flatMap(({ rows, orders }) => [rows, ...orders.map(({ name }) => name)]),
  );
}
