import type { ReadTransaction } from '@annals/store-sqlite';
import { type Answer, answer, type Followed, type LiveGeneration } from '../read-model/live.ts';
import type { DeliveryRow } from './deliveries.ts';
import { type DeliveryState, deliveryStates } from './lane.ts';
import { webhookLimits as limits } from './limits.ts';

/** A delivery as the log of deliveries shows it. Times are milliseconds since 1970. */
export interface LoggedDelivery {
  readonly endpointId: string;
  readonly deliveryId: string;
  /** The stream that it is in. */
  readonly lane: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** Of the last answer; undefined where there was none. */
  readonly status: number | undefined;
  readonly detail: string;
  readonly queuedAt: number;
  readonly updatedAt: number;
  readonly dueAt: number | undefined;
}

/** Where a page ended. */
export interface DeliveryPlace {
  readonly queuedAt: number;
  readonly deliveryId: string;
}

export interface DeliveriesPage {
  readonly deliveries: readonly LoggedDelivery[];
  /** Undefined at the end. */
  readonly next: DeliveryPlace | undefined;
}

export interface DeliveryQuery {
  readonly endpointId: string;
  readonly state?: DeliveryState;
  /** Queued then or later. */
  readonly since?: number;
  readonly after?: DeliveryPlace;
  readonly limit: number;
}

export type DeliveryCounts = { readonly [State in DeliveryState]?: number };

export interface DeliveryLog extends Followed {
  /** The oldest first. Throws RangeError for a limit that is out of bounds. */
  deliveries(query: DeliveryQuery): Promise<Answer<DeliveriesPage>>;
  delivery(
    endpointId: string,
    deliveryId: string,
  ): Promise<Answer<{ readonly delivery: LoggedDelivery | undefined }>>;
  /** Lanes of an endpoint whose next delivery is due, the longest due first. */
  dueLanes(
    endpointId: string,
    now: number,
    limit: number,
  ): Promise<Answer<{ readonly lanes: readonly string[] }>>;
  /** How many there are in each state, over all endpoints: for metrics. */
  counts(): Promise<Answer<{ readonly counts: DeliveryCounts }>>;
}

const columns =
  'endpoint_id, delivery_id, lane, event_id, event_type, state, attempts, status, detail, queued_at, updated_at, due_at';

/** Every query of this read model. */
export const deliveriesSql = {
  page: `SELECT ${columns} FROM deliveries WHERE endpoint_id = ? AND (queued_at, delivery_id) > (?, ?)
    ORDER BY queued_at, delivery_id LIMIT ? + 0`,
  pageInState: `SELECT ${columns} FROM deliveries
    WHERE endpoint_id = ? AND state = ? AND (queued_at, delivery_id) > (?, ?)
    ORDER BY queued_at, delivery_id LIMIT ? + 0`,
  one: `SELECT ${columns} FROM deliveries WHERE endpoint_id = ? AND delivery_id = ?`,
  due: 'SELECT lane FROM lanes WHERE endpoint_id = ? AND due_at <= ? ORDER BY due_at, lane LIMIT ? + 0',
} as const;

export function sqliteDeliveryLog(live: LiveGeneration): DeliveryLog {
  return {
    deliveries: async (query) => {
      const checked = checkedPage(query);
      return answer(live, (reads) => pageOf(reads, checked));
    },
    delivery: async (endpointId, deliveryId) =>
      answer(live, (reads) => ({
        delivery: reads.all<DeliveryRow>(deliveriesSql.one, endpointId, deliveryId).map(logged)[0],
      })),
    dueLanes: async (endpointId, now, limit) =>
      answer(live, (reads) => {
        const rows = reads.all<{ lane: string }>(deliveriesSql.due, endpointId, now, limit);
        return { lanes: rows.map(({ lane }) => lane) };
      }),
    counts: async () =>
      answer(live, (reads) => {
        const counts = deliveryStates.map((state) => {
          return [state, reads.ranked('deliveries', [state]).total()] as const;
        });
        return { counts: Object.fromEntries(counts.filter(([, count]) => count > 0)) };
      }),
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

/** The query itself. Throws RangeError for a limit that is out of bounds. */
export function checkedPage(query: DeliveryQuery): DeliveryQuery {
  const { limit } = query;
  if (!Number.isInteger(limit) || limit < 1 || limit > limits.pageDeliveriesMax) {
    throw new RangeError(`the limit must be 1 to ${limits.pageDeliveriesMax}`);
  }
  return query;
}

function pageOf(
  reads: ReadTransaction,
  { endpointId, state, since, after, limit }: DeliveryQuery,
): DeliveriesPage {
  // Before every id of that time.
  const from = after ? [after.queuedAt, after.deliveryId] : [since ?? Number.MIN_SAFE_INTEGER, ''];
  const rows =
    state === undefined
      ? reads.all<DeliveryRow>(deliveriesSql.page, endpointId, ...from, limit + 1)
      : reads.all<DeliveryRow>(deliveriesSql.pageInState, endpointId, state, ...from, limit + 1);
  return deliveriesPageOf(rows, limit);
}

/** A page of what was found; one more than its limit says that there is another one. */
export function deliveriesPageOf(rows: readonly DeliveryRow[], limit: number): DeliveriesPage {
  const deliveries = rows.slice(0, limit).map(logged);
  const last = deliveries.at(-1);
  if (rows.length <= limit || !last) return { deliveries, next: undefined };
  return { deliveries, next: { queuedAt: last.queuedAt, deliveryId: last.deliveryId } };
}

export function logged(row: DeliveryRow): LoggedDelivery {
  return {
    endpointId: row.endpoint_id,
    deliveryId: row.delivery_id,
    lane: row.lane,
    eventId: row.event_id,
    eventType: row.event_type,
    state: row.state,
    attempts: row.attempts,
    status: row.status ?? undefined,
    detail: row.detail,
    queuedAt: row.queued_at,
    updatedAt: row.updated_at,
    dueAt: row.due_at ?? undefined,
  };
}
