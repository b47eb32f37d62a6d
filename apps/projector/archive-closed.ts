import type { Clock } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import {
  archivePeriods,
  followBoards,
  leaderboardArchiveProjection,
  leaderboardProjection,
  nameOfPeriod,
  type PeriodOutcome,
} from '@annals/leaderboard';
import type { GenerationDirectory, GenerationStore, Projection } from '@annals/projection';
import type { Site } from './site/open-site.ts';

export interface ArchiveClosedMeans extends Pick<Site, 'cipher' | 'storeFor'> {
  /** The log of the leaderboard. */
  readonly log: EventLog;
  readonly clock: Clock;
  readonly directory: Pick<GenerationDirectory, 'ready' | 'live'>;
  readonly signal: AbortSignal;
  readonly onTrouble: (projection: string, detail: string) => void;
  /** Between two looks for periods that were closed. */
  readonly lookEveryMs?: number;
}

export const archiveClosedLimits = { lookEveryMs: 60_000 } as const;

/**
 * Moves periods of the leaderboard that were closed long enough ago to the archive, until `signal` is aborted. What
 * fails is told and tried again. Several projectors may do it at one time: every step is safe to repeat.
 */
export async function archiveClosed(means: ArchiveClosedMeans): Promise<void> {
  const { log, cipher, clock, signal, onTrouble } = means;
  const { lookEveryMs = archiveClosedLimits.lookEveryMs } = means;
  const boards = followBoards({ log, cipher, clock });
  const done = new Set<string>();
  const hasWork = () =>
    [...boards.boards()].some(([board, { closed }]) => {
      return [...closed].some((period) => !done.has(nameOfPeriod({ board, period })));
    });
  try {
    await Promise.race([Promise.all([boards.ready(), means.directory.ready()]), aborted(signal)]);
    while (!signal.aborted) {
      if (hasWork()) {
        try {
          for (const outcome of await archiveNow(means, boards, done)) {
            if (outcome.kind === 'archived') done.add(nameOfPeriod(outcome));
            else if (outcome.kind !== 'late') onTrouble(archiveName, told(outcome));
          }
        } catch (error) {
          if (!signal.aborted) onTrouble(archiveName, `closed periods stay: ${String(error)}`);
        }
      }
      await clock.sleep(lookEveryMs, signal);
    }
  } finally {
    await boards.close();
  }
}

const archiveName = leaderboardArchiveProjection.name;

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}

function told(outcome: PeriodOutcome): string {
  const place = `period ${outcome.period} of ${outcome.board}`;
  return outcome.kind === 'differs'
    ? `${place} is not archived, for leaderboard and archive differ: ${outcome.detail}; annals verify both`
    : `${place} is not archived yet: the log did not take it (${outcome.kind})`;
}

async function archiveNow(
  means: ArchiveClosedMeans,
  boards: ReturnType<typeof followBoards>,
  done: ReadonlySet<string>,
): Promise<readonly PeriodOutcome[]> {
  const hot = await openLive(means, leaderboardProjection);
  if (!hot) return [];
  try {
    const archive = await openLive(means, leaderboardArchiveProjection);
    if (!archive) return [];
    try {
      const { log, cipher, clock } = means;
      return await archivePeriods({ log, cipher, clock, boards, hot, archive, done });
    } finally {
      await archive.close();
    }
  } finally {
    await hot.close();
  }
}

/** The live generation as this program knows it; undefined while there is none to archive from or to. */
async function openLive(
  { directory, storeFor }: ArchiveClosedMeans,
  projection: Projection,
): Promise<GenerationStore | undefined> {
  const live = directory.live(projection.name);
  if (!live || live.version !== projection.version) return undefined;
  const opened = await storeFor(projection).open(live.generation);
  return opened === 'lost' ? undefined : opened;
}
