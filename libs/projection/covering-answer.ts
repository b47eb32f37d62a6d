import type { Clock } from '@annals/core';
import { type Checkpoint, coversAll } from '@annals/event-log';

export interface CoveringAnswerMeans<Answer, Missed> {
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  /** How long may be waited in all, in milliseconds. */
  readonly visibleMsMax: number;
  /** Waits until the read model has come to the checkpoint; what to say instead where it won't in time. */
  readonly wait: (msMax: number) => Promise<Missed | undefined>;
  readonly ask: () => Promise<Answer>;
  /** What an answer covers; undefined for one that is to be given as it is. */
  readonly coveredBy: (answer: Answer) => Checkpoint | undefined;
}

/** Between two questions to a read model that has gone back. */
const pollMs = 20;

/**
 * An answer that covers a checkpoint. What was waited for may be another state than the one that answers: a store
 * may lose writes in between, or another generation, which is behind, may come in its place. So the answer itself is
 * looked at, and asked for again while there is time; else `late`.
 */
export async function coveringAnswer<Answer, Missed>(
  checkpoint: Checkpoint,
  { clock, visibleMsMax, wait, ask, coveredBy }: CoveringAnswerMeans<Answer, Missed>,
): Promise<Answer | Missed | 'late'> {
  const begun = clock.now();
  for (let leftMs = visibleMsMax; ; ) {
    const missed = await wait(leftMs);
    if (missed !== undefined) return missed;
    const answer = await ask();
    const covered = coveredBy(answer);
    if (!covered || coversAll(covered, checkpoint)) return answer;
    await clock.sleep(pollMs);
    // A clock that is set back gives nobody more time than there was.
    leftMs = Math.min(leftMs - pollMs, visibleMsMax - (clock.now() - begun));
    if (leftMs <= 0) return 'late';
  }
}
