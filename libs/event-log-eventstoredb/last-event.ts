import { EventLogError, type Revision } from '@annals/event-log/port';
import type { EventStoreDBClient, ReadPosition } from '@eventstore/db-client';
import { followedEvent } from './event-envelope.ts';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';
import { ownStream } from './own-stream.ts';
import { readWithin } from './server-connection.ts';

export interface LastEvent {
  /** Without the prefix. */
  readonly stream: string;
  readonly revision: Revision;
  readonly place: number;
}

/**
 * The last event of the log that the server holds behind `place`; undefined when there is none. Read from the end of `$all`, where
 * only a subscription knows filters. Throws EventLogError `unreachable`.
 */
export async function lastEventBehind(
  client: EventStoreDBClient,
  prefix: string,
  place: number,
): Promise<LastEvent | undefined> {
  const maxCount = limits.backwardsEventsMax;
  let fromPosition: ReadPosition = 'end';
  for (;;) {
    const read = client.readAll({ direction: 'backwards', fromPosition, maxCount });
    const page = await readWithin(read, limits.callMsMax).catch((cause: unknown) => {
      const message = 'the server does not tell what it holds';
      throw new EventLogError('unreachable', message, { cause });
    });
    for (const resolved of page) {
      const event = followedEvent(resolved);
      if (!event) continue;
      if (event.place <= place) return undefined;
      const stream = ownStream(prefix, event.stream);
      if (stream !== undefined && event.ours) {
        return { stream, revision: event.revision, place: event.place };
      }
    }
    const last = page.at(-1)?.event?.position;
    if (page.length < maxCount || !last) return undefined;
    fromPosition = last;
  }
}
