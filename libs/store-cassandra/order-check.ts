import type { Cell, Row } from '@annals/projection';
import { hash64 } from './cells.ts';
import { type CassandraConnection, pause } from './connection.ts';
import { mapBounded } from './in-flight.ts';
import { limits } from './limits.ts';
import { placeIn } from './orders.ts';
import type { OrderRows, TableRows } from './table-rows.ts';

const attemptsMax = 3;

/**
 * Compares the orders of a table with its rows as they are now, both ways: by the sums of hashes of what is
 * there and what should be. A batch that comes between makes them differ for a moment, so a difference
 * counts only when it is there again and again.
 */
export async function orderProblems(
  connection: CassandraConnection,
  table: TableRows,
): Promise<readonly string[]> {
  let problems: string[] = [];
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    problems = [];
    for (const order of table.orders) {
      const wanted = await wantedEntries(table, order);
      const held = await heldEntries(connection, order);
      if (wanted.sum === held.sum && wanted.count === held.count) continue;
      const by = order.columns.join(', ');
      problems.push(
        `${table.table.name} by ${by}: ${held.count} entries for ${wanted.count} rows` +
          (wanted.count === held.count ? ', and some of them are others' : ''),
      );
    }
    if (problems.length === 0) return [];
    await pause(limits.settleMsMax / 2);
  }
  return problems;
}

interface Tally {
  count: number;
  /** Sum of a hash of each entry, whatever their order. */
  sum: bigint;
}

async function wantedEntries(table: TableRows, order: OrderRows): Promise<Tally> {
  const tally: Tally = { count: 0, sum: 0n };
  const buckets = Array.from({ length: table.buckets }, (_, bucket) => bucket);
  await mapBounded(buckets, limits.bucketsReadMax, async (bucket) => {
    let from: string | undefined;
    do {
      const page = await table.page(bucket, limits.snapshotPageRows, from);
      for (const { row } of page.rows) addRow(tally, order, row);
      from = page.next;
    } while (from !== undefined);
  });
  return tally;
}

function addRow(tally: Tally, order: OrderRows, row: Row): void {
  const cells = placeIn(order.order, row);
  if (cells) add(tally, cells);
}

async function heldEntries(connection: CassandraConnection, order: OrderRows): Promise<Tally> {
  const tally: Tally = { count: 0, sum: 0n };
  const query = `SELECT ${order.columns.map((column) => `"${column}"`).join(', ')} FROM ${order.name}`;
  for await (const page of connection.pages(query, [], limits.snapshotPageRows)) {
    for (const entry of page) add(tally, order.cellsOf(entry));
  }
  return tally;
}

function add(tally: Tally, cells: readonly Cell[]): void {
  tally.count += 1;
  tally.sum += hash64(cells);
}
