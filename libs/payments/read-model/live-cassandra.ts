import type { Checkpoint } from '@annals/event-log';
import { type Cell, type Row, StoreLostError } from '@annals/projection';
import type { CassandraReader, CassandraReads, OrderReads } from '@annals/store-cassandra';
import type { Answer, Followed } from './live.ts';

/** The live generation of a projection's store: what an app makes of a `CassandraLiveReader` of `store-cassandra`. */
export interface LiveCassandraGeneration extends Followed {
  current(): Promise<
    | { readonly kind: 'ready'; readonly reader: Pick<CassandraReader, 'read' | 'checkpoint'> }
    | { readonly kind: 'lost' }
  >;
}

/** Reads again where batches came between; where they always do, parts are of a later checkpoint than `asOf`. */
export function answerFrom<T extends object>(
  live: LiveCassandraGeneration,
  read: (reads: CassandraReads) => Promise<T>,
): Promise<Answer<T>> {
  return found(live, async (reader) => {
    const { value, checkpoint: asOf, exact } = await reader.read(read);
    return { kind: 'answer', asOf, ...(exact ? {} : { exact }), ...value };
  });
}

/** Reads once. All that `asOf` covers is there, and may be mixed with what came later: `read` tells them apart. */
export function answerAt<T extends object>(
  live: LiveCassandraGeneration,
  read: (reads: CassandraReads, asOf: Checkpoint) => Promise<T>,
): Promise<Answer<T>> {
  return found(live, async (reader) => {
    const asOf = await reader.checkpoint();
    const { value } = await reader.read((reads) => read(reads, asOf), { readsMax: 1 });
    return { kind: 'answer', asOf, ...value };
  });
}

async function found<T extends object>(
  live: LiveCassandraGeneration,
  read: (reader: Pick<CassandraReader, 'read' | 'checkpoint'>) => Promise<Answer<T>>,
): Promise<Answer<T>> {
  try {
    const current = await live.current();
    return current.kind === 'lost' ? { kind: 'lost' } : await read(current.reader);
  } catch (error) {
    if (error instanceof StoreLostError) return { kind: 'lost' };
    throw error;
  }
}

/** Rows of an order from its beginning, from these cells on, or after them, as long as they are asked for. */
export async function* rowsOf(
  order: OrderReads,
  sorted: readonly string[],
  start: { readonly from?: readonly Cell[]; readonly after?: readonly Cell[] } = {},
  pageRows = 200,
): AsyncGenerator<Row> {
  for (let range = start; ; ) {
    const rows = await order.forward({ ...range, limit: pageRows });
    yield* rows;
    const last = rows.at(-1);
    if (!last || rows.length < pageRows) return;
    range = { after: sorted.map((column) => last[column] as Cell) };
  }
}

/** The rows of these places in an order, read by their keys: in their order, without those that are gone meanwhile. */
export async function loaded(
  reads: CassandraReads,
  table: string,
  key: readonly string[],
  places: readonly Row[],
): Promise<readonly Row[]> {
  if (places.length === 0) return [];
  const keys = places.map((place) => ({ table, key: key.map((column) => place[column] as Cell) }));
  const rows = await reads.load(keys);
  // A place may be older or newer than its row: then the order is read again, or it was the row of a later batch.
  return rows.filter(
    (row, n) =>
      row !== undefined &&
      Object.entries(places[n] ?? {}).every(([column, cell]) => row[column] === cell),
  ) as Row[];
}
