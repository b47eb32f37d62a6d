import type { Clock } from '@annals/core';
import { type Checkpoint, coversAll, decodeCheckpoint, type EventLog } from '@annals/event-log';
import { coveringAnswer } from '@annals/projection';
import { type Late, type Refused, refused } from './outcome.ts';
import type { Answer, LeaderboardReadModel, Lost } from './read-model/port.ts';

export interface WaitMeans {
  readonly log: Pick<EventLog, 'head'>;
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  readonly readModel: Pick<LeaderboardReadModel, 'waitFor'>;
  readonly visibleMsMax: number;
  /** How far the log may be behind what another process was told, in milliseconds; 0 unless told. */
  readonly replicaMsMax?: number;
}

type Missed = Refused<'invalid-position' | 'position-ahead'> | Late | Lost;

const replicaPollMs = 20;

/** Asks the read model; with a position, for an answer that covers it. What to say instead when there is none in time. */
export async function askFrom<T>(
  means: WaitMeans,
  minPosition: string | undefined,
  ask: () => Promise<Answer<T>>,
): Promise<Answer<T> | Missed> {
  if (minPosition === undefined) return ask();
  const checkpoint = decodeCheckpoint(minPosition);
  if (!checkpoint) {
    return refused('invalid-position', 'min-position is not a position of this log');
  }
  const { clock, visibleMsMax } = means;
  const read = await coveringAnswer<Answer<T>, Missed>(checkpoint, {
    ...{ clock, visibleMsMax, ask },
    wait: (msMax) => waitFor(means, checkpoint, msMax),
    coveredBy: (answer) => (answer.kind === 'answer' ? answer.asOf : undefined),
  });
  return read === 'late' ? { kind: 'late' } : read;
}

async function waitFor(
  means: WaitMeans,
  checkpoint: Checkpoint,
  msMax: number,
): Promise<Missed | undefined> {
  const { readModel } = means;
  let reached = await readModel.waitFor(checkpoint, 0);
  if (reached === 'late') {
    // Every position that was ever given is at or before the head: waiting for another one is in vain.
    if (!(await logCovers(means, checkpoint))) {
      return refused('position-ahead', 'min-position lies beyond the end of the log');
    }
    reached = await readModel.waitFor(checkpoint, msMax);
  }
  return reached === 'reached' ? undefined : { kind: reached };
}

/** Whether the log has come to a position, which a replica may be a moment late for. */
async function logCovers(
  { log, clock, replicaMsMax = 0 }: WaitMeans,
  checkpoint: Checkpoint,
): Promise<boolean> {
  for (let waitedMs = 0; ; waitedMs += replicaPollMs) {
    if (coversAll(await log.head(), checkpoint)) return true;
    if (waitedMs >= replicaMsMax) return false;
    await clock.sleep(replicaPollMs);
  }
}
