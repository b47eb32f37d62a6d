import type { SubjectCipher } from '@annals/core';
import {
  type AppendResult,
  advance,
  type Checkpoint,
  type DomainEvent,
  type EventLog,
  type Expected,
} from '@annals/event-log';
import type { PeriodClose, ToAppend } from './decide.ts';
import {
  leaderboardEvents,
  type PeriodCloseCompleted,
  type PeriodClosed,
  type PeriodCloseStarted,
} from './events.ts';
import { notStored, type Overloaded, type Unknown } from './outcome.ts';

type CloseEvent = DomainEvent<PeriodCloseStarted | PeriodClosed | PeriodCloseCompleted>;

export interface AppendMeans {
  readonly log: Pick<EventLog, 'append'>;
  readonly cipher: SubjectCipher;
}

/**
 * Appends the events of a close in their order: that it started, then to every bucket that the period
 * is closed, then that it is complete. Safe to repeat: it stores what is missing. What is cut off
 * before the end is finished at the next start, as the board's stream says that it started.
 */
export async function appendClose(
  means: AppendMeans,
  close: PeriodClose,
): Promise<{ readonly kind: 'stored'; readonly checkpoint: Checkpoint } | Overloaded | Unknown> {
  let checkpoint: Checkpoint = {};
  for (const step of [[close.started], close.buckets, [close.completed]]) {
    const results = await Promise.all(step.map((toAppend) => append(means, toAppend)));
    for (const [index, result] of results.entries()) {
      if (result.kind !== 'stored')
        return notStored((step[index] as ToAppend<CloseEvent>).stream, result);
      checkpoint = advance(checkpoint, result.partition, result.position);
    }
  }
  return { kind: 'stored', checkpoint };
}

async function append(
  { log, cipher }: AppendMeans,
  { stream, event }: ToAppend<CloseEvent>,
): Promise<AppendResult> {
  const encoded = await leaderboardEvents.encode([event], cipher);
  if (encoded.kind !== 'encoded') throw new TypeError('a close holds no personal data');
  const expected: Expected = event.type === 'period-closed' ? 'any' : 'exists';
  return log.append(stream, encoded.events, { expected });
}
