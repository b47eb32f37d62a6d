import type { Bound, CassandraConnection, DriverRow } from '../connection.ts';
import { readMarker, tableNamesOf } from '../marker.ts';

/**
 * Copies all tables of a generation, as a snapshot of every node would at one moment. The function it gives
 * puts that copy back: rows with the timestamps they had, and nothing of what came later.
 */
export async function copyGeneration(
  connection: CassandraConnection,
  projection: string,
  generation: number,
): Promise<() => Promise<void>> {
  const { keyspace } = connection;
  const marker = await readMarker(connection, projection, generation);
  if (!marker) throw new Error('there is nothing to copy');
  const { instance } = marker;
  const names = tableNamesOf(marker);
  const tables = names.flatMap(({ rows, orders }) => [rows, ...orders.map(({ name }) => name)]);
  const copies = new Map<string, readonly DriverRow[]>();
  for (const name of tables) {
    copies.set(name, await connection.execute(`SELECT * FROM ${keyspace}.${name}`));
  }
  const workers = await connection.execute(
    `SELECT * FROM ${keyspace}.annals_workers WHERE instance = ? ALLOW FILTERING`,
    [instance],
  );
  const applied = await connection.execute(
    `SELECT * FROM ${keyspace}.annals_applied WHERE instance = ?`,
    [instance],
  );
  return async () => {
    for (const [name, rows] of copies) {
      await connection.schema(`TRUNCATE ${keyspace}.${name}`);
      for (const row of rows) await insert(connection, name, row, row.annals_stamp as bigint);
    }
    // Shared with generations of other tests, which are over.
    await connection.schema(`TRUNCATE ${keyspace}.annals_applied`);
    for (const row of applied) await insert(connection, 'annals_applied', row, row.seq as bigint);
    for (const row of workers) await setWorker(connection, row);
  };
}

async function insert(
  connection: CassandraConnection,
  table: string,
  row: DriverRow,
  timestamp: bigint,
): Promise<void> {
  const columns = Object.keys(row);
  await connection.execute(
    `INSERT INTO ${connection.keyspace}.${table} (${columns.map((column) => `"${column}"`).join(', ')})
     VALUES (${columns.map(() => '?').join(', ')}) USING TIMESTAMP ?`,
    [...columns.map((column) => row[column] as Bound), timestamp],
  );
}

async function setWorker(connection: CassandraConnection, row: DriverRow): Promise<void> {
  const columns = Object.keys(row).filter((column) => !['instance', 'worker'].includes(column));
  await connection.compareAndSet(
    `UPDATE ${connection.keyspace}.annals_workers SET ${columns.map((column) => `${column} = ?`).join(', ')}
     WHERE instance = ? AND worker = ? IF EXISTS`,
    [...columns.map((column) => row[column] as Bound), row.instance as Bound, row.worker as Bound],
  );
}
