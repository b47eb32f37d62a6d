import type { CassandraConnection } from './connection.ts';
import { type PlacedStatement, writeGrouped } from './grouped-writes.ts';
import { mapBounded } from './in-flight.ts';
import { limits } from './limits.ts';
import { placeIn } from './orders.ts';
import type { KeyedRow, TableRows } from './table-rows.ts';

/**
 * Enters all rows of a table into its orders, each with the row's own stamp, while batches go on that keep
 * the orders themselves: an entry that such a batch removed carries a later stamp, and stays removed.
 */
export async function makeOrders(connection: CassandraConnection, table: TableRows): Promise<void> {
  const buckets = Array.from({ length: table.buckets }, (_, bucket) => bucket);
  await mapBounded(buckets, limits.bucketsReadMax, async (bucket) => {
    let from: string | undefined;
    do {
      const page = await table.page(bucket, limits.snapshotPageRows, from);
      await writeGrouped(connection, entriesOf(table, page.rows));
      from = page.next;
    } while (from !== undefined);
  });
}

function* entriesOf(table: TableRows, rows: readonly KeyedRow[]): Generator<PlacedStatement> {
  for (const order of table.orders) {
    for (const { stamp, row } of rows) {
      const cells = placeIn(order.order, row);
      if (cells) yield order.put(stamp, row, cells);
    }
  }
}
