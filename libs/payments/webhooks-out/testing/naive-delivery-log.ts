import type { SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import type { DeliveryLog, LoggedDelivery } from '../delivery-log.ts';
import { laneCategory, laneEvents, type RecordedLaneEvent } from '../events.ts';
import { evolveLane, type Lane, nextDelivery } from '../lane.ts';

/** The delivery log as the whole log tells it each time: what the read model must come to. */
export function naiveDeliveryLog(log: EventLog, cipher: SubjectCipher): DeliveryLog {
  const load = async () => {
    const lanes = new Map<string, Lane>();
    const logged = new Map<string, LoggedDelivery>();
    const { events } = await log.read('start', { categories: [laneCategory] }, { limit: 10_000 });
    for (const event of await laneEvents.decode(events, cipher)) {
      const lane = evolveLane(lanes.get(event.stream), event);
      lanes.set(event.stream, lane);
      logged.set(event.data.delivery_id, loggedAfter(event, lane, logged));
    }
    return { lanes, deliveries: [...logged.values()].toSorted(byTime) };
  };
  return {
    deliveries: async ({ endpointId, state, since, after, limit }) => {
      const { deliveries } = await load();
      const wanted = deliveries.filter(
        (one) =>
          one.endpointId === endpointId &&
          (state === undefined || one.state === state) &&
          (since === undefined || one.queuedAt >= since) &&
          (after === undefined || byTime(one, after) > 0),
      );
      const page = wanted.slice(0, limit);
      const last = page.at(-1);
      const next =
        last && wanted.length > limit
          ? { queuedAt: last.queuedAt, deliveryId: last.deliveryId }
          : undefined;
      return { kind: 'answer', asOf: {}, deliveries: page, next };
    },
    delivery: async (endpointId, deliveryId) => {
      const { deliveries } = await load();
      const delivery = deliveries.find(
        (one) => one.endpointId === endpointId && one.deliveryId === deliveryId,
      );
      return { kind: 'answer', asOf: {}, delivery };
    },
    dueLanes: async (endpointId, now, limit) => {
      const due = [...(await load()).lanes].flatMap(([name, lane]) => {
        const next = nextDelivery(lane);
        return next?.endpointId === endpointId && next.dueAt <= now
          ? [{ name, at: next.dueAt }]
          : [];
      });
      due.sort((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1));
      return { kind: 'answer', asOf: {}, lanes: due.slice(0, limit).map(({ name }) => name) };
    },
    counts: async () => {
      const counts: { [state: string]: number } = {};
      for (const { state } of (await load()).deliveries) counts[state] = (counts[state] ?? 0) + 1;
      return { kind: 'answer', asOf: {}, counts };
    },
    waitFor: async () => 'reached',
  };
}

type Place = Pick<LoggedDelivery, 'queuedAt' | 'deliveryId'>;

function byTime(a: Place, b: Place): number {
  return (
    a.queuedAt - b.queuedAt ||
    (a.deliveryId < b.deliveryId ? -1 : a.deliveryId > b.deliveryId ? 1 : 0)
  );
}

function loggedAfter(
  event: RecordedLaneEvent,
  lane: Lane,
  logged: ReadonlyMap<string, LoggedDelivery>,
): LoggedDelivery {
  const { delivery_id: deliveryId, endpoint_id: endpointId } = event.data;
  const delivery = lane.deliveries.get(deliveryId);
  if (!delivery) throw new Error(`${deliveryId} is not in its lane`);
  const { state, attempts, dueAt } = delivery;
  const before = logged.get(deliveryId) ?? {
    ...{ endpointId, deliveryId, lane: event.stream, eventId: delivery.eventId },
    eventType: event.type === 'delivery-queued' ? event.data.event_type : '',
    ...{ status: undefined, detail: '', queuedAt: event.occurredAt },
  };
  const said =
    event.type === 'delivery-attempted'
      ? { status: event.data.status, detail: event.data.detail }
      : event.type === 'delivery-skipped'
        ? { detail: event.data.reason }
        : {};
  const due = state === 'waiting' ? dueAt : undefined;
  return { ...before, ...said, state, attempts, updatedAt: event.occurredAt, dueAt: due };
}
