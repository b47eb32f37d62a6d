import {
  type AllStreamRecordedEvent,
  type AllStreamSubscription,
  type EventStoreDBClient,
  jsonEvent,
  type Position,
  type RecordedEvent,
} from '@eventstore/db-client';

/** An event of this type with an id of its own. */
export function named(type: string) {
  return jsonEvent({ id: crypto.randomUUID(), type, data: { type } });
}

export async function eventsOf(
  client: EventStoreDBClient,
  stream: string,
  options: Parameters<EventStoreDBClient['readStream']>[1] = {},
): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const { event } of client.readStream(stream, options)) if (event) events.push(event);
  return events;
}

/** Events of `$all`, also those of system streams. */
export async function allFrom(
  client: EventStoreDBClient,
  fromPosition: Position | 'start' | 'end',
  options: Parameters<EventStoreDBClient['readAll']>[0] = {},
): Promise<AllStreamRecordedEvent[]> {
  const events: AllStreamRecordedEvent[] = [];
  for await (const { event } of client.readAll({ ...options, fromPosition })) {
    if (event) events.push(event);
  }
  return events;
}

/** What a subscription has said so far, in order. */
export function listen(subscription: AllStreamSubscription): { readonly lines: string[] } {
  const lines: string[] = [];
  subscription.on('caughtUp', () => lines.push('caught up'));
  subscription.on('fellBehind', () => lines.push('fell behind'));
  subscription.on('data', ({ event }) => lines.push(event?.type ?? 'nothing'));
  subscription.on('error', (error: Error) => lines.push(`error: ${error.message}`));
  return { lines };
}
