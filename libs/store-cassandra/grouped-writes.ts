import type { CassandraConnection, Statement } from './connection.ts';
import { mapBounded } from './in-flight.ts';
import { limits } from './limits.ts';

export interface PlacedStatement extends Statement {
  /** Equal for statements of one partition of one table, and only for those. */
  readonly partition: string;
  /** About what it takes in a request. */
  readonly bytes: number;
}

/**
 * Writes stamped statements, those of one partition together: Cassandra applies them as one mutation,
 * which is several times cheaper than one for each. In no order: no two of them may change one cell.
 */
export async function writeGrouped(
  connection: CassandraConnection,
  statements: Iterable<PlacedStatement>,
): Promise<void> {
  const batches: Statement[][] = [];
  const open = new Map<string, { readonly batch: Statement[]; bytes: number }>();
  for (const { partition, bytes, query, params } of statements) {
    let group = open.get(partition);
    const isFull =
      group &&
      (group.bytes + bytes > limits.batchBytesMax || group.batch.length >= limits.batchRowsMax);
    if (!group || isFull) {
      group = { batch: [], bytes: 0 };
      open.set(partition, group);
      batches.push(group.batch);
    }
    group.batch.push({ query, params });
    group.bytes += bytes;
  }
  await mapBounded(batches, limits.inFlightMax, (batch) => connection.batch(batch));
}
