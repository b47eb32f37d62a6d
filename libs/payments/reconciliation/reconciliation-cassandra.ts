import type { Cell, Row } from '@annals/projection';
import type { CassandraReads } from '@annals/store-cassandra';
import {
  answerFrom,
  type LiveCassandraGeneration,
  loaded,
  rowsOf,
} from '../read-model/live-cassandra.ts';
import {
  dayOfBook,
  type MovementRow,
  type MovementsReadModel,
  movementsPageOf,
} from './movements.ts';
import { type BreakRow, checkedQueue, type QueuesReadModel, queuedBreak } from './queues.ts';

/** Our side of every file in Cassandra: each day of each book is an order of its own. */
export function cassandraMovementsReadModel(live: LiveCassandraGeneration): MovementsReadModel {
  return {
    movements: ({ book, day, after, limit }) =>
      answerFrom(live, async (reads) => {
        const order = reads.order('movements', 'day', [dayOfBook(book, day)]);
        const start = after ? { after: [after.stream, after.revision] } : {};
        const places = await order.forward({ ...start, limit });
        const keys = places.map(({ stream, revision }): Row => {
          return { book, stream: stream as Cell, revision: revision as Cell };
        });
        const rows = await loaded(reads, 'movements', ['book', 'stream', 'revision'], keys);
        return movementsPageOf(book, rows as unknown as readonly MovementRow[], limit);
      }),
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

/** The queues of finance in Cassandra. */
export function cassandraQueuesReadModel(live: LiveCassandraGeneration): QueuesReadModel {
  return {
    queue: async (query) => {
      const { queue, state, after, limit } = checkedQueue(query);
      return answerFrom(live, async (reads) => {
        const start = after ? { after: [state, after.foundAt, after.breakId] } : { from: [state] };
        const places = await placesInState(reads, queue, { state, start, limit });
        const rows = await loaded(reads, 'breaks', ['stream', 'break_id'], places);
        return { breaks: (rows as unknown as readonly BreakRow[]).map(queuedBreak) };
      });
    },
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

async function placesInState(
  reads: CassandraReads,
  queue: string,
  {
    state,
    start,
    limit,
  }: {
    readonly state: string;
    readonly start: { readonly from?: readonly Cell[]; readonly after?: readonly Cell[] };
    readonly limit: number;
  },
): Promise<readonly Row[]> {
  const sorted = ['state', 'found_at', 'break_id', 'stream'];
  const places: Row[] = [];
  for await (const place of rowsOf(reads.order('breaks', 'queue', [queue]), sorted, start, limit)) {
    if (place.state !== state || places.length === limit) break;
    places.push(place);
  }
  return places;
}
