import type { Table } from '@annals/projection';
import { cqlTypes } from './cells.ts';
import { type CassandraConnection, pause } from './connection.ts';
import { storeError } from './errors.ts';
import { limits } from './limits.ts';
import { quoted } from './names.ts';
import { type Order, orderColumns } from './orders.ts';

/** Shared tables of a keyspace that belong together. Step n makes version n + 1; steps are never changed, only added. */
export interface SchemaPart {
  readonly name: string;
  readonly steps: readonly SchemaStep[];
}

/** Tables that are made, columns that are added; each does nothing where it is there. */
export interface SchemaStep {
  readonly tables?: readonly string[];
  readonly columns?: readonly { readonly table: string; readonly column: string }[];
}

/** What all generations of a keyspace share. */
const projectionTables: readonly string[] = [
  `annals_generations (
       projection text, generation bigint, instance text, spec text, buckets int, order_shards int,
       format int, PRIMARY KEY ((projection), generation))`,
  // Changed by compare-and-set only: leases, and which batch comes next.
  `annals_workers (
       instance text, worker int, epoch bigint, holder text, until bigint, seq bigint,
       checkpoint text, tail text, journal text, hold_at text, hold_until bigint, snapshots text,
       deriving text, control bigint, PRIMARY KEY ((instance, worker)))`,
  // How far the rows of each worker are written; stamped with its number, so that it never goes back.
  `annals_applied (
       instance text, worker int, seq bigint, checkpoint text, tail text, PRIMARY KEY ((instance), worker))`,
  // Never read after it was deleted, and never written again under its name.
  `annals_journals (
       instance text, ticket text, chunk int, body text, PRIMARY KEY ((instance, ticket), chunk)
     ) WITH gc_grace_seconds = 0`,
  // What rows were when a snapshot was taken; the first writer's word counts.
  `annals_before (
       instance text, snapshot text, tbl int, bucket int, key blob, cells text,
       PRIMARY KEY ((instance, snapshot, tbl, bucket), key)
     ) WITH gc_grace_seconds = 0`,
];

export const projectionSchema: SchemaPart = {
  name: 'projections',
  steps: [
    { tables: projectionTables },
    // Said before the first row of a batch is written: a reader knows by it that none was written meanwhile.
    { columns: [{ table: 'annals_applied', column: 'started bigint' }] },
    // Whose the keyspace is: written once, by compare-and-set.
    { tables: ['annals_site (id int, site text, PRIMARY KEY ((id)))'] },
    // Which batch changed each table last, said with `started`: a reader knows by it whether rows that it keeps are right.
    { columns: [{ table: 'annals_applied', column: 'changed text' }] },
  ],
};

const versionTable = 'annals_schema (part text, version int, PRIMARY KEY ((part)))';

/**
 * Makes the keyspace and the shared tables where they are missing, and brings an older version up.
 * Idempotent; several processes may do it at once.
 */
export async function migrate(
  connection: CassandraConnection,
  { name, steps }: SchemaPart,
): Promise<void> {
  const { keyspace, place } = connection;
  const version = await versionOf(connection, name);
  if (version === steps.length) return;
  if (version > steps.length) {
    throw storeError('newer-format', `${name} of keyspace ${keyspace} have version ${version}`);
  }
  if (version < 0) {
    await connection.schema(
      `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication =
         {'class': 'NetworkTopologyStrategy', 'replication_factor': ${place.replicas}}`,
    );
  }
  await createTable(connection, versionTable);
  for (const step of steps.slice(Math.max(0, version))) {
    for (const table of step.tables ?? []) await createTable(connection, table);
    for (const { table, column } of step.columns ?? []) {
      await connection.schema(`ALTER TABLE ${keyspace}.${table} ADD IF NOT EXISTS ${column}`);
    }
  }
  await connection.execute(
    `INSERT INTO ${keyspace}.annals_schema (part, version) VALUES (?, ?) USING TIMESTAMP ?`,
    [name, steps.length, BigInt(steps.length)],
  );
}

/** -1 without a keyspace, 0 without our tables in it. */
async function versionOf(connection: CassandraConnection, name: string): Promise<number> {
  const { keyspace } = connection;
  const keyspaces = await connection.execute(
    'SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?',
    [keyspace],
  );
  if (keyspaces.length === 0) return -1;
  if (!(await tableNames(connection)).includes('annals_schema')) return 0;
  const rows = await connection.execute(
    `SELECT version FROM ${keyspace}.annals_schema WHERE part = ?`,
    [name],
  );
  return Number(rows[0]?.version ?? 0);
}

async function createTable(connection: CassandraConnection, definition: string): Promise<void> {
  await connection.schema(`CREATE TABLE IF NOT EXISTS ${connection.keyspace}.${definition}`);
}

export async function tableNames(connection: CassandraConnection): Promise<readonly string[]> {
  const rows = await connection.execute(
    'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?',
    [connection.keyspace],
  );
  return rows.map((row) => String(row.table_name));
}

/**
 * The table of a generation's rows. A partition holds the rows of many keys, so that a batch of rows is
 * a few mutations, and the table can be read in key order by merging its partitions.
 */
export function rowTableCql(name: string, table: Table): string {
  const columns = Object.entries(table.columns).map(
    ([column, type]) => `${quoted(column)} ${cqlTypes[type]}`,
  );
  const key = table.key.map(quoted).join(', ');
  return `${name} (annals_bucket int, annals_stamp bigint, ${columns.join(', ')},
    PRIMARY KEY ((annals_bucket), ${key}))`;
}

/** The table of one order: write-sharded partitions of each group, sorted. */
export function orderTableCql(name: string, table: Table, order: Order): string {
  const columns = orderColumns(order).map((column) => {
    const type = table.columns[column];
    if (!type) throw new TypeError(`table ${table.name} has no column ${column}`);
    return `${quoted(column)} ${cqlTypes[type]}`;
  });
  const partition = [...order.group.map(quoted), 'annals_shard'].join(', ');
  const sorted = order.sorted.map(({ column }) => quoted(column)).join(', ');
  const directions = order.sorted
    .map(({ column, desc }) => `${quoted(column)} ${desc ? 'DESC' : 'ASC'}`)
    .join(', ');
  return `${name} (annals_shard int, annals_stamp bigint, ${columns.join(', ')},
    PRIMARY KEY ((${partition}), ${sorted})) WITH CLUSTERING ORDER BY (${directions})`;
}

export async function createTables(
  connection: CassandraConnection,
  definitions: readonly string[],
): Promise<void> {
  for (const definition of definitions) await createTable(connection, definition);
}

/** Drops tables one after the other; those that somebody else drops meanwhile are no trouble. */
export async function dropTables(
  connection: CassandraConnection,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    await connection.schema(`DROP TABLE IF EXISTS ${connection.keyspace}.${name}`);
  }
}

/** Waits until `isDone`, looking again and again; whether it came to be in time. */
export async function waited(isDone: () => Promise<boolean>): Promise<boolean> {
  for (let waitedMs = 0; ; waitedMs += limits.settlePollMs) {
    if (await isDone()) return true;
    if (waitedMs >= limits.settleMsMax) return false;
    await pause(limits.settlePollMs);
  }
}
