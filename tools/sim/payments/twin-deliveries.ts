import {
  type DeliveryLog,
  type DeliveryState,
  type LoggedDelivery,
  webhookLimits,
} from '@annals/payments/webhooks-out';
import type { Row } from '@annals/projection';
import { inOrder, type TwinReads } from './twin-reads.ts';

interface DeliveryRow {
  readonly queued_at: number;
  readonly delivery_id: string;
  readonly row: Row;
}

interface LaneRow {
  readonly lane: string;
  readonly endpoint_id: string;
  readonly due_at: number | null;
}

/** The delivery log over the store twin: tables are read whole, and sorted. */
export function twinDeliveries(reads: TwinReads): DeliveryLog {
  return {
    deliveries: ({ endpointId, state, since = Number.MIN_SAFE_INTEGER, after, limit }) =>
      reads.answer(async (rows) => {
        if (!(limit >= 1 && limit <= webhookLimits.pageDeliveriesMax && limit % 1 === 0)) {
          throw new RangeError(`the limit ${limit} is out of bounds`);
        }
        const wanted = (await rows('deliveries')).filter(
          (row) =>
            row.endpoint_id === endpointId &&
            (state === undefined || row.state === state) &&
            Number(row.queued_at) >= since,
        );
        const place = after && [after.queuedAt, after.deliveryId];
        const range = { after: place, limit: limit + 1 };
        const found = inOrder(wanted.map(placed), ['queued_at', 'delivery_id'], range);
        const deliveries = found.slice(0, limit).map(({ row }) => logged(row));
        const last = deliveries.at(-1);
        const hasMore = found.length > limit && last !== undefined;
        const next = hasMore ? { queuedAt: last.queuedAt, deliveryId: last.deliveryId } : undefined;
        return { deliveries, next };
      }),
    delivery: (endpointId, deliveryId) =>
      reads.answer(async (rows) => {
        const all = await rows('deliveries');
        const row = all.find(
          (one) => one.endpoint_id === endpointId && one.delivery_id === deliveryId,
        );
        return { delivery: row && logged(row) };
      }),
    dueLanes: (endpointId, now, limit) =>
      reads.answer(async (rows) => {
        const lanes = (await rows('lanes')) as unknown as LaneRow[];
        const due = lanes.filter(
          ({ endpoint_id, due_at }) =>
            endpoint_id === endpointId && due_at !== null && due_at <= now,
        );
        return { lanes: inOrder(due, ['due_at', 'lane'], { limit }).map(({ lane }) => lane) };
      }),
    counts: () =>
      reads.answer(async (rows) => {
        const counts: { [state in DeliveryState]?: number } = {};
        for (const { state } of await rows('deliveries')) {
          counts[state as DeliveryState] = (counts[state as DeliveryState] ?? 0) + 1;
        }
        return { counts };
      }),
    waitFor: reads.waitFor,
  };
}

function placed(row: Row): DeliveryRow {
  return { queued_at: Number(row.queued_at), delivery_id: String(row.delivery_id), row };
}

function logged(row: Row): LoggedDelivery {
  return {
    ...{ endpointId: String(row.endpoint_id), deliveryId: String(row.delivery_id) },
    ...{ lane: String(row.lane), eventId: String(row.event_id) },
    ...{ eventType: String(row.event_type), state: row.state as DeliveryState },
    ...{ attempts: Number(row.attempts), detail: String(row.detail) },
    status: row.status === null ? undefined : Number(row.status),
    ...{ queuedAt: Number(row.queued_at), updatedAt: Number(row.updated_at) },
    dueAt: row.due_at === null ? undefined : Number(row.due_at),
  };
}
