import { defineProjection, type Rows, type Table } from '@annals/projection';
import { daysTo } from '../utc-days.ts';
import { laneCategory, laneEvents, type RecordedLaneEvent } from './events.ts';
import type { DeliveryState } from './lane.ts';

/** The delivery log, and which lanes have something due. Each row depends on one stream. */

const deliveries: Table = {
  name: 'deliveries',
  columns: {
    endpoint_id: 'text',
    delivery_id: 'text',
    lane: 'text',
    event_id: 'text',
    event_type: 'text',
    state: 'text',
    attempts: 'integer',
    status: 'integer',
    detail: 'text',
    queued_at: 'integer',
    queued_day: 'integer',
    updated_at: 'integer',
    due_at: 'integer',
  },
  key: ['endpoint_id', 'delivery_id'],
  indexes: {
    time: ['endpoint_id', 'queued_at', 'delivery_id'],
    state: ['endpoint_id', 'state', 'queued_at', 'delivery_id'],
  },
  // By a day (since 1970), so that deliveries are counted by state without looking at each.
  ranked: { group: ['state'], score: 'queued_day' },
};

/** `waiting`: ids in the order they are told, each with the time it is due; `due_at` is that of the first. */
const lanes: Table = {
  name: 'lanes',
  columns: { lane: 'text', endpoint_id: 'text', due_at: 'integer', waiting: 'text' },
  key: ['lane'],
  indexes: { due: ['endpoint_id', 'due_at', 'lane'] },
};

type Waiting = readonly (readonly [id: string, dueAt: number])[];

/** A row of the delivery log. */
export interface DeliveryRow {
  readonly endpoint_id: string;
  readonly delivery_id: string;
  readonly lane: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly status: number | null;
  readonly detail: string;
  readonly queued_at: number;
  readonly updated_at: number;
  readonly due_at: number | null;
}

/** What an event makes of the row of its delivery, and of those that wait. */
function changed(
  event: RecordedLaneEvent,
  known: DeliveryRow | undefined,
  waiting: Waiting,
): { readonly row: Omit<DeliveryRow, 'updated_at'>; readonly waiting: Waiting } {
  const at = event.occurredAt;
  const { endpoint_id, delivery_id } = event.data;
  const others = waiting.filter(([id]) => id !== delivery_id);
  if (event.type === 'delivery-queued') {
    const { event_id, event_type } = event.data;
    const row = { endpoint_id, delivery_id, lane: event.stream, event_id, event_type };
    const fresh = { state: 'waiting', attempts: 0, status: null, detail: '' } as const;
    return {
      row: { ...row, ...fresh, queued_at: at, due_at: at },
      waiting: [...others, [delivery_id, at]],
    };
  }
  if (!known) throw new Error(`${event.stream}: ${event.type} of a delivery that was not queued`);
  switch (event.type) {
    case 'delivery-attempted': {
      const { attempt: attempts, outcome, status = null, detail, retry_at } = event.data;
      const said = { attempts, status, detail };
      if (outcome === 'failed' && retry_at !== undefined) {
        const due = waiting.map(
          (one) => (one[0] === delivery_id ? [delivery_id, retry_at] : one) as Waiting[number],
        );
        return { row: { ...known, ...said, due_at: retry_at }, waiting: due };
      }
      const state = outcome === 'delivered' ? 'delivered' : 'dead';
      return { row: { ...known, ...said, state, due_at: null }, waiting: others };
    }
    case 'delivery-skipped': {
      const { reason: detail } = event.data;
      return { row: { ...known, state: 'skipped', detail, due_at: null }, waiting: others };
    }
    case 'delivery-replay-requested':
      return {
        row: { ...known, state: 'waiting', due_at: at },
        waiting: [...others, [delivery_id, at]],
      };
  }
}

const handler = {
  touches: ({ stream, data }: RecordedLaneEvent) => [
    { table: 'deliveries', key: [data.endpoint_id, data.delivery_id] },
    { table: 'lanes', key: [stream] },
  ],
  apply: (event: RecordedLaneEvent, rows: Rows) => {
    const { stream: lane, data, occurredAt: updated_at } = event;
    const { endpoint_id, delivery_id } = data;
    const known = rows.get('deliveries', [endpoint_id, delivery_id]) as DeliveryRow | undefined;
    const before = rows.get('lanes', [lane]);
    const now = before ? (JSON.parse(before.waiting as string) as Waiting) : [];
    const { row, waiting } = changed(event, known, now);
    const queued_day = daysTo(row.queued_at);
    rows.put('deliveries', { ...row, queued_day, updated_at });
    const due_at = waiting[0]?.[1] ?? null;
    rows.put('lanes', { lane, endpoint_id, due_at, waiting: JSON.stringify(waiting) });
  },
};

export const webhooksProjection = defineProjection({
  name: 'webhooks',
  version: 2,
  categories: [laneCategory],
  tables: [deliveries, lanes],
  split: 'stream',
  onFailure: 'park',
  types: laneEvents,
  handlers: {
    'delivery-queued': handler,
    'delivery-attempted': handler,
    'delivery-skipped': handler,
    'delivery-replay-requested': handler,
  },
});
