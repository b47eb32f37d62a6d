import { idFromKey } from '@annals/core';
import type { StreamKind } from '../change.ts';
import { type Decided, decided, type Refused, refused } from '../outcome.ts';
import {
  type LaneEvent,
  type LaneEventType,
  laneEvents,
  type RecordedLaneEvent,
} from './events.ts';

export const deliveryStates = ['waiting', 'delivered', 'dead', 'skipped'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

export interface Delivery {
  readonly id: string;
  readonly endpointId: string;
  readonly eventId: string;
  /** Where the event is that is to be told. */
  readonly stream: string;
  readonly revision: number;
  readonly state: DeliveryState;
  /** Over all replays. */
  readonly attempts: number;
  /** Since it was queued, or asked for again. */
  readonly failures: number;
  readonly waitsSince: number;
  readonly dueAt: number;
  /** Events about it: what tells the next one from the last. */
  readonly moves: number;
}

/** The fold of a lane: its deliveries by id, in the order they are told. */
export interface Lane {
  readonly deliveries: ReadonlyMap<string, Delivery>;
}

const empty: Lane = { deliveries: new Map() };

export const laneStreams: StreamKind<Lane, LaneEventType> = {
  types: laneEvents,
  evolve: (state, event) => evolveLane(state, event),
};

export function evolveLane(lane: Lane = empty, event: RecordedLaneEvent): Lane {
  const deliveries = new Map(lane.deliveries);
  const { delivery_id: id, endpoint_id: endpointId } = event.data;
  const at = event.occurredAt;
  if (event.type === 'delivery-queued') {
    const { event_id: eventId, stream, revision } = event.data;
    const fresh = { state: 'waiting', attempts: 0, failures: 0, moves: 1 } as const;
    const delivery = { id, endpointId, eventId, stream, revision, ...fresh };
    deliveries.set(id, { ...delivery, waitsSince: at, dueAt: at });
    return { deliveries };
  }
  const known = deliveries.get(id);
  if (!known) throw new TypeError(`${event.type} before delivery-queued`);
  const before = { ...known, moves: known.moves + 1 };
  switch (event.type) {
    case 'delivery-attempted':
      deliveries.set(id, { ...before, ...afterAttempt(before, event.data) });
      return { deliveries };
    case 'delivery-skipped':
      deliveries.set(id, { ...before, state: 'skipped' });
      return { deliveries };
    case 'delivery-replay-requested':
      // Behind what waits already.
      deliveries.delete(id);
      deliveries.set(id, { ...before, state: 'waiting', failures: 0, waitsSince: at, dueAt: at });
      return { deliveries };
  }
}

function afterAttempt(
  { failures, dueAt }: Delivery,
  { attempt: attempts, outcome, retry_at }: Attempted,
): Partial<Delivery> {
  if (outcome === 'delivered') return { attempts, state: 'delivered' };
  const state = retry_at === undefined ? 'dead' : 'waiting';
  return { attempts, failures: failures + 1, state, dueAt: retry_at ?? dueAt };
}

type Attempted = Extract<LaneEvent, { readonly type: 'delivery-attempted' }>['data'];

/** What is told next: the others wait for it, so that one stream is told in its order. */
export function nextDelivery(lane: Lane | undefined): Delivery | undefined {
  for (const delivery of lane?.deliveries.values() ?? []) {
    if (delivery.state === 'waiting') return delivery;
  }
  return undefined;
}

type Decision<Reason extends string = never> = Decided<LaneEvent> | Refused<Reason>;

export interface QueueDelivery {
  readonly endpointId: string;
  readonly event: { readonly id: string; readonly stream: string; readonly revision: number };
  readonly type: string;
  /** The endpoint is off: it is written down, and not sent. */
  readonly skip?: string;
  readonly at: number;
}

/** One event for one endpoint is one delivery, however often it is queued. */
export function queueDelivery(lane: Lane = empty, command: QueueDelivery): Decision {
  const { endpointId, event, type, skip, at } = command;
  const deliveryId = idFromKey('delivery', endpointId, event.id);
  if (lane.deliveries.has(deliveryId)) return decided();
  const of = { endpoint_id: endpointId, delivery_id: deliveryId };
  const queued = laneEvent('delivery-queued', [], at, {
    ...of,
    ...{ event_id: event.id, stream: event.stream, revision: event.revision, event_type: type },
  });
  if (skip === undefined) return decided(queued);
  return decided(queued, laneEvent('delivery-skipped', [1], at, { ...of, reason: skip }));
}

export interface Attempt {
  readonly deliveryId: string;
  /** The number of attempts before it. */
  readonly after: number;
  readonly outcome: 'delivered' | 'failed';
  readonly status?: number;
  readonly detail: string;
  /** Absent: not tried again by itself. */
  readonly retryAt?: number;
  readonly at: number;
}

/** What came of an attempt; somebody else's attempt of the same number stands. */
export function recordAttempt(
  lane: Lane | undefined,
  { deliveryId, after, outcome, status, detail, retryAt, at }: Attempt,
): Decision<'unknown-delivery'> {
  const delivery = lane?.deliveries.get(deliveryId);
  if (!delivery) return unknownDelivery(deliveryId);
  if (delivery.state !== 'waiting' || delivery.attempts !== after) return decided();
  return decided(
    laneEvent('delivery-attempted', [after + 1], at, {
      ...{ endpoint_id: delivery.endpointId, delivery_id: deliveryId },
      ...{ attempt: after + 1, outcome, detail },
      ...(status === undefined ? {} : { status }),
      ...(retryAt === undefined || outcome === 'delivered' ? {} : { retry_at: retryAt }),
    }),
  );
}

export function skipDelivery(
  lane: Lane | undefined,
  {
    deliveryId,
    reason,
    at,
  }: { readonly deliveryId: string; readonly reason: string; readonly at: number },
): Decision<'unknown-delivery'> {
  const delivery = lane?.deliveries.get(deliveryId);
  if (!delivery) return unknownDelivery(deliveryId);
  if (delivery.state !== 'waiting') return decided();
  const data = { endpoint_id: delivery.endpointId, delivery_id: deliveryId, reason };
  return decided(laneEvent('delivery-skipped', [delivery.moves], at, data));
}

/** Tells it again, whatever became of it; what waits already waits on. */
export function requestReplay(
  lane: Lane | undefined,
  { deliveryId, by, at }: { readonly deliveryId: string; readonly by: string; readonly at: number },
): Decision<'unknown-delivery'> {
  const delivery = lane?.deliveries.get(deliveryId);
  if (!delivery) return unknownDelivery(deliveryId);
  if (delivery.state === 'waiting') return decided();
  const data = { endpoint_id: delivery.endpointId, delivery_id: deliveryId, requested_by: by };
  return decided(laneEvent('delivery-replay-requested', [delivery.moves], at, data));
}

export function unknownDelivery(id: string): Refused<'unknown-delivery'> {
  return refused('unknown-delivery', `there is no delivery ${id}`);
}

function laneEvent(
  type: LaneEvent['type'],
  key: readonly (string | number)[],
  at: number,
  data: { readonly delivery_id: string; readonly [member: string]: unknown },
): LaneEvent {
  const id = idFromKey(type, data.delivery_id, ...key.map(String));
  return { type, id, occurredAt: at, data } as LaneEvent;
}
