import { type Clock, idFromKey } from '@annals/core';
import {
  type Checkpoint,
  covers,
  type EventLog,
  encodeCheckpoint,
  partitionsOf,
} from '@annals/event-log';
import type { Place } from './contiguous-window.ts';
import type { Anchor } from './events.ts';
import type { ReactorJournal } from './journal.ts';
import type { Progress } from './progress.ts';

export interface BeginOptions {
  readonly log: EventLog;
  readonly reactor: { readonly name: string };
  readonly clock: Clock;
  /** Names this process; no two runs share one. */
  readonly runId: string;
  /** Where to begin when the log holds no progress of use: needed unless the log is empty. */
  readonly from?: 'head' | Checkpoint;
}

/** Whether the anchor's event stands where it stood when the progress was written. */
export async function isAt(log: EventLog, anchor: Anchor): Promise<boolean> {
  if (!anchor) return true;
  const { events } = await log.readStream(anchor.stream, { from: anchor.revision, limit: 1 });
  const event = events[0];
  return event?.partition === anchor.partition && event.position === anchor.position;
}

/** An event that `checkpoint` covers, for those who read it in a copy of this log. */
async function anchorOf(log: EventLog, checkpoint: Checkpoint): Promise<Anchor> {
  for (const partition of partitionsOf(checkpoint)) {
    const page = await log.read(
      'end',
      { partitions: [partition] },
      { direction: 'backward', limit: 1 },
    );
    const [event] = page.events;
    if (event && covers(checkpoint, event.partition, event.position)) return placeOf(event);
    const first = await log.read('start', { partitions: [partition] }, { limit: 1 });
    const [oldest] = first.events;
    if (oldest && covers(checkpoint, oldest.partition, oldest.position)) return placeOf(oldest);
  }
  return null;
}

export function placeOf({ stream, revision, partition, position }: Place): Place {
  return { stream, revision, partition, position };
}

/** Writes down where a reactor begins that has no progress of use; undefined where it must be told, and was not. */
export async function begin(
  { log, reactor, clock, from, runId }: BeginOptions,
  journal: ReactorJournal,
): Promise<Progress | undefined> {
  const head = await log.head();
  if (from === undefined && partitionsOf(head).length > 0) return undefined;
  const checkpoint = from === 'head' ? head : (from ?? {});
  const text = encodeCheckpoint(checkpoint);
  const anchor = await anchorOf(log, checkpoint);
  await journal.restate((at) => [
    {
      type: 'reactor-started',
      id: idFromKey('reactor-started', reactor.name, at),
      occurredAt: clock.now(),
      data: { reactor: reactor.name, from: text, anchor, run: runId },
    },
  ]);
  return { checkpoint, anchor, open: new Map() };
}
