import { type EventLog, encodeCheckpoint, type Filter } from '@annals/event-log';
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

/** How many events a log holds, of some categories or all. */
export async function eventsIn(log: EventLog, filter: Filter = {}): Promise<number> {
  let events = 0;
  for (const count of (await log.count(filter)).values()) events += count;
  return events;
}
