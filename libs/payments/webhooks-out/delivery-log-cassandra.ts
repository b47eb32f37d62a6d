import type { Cell, Row } from '@annals/projection';
import type { CassandraReads } from '@annals/store-cassandra';
import {
  answerFrom,
  type LiveCassandraGeneration,
  loaded,
  rowsOf,
} from '../read-model/live-cassandra.ts';
import type { DeliveryRow } from './deliveries.ts';
import {
  checkedPage,
  type DeliveriesPage,
  type DeliveryLog,
  type DeliveryQuery,
  deliveriesPageOf,
  logged,
} from './delivery-log.ts';
import { deliveryStates } from './lane.ts';

/** The delivery log in Cassandra: lists are orders of their tables, and states are counted without being read. */
export function cassandraDeliveryLog(live: LiveCassandraGeneration): DeliveryLog {
  return {
    deliveries: async (query) => {
      const checked = checkedPage(query);
      return answerFrom(live, (reads) => pageOf(reads, checked));
    },
    delivery: (endpointId, deliveryId) =>
      answerFrom(live, async (reads) => {
        const key = [endpointId, deliveryId];
        const [row] = await reads.load([{ table: 'deliveries', key }]);
        return { delivery: row && logged(row as unknown as DeliveryRow) };
      }),
    dueLanes: (endpointId, now, limit) =>
      answerFrom(live, async (reads) => ({ lanes: await dueLanes(reads, endpointId, now, limit) })),
    counts: () =>
      answerFrom(live, async (reads) => {
        const counts = await Promise.all(
          deliveryStates.map(async (state) => {
            const { total } = await reads.ranks('deliveries', [state]).counts([]);
            return [state, total] as const;
          }),
        );
        return { counts: Object.fromEntries(counts.filter(([, count]) => count > 0)) };
      }),
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

async function pageOf(
  reads: CassandraReads,
  { endpointId, state, since, after, limit }: DeliveryQuery,
): Promise<DeliveriesPage> {
  const inState: Cell[] = state === undefined ? [] : [state];
  const place = after ? [after.queuedAt, after.deliveryId] : since === undefined ? [] : [since];
  const cells = [...inState, ...place];
  const start = after ? { after: cells } : { from: cells };
  const sorted = [...(state === undefined ? [] : ['state']), 'queued_at', 'delivery_id'];
  const order = reads.order('deliveries', state === undefined ? 'time' : 'state', [endpointId]);
  const found: DeliveryRow[] = [];
  let places: Row[] = [];
  const take = async () => {
    const rows = await loaded(reads, 'deliveries', ['endpoint_id', 'delivery_id'], places);
    found.push(...(rows as unknown as readonly DeliveryRow[]));
    places = [];
  };
  for await (const one of rowsOf(order, sorted, start, limit + 1)) {
    if (state !== undefined && one.state !== state) break;
    places.push({ ...one, endpoint_id: endpointId });
    if (found.length + places.length <= limit) continue;
    await take();
    if (found.length > limit) break;
  }
  await take();
  return deliveriesPageOf(found, limit);
}

async function dueLanes(
  reads: CassandraReads,
  endpointId: string,
  now: number,
  limit: number,
): Promise<readonly string[]> {
  const lanes: string[] = [];
  const order = reads.order('lanes', 'due', [endpointId]);
  for await (const place of rowsOf(order, ['due_at', 'lane'], {}, limit)) {
    if ((place.due_at as number) > now || lanes.length === limit) break;
    lanes.push(place.lane as string);
  }
  return lanes;
}
