import type { Clock } from '@annals/core';
import { type Checkpoint, coversAll, decodeCheckpoint, type EventLog } from '@annals/event-log';
import { type Late, type Refused, refused } from './outcome.ts';
import type { LeaderboardReadModel, Lost } from './read-model/port.ts';

export interface WaitMeans {
  readonly log: Pick<EventLog, 'head'>;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly readModel: Pick<LeaderboardReadModel, 'waitFor'>;
  readonly visibleMsMax: number;
  /** How far the log may be behind what another process was told, in milliseconds; 0 unless told. */
  readonly replicaMsMax?: number;
}

const replicaPollMs = 20;

/** Waits until answers cover a position; what to say instead when they won't. */
export async function waitForPosition(
  means: WaitMeans,
  minPosition: string,
): Promise<Refused<'invalid-position' | 'position-ahead'> | Late | Lost | undefined> {
  const { readModel, visibleMsMax } = means;
  const checkpoint = decodeCheckpoint(minPosition);
  if (!checkpoint) {
    return refused('invalid-position', 'min-position is not a position of this log');
  }
  let reached = await readModel.waitFor(checkpoint, 0);
  if (reached === 'late') {
    // Every position that was ever given is at or before the head: waiting for another one is in vain.
    if (!(await logCovers(means, checkpoint))) {
      return refused('position-ahead', 'min-position lies beyond the end of the log');
    }
    reached = await readModel.waitFor(checkpoint, visibleMsMax);
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
