import { type DomainEvent, EventTypes, eventType, type RecordedEvent } from '@annals/event-log';
import { z } from 'zod';

/**
 * The stored formats of webhooks out: version them with care. All endpoints are in one stream; deliveries are in
 * lanes, one for each endpoint and each stream that it is told of. A lane names the events that are to be told, it
 * does not copy them.
 */

export const webhookEndpointsStream = 'webhook-endpoints';
/** Deliveries to one endpoint of what happened in one stream. */
export const laneCategory = 'delivery';

export function laneStream(endpointId: string, stream: string): string {
  return `${laneCategory}-${endpointId}~${stream}`;
}

/** Whose key seals the secrets of an endpoint. */
export function endpointSubject(endpointId: string): string {
  return `webhook:${endpointId}`;
}

const time = z.int();
const endpoint = { endpoint_id: z.string() };
const delivery = { ...endpoint, delivery_id: z.string() };

/** Made, or changed. */
export const endpointPut = eventType({
  name: 'webhook-endpoint-put',
  schemaVersion: 1,
  schema: z.strictObject({ ...endpoint, url: z.string(), event_types: z.array(z.string()).min(1) }),
});

/** Signs from now on; the one before it signs as well until `old_until`. */
export const secretSet = eventType({
  name: 'webhook-secret-set',
  schemaVersion: 1,
  schema: z.strictObject({ ...endpoint, secret: z.string(), old_until: time }),
  personal: { subject: ({ endpoint_id }) => endpointSubject(endpoint_id), fields: ['secret'] },
});

export const endpointSwitched = eventType({
  name: 'webhook-endpoint-switched',
  schemaVersion: 1,
  schema: z.strictObject({ ...endpoint, enabled: z.boolean(), reason: z.string() }),
});

export const endpointRemoved = eventType({
  name: 'webhook-endpoint-removed',
  schemaVersion: 1,
  schema: z.strictObject(endpoint),
});

const endpointEventTypes = [endpointPut, secretSet, endpointSwitched, endpointRemoved] as const;
export const endpointEvents = new EventTypes<(typeof endpointEventTypes)[number]>(
  endpointEventTypes,
);
export type EndpointEventType = (typeof endpointEventTypes)[number];
export type EndpointEvent = DomainEvent<EndpointEventType>;
export type RecordedEndpointEvent = RecordedEvent<EndpointEventType>;

/** An event is to be told. */
export const deliveryQueued = eventType({
  name: 'delivery-queued',
  schemaVersion: 1,
  schema: z.strictObject({
    ...delivery,
    event_id: z.string(),
    stream: z.string(),
    revision: z.int().nonnegative(),
    /** The name merchants know it by. */
    event_type: z.string(),
  }),
});

/** What came of one attempt. Failed with `retry_at`: tried again; failed without: dead until somebody asks for it. */
export const deliveryAttempted = eventType({
  name: 'delivery-attempted',
  schemaVersion: 1,
  schema: z.strictObject({
    ...delivery,
    attempt: z.int().min(1),
    outcome: z.enum(['delivered', 'failed']),
    /** Absent where there was no answer. */
    status: z.int().optional(),
    detail: z.string(),
    retry_at: time.optional(),
  }),
});

/** Not sent, as its endpoint was off: it can be asked for again. */
export const deliverySkipped = eventType({
  name: 'delivery-skipped',
  schemaVersion: 1,
  schema: z.strictObject({ ...delivery, reason: z.string() }),
});

export const deliveryReplayRequested = eventType({
  name: 'delivery-replay-requested',
  schemaVersion: 1,
  schema: z.strictObject({ ...delivery, requested_by: z.string() }),
});

const laneEventTypes = [
  deliveryQueued,
  deliveryAttempted,
  deliverySkipped,
  deliveryReplayRequested,
] as const;
export const laneEvents = new EventTypes<(typeof laneEventTypes)[number]>(laneEventTypes);
export type LaneEventType = (typeof laneEventTypes)[number];
export type LaneEvent = DomainEvent<LaneEventType>;
export type RecordedLaneEvent = RecordedEvent<LaneEventType>;
