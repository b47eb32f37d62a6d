import { type EventLog, encodeCheckpoint } from '@annals/event-log';
import { time } from './output.ts';

/** Where a log stands, as JSON shows it. */
export interface LogHead {
  readonly checkpoint: string;
  readonly events: number;
  readonly last_recorded_at: string | null;
}

export async function logHead(log: EventLog): Promise<LogHead> {
  const checkpoint = encodeCheckpoint(await log.head());
  const last = await log.read('end', {}, { direction: 'backward', limit: 1 });
  const recordedAt = last.events[0]?.recordedAt;
  const events = await eventsIn(log);
  return {
    checkpoint,
    events,
    last_recorded_at: recordedAt === undefined ? null : time(recordedAt),
  };
}

/** How many events a log holds. */
export async function eventsIn(log: EventLog): Promise<number> {
  let events = 0;
  for (const count of (await log.count()).values()) events += count;
  return events;
}
