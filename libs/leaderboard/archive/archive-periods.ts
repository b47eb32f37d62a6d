import { type Clock, idFromKey } from '@annals/core';
import type { DomainEvent, EventLog } from '@annals/event-log';
import type { GenerationSnapshot, GenerationStore } from '@annals/projection';
import type { BoardDirectory } from '../board-directory.ts';
import { leaderboardEvents, type PeriodArchived } from '../events.ts';
import { notStored, type Overloaded, type Unknown } from '../outcome.ts';
import type { ArchivedPeriod, BoardState } from '../state.ts';
import { boardStream, scoresStream } from '../streams.ts';
import { type LetGo, type LetGoMeans, letGoOfPeriod } from './let-go.ts';
import {
  type BoardAndPeriod,
  digestPeriods,
  nameOfPeriod,
  type PeriodDigests,
} from './period-digest.ts';
import { letGoOfVoidEntries } from './void-entries.ts';

export const archiveLimits = {
  /** How long a period has been closed before it is archived, in milliseconds: every reader knows by then. */
  archiveAfterMs: 3_600_000,
} as const;

export interface ArchiveMeans extends Pick<LetGoMeans, 'cipher'> {
  readonly log: Pick<EventLog, 'append' | 'readStream'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly boards: Pick<BoardDirectory, 'refresh'>;
  /** The live generations of `leaderboardProjection` and `leaderboardArchiveProjection`; they stay open. */
  readonly hot: GenerationStore;
  readonly archive: GenerationStore;
  readonly archiveAfterMs?: number;
  /** Periods, by `nameOfPeriod`, that an earlier call found to be done: they are not compared again. */
  readonly done?: ReadonlySet<string>;
}

export type ArchiveOutcome =
  | { readonly kind: 'archived'; readonly players: number; readonly letGo: number }
  /** One of the two has not folded all of the period yet: ask again later. */
  | { readonly kind: 'late' }
  /** The two do not hold the same: nothing was let go. Verify both, and rebuild the one that is wrong. */
  | { readonly kind: 'differs'; readonly detail: string }
  | Overloaded
  | Unknown;

export type PeriodOutcome = BoardAndPeriod & ArchiveOutcome;

/**
 * Archives every period that was closed long enough ago, one step after the other, each safe to repeat:
 *
 * 1. Rows of hot read model and archive are counted and hashed: they must be the same.
 * 2. `period-archived` in the board's stream says so, with count and hash: from then on reads go to the archive.
 * 3. `scores-archived` in the buckets' streams has every generation of the hot read model let the rows go, and
 *    behind them the void entries of all archived periods.
 *
 * Whoever dies in between is followed by the next call: what is recorded is not decided anew, and the
 * archive is compared with what was recorded before anything more is let go. Both stores are read once as a
 * whole for the comparison. Throws StoreLostError when one of them is gone.
 */
export async function archivePeriods(means: ArchiveMeans): Promise<readonly PeriodOutcome[]> {
  const archived = await means.archive.snapshot();
  try {
    const hot = await means.hot.snapshot();
    try {
      return await archiveDue(means, hot, archived);
    } finally {
      await hot.close();
    }
  } finally {
    await archived.close();
  }
}

interface Due extends BoardAndPeriod {
  readonly state: BoardState;
}

async function archiveDue(
  means: ArchiveMeans,
  hot: GenerationSnapshot,
  archive: GenerationSnapshot,
): Promise<readonly PeriodOutcome[]> {
  const due = await duePeriods(means, archive);
  if (due.length === 0) return [];
  const closed = { hot: await closedBuckets(hot), archive: await closedBuckets(archive) };
  const digests = {
    hot: await digestPeriods(hot, due),
    archive: await digestPeriods(archive, due),
  };
  const outcomes: PeriodOutcome[] = [];
  for (const { board, period, state } of due) {
    const place = { board, period };
    // Finished long ago: all of it is gone from here.
    const isDone = state.archived.has(period) && digests.hot.of(place).players === 0;
    const isWhole = [closed.hot, closed.archive].every((buckets) => hasAll(buckets, place, state));
    let outcome: ArchiveOutcome;
    if (!isWhole) outcome = { kind: 'late' };
    else if (isDone) outcome = checkRecorded(state.archived.get(period), digests.archive.of(place));
    else outcome = await archiveOne(means, archive, { ...place, state }, digests);
    outcomes.push({ ...place, ...outcome });
  }
  if (outcomes.some((one) => one.kind === 'archived' && one.letGo > 0)) {
    await letGoOfVoidEntries({ ...means, now: means.clock.now() }, hot);
  }
  return outcomes;
}

async function archiveOne(
  means: ArchiveMeans,
  snapshot: GenerationSnapshot,
  { state, ...place }: Due,
  digests: { readonly hot: PeriodDigests; readonly archive: PeriodDigests },
): Promise<ArchiveOutcome> {
  const archive = digests.archive.of(place);
  const recorded = state.archived.get(place.period);
  // Before it is recorded nothing was let go, so both must be the same; later the record is what counts.
  const checked = checkRecorded(recorded ?? digests.hot.of(place), archive);
  if (checked.kind !== 'archived') return checked;
  if (!recorded) {
    const failed = await record(means, place, archive);
    if (failed) return failed;
  }
  const now = means.clock.now();
  const letGo: LetGo = await letGoOfPeriod(
    { ...means, now, isFirst: recorded === undefined },
    snapshot,
    place,
    state.settings.buckets,
  );
  if (letGo.kind !== 'let-go') return letGo;
  return { kind: 'archived', players: archive.players, letGo: letGo.players };
}

function checkRecorded(
  wanted: ArchivedPeriod | undefined,
  archive: ArchivedPeriod,
): ArchiveOutcome {
  if (wanted?.players === archive.players && wanted.hash === archive.hash) {
    return { kind: 'archived', players: archive.players, letGo: 0 };
  }
  const said = `${wanted?.players} players with hash ${wanted?.hash}`;
  return {
    kind: 'differs',
    detail: `${said}, and in the archive ${archive.players} with ${archive.hash}`,
  };
}

async function record(
  { log, cipher, clock, boards }: ArchiveMeans,
  { board, period }: BoardAndPeriod,
  { players, hash }: ArchivedPeriod,
): Promise<ArchiveOutcome | undefined> {
  const event: DomainEvent<PeriodArchived> = {
    type: 'period-archived',
    id: idFromKey('period-archived', board, period),
    occurredAt: clock.now(),
    data: { board, period, players, hash },
  };
  const encoded = await leaderboardEvents.encode([event], cipher);
  if (encoded.kind !== 'encoded') throw new TypeError('an archived period holds no personal data');
  const stream = boardStream(board);
  const result = await log.append(stream, encoded.events, { expected: 'exists' });
  if (result.kind === 'content-mismatch') {
    return checkRecorded((await boards.refresh(board))?.archived.get(period), { players, hash });
  }
  return result.kind === 'stored' ? undefined : notStored(stream, result);
}

/** Periods that were closed long enough ago, as the archive has them, with their boards as the log has them. */
async function duePeriods(
  { boards, clock, archiveAfterMs = archiveLimits.archiveAfterMs, done }: ArchiveMeans,
  archive: GenerationSnapshot,
): Promise<readonly Due[]> {
  const due: Due[] = [];
  const states = new Map<string, BoardState | undefined>();
  for await (const page of archive.rows('periods')) {
    for (const { board: id, period, closed_at } of page) {
      if (Number(closed_at) + archiveAfterMs > clock.now()) continue;
      const board = String(id);
      if (done?.has(nameOfPeriod({ board, period: String(period) }))) continue;
      if (!states.has(board)) states.set(board, await boards.refresh(board));
      const state = states.get(board);
      if (state) due.push({ board, period: String(period), state });
    }
  }
  return due;
}

async function closedBuckets(snapshot: GenerationSnapshot): Promise<ReadonlySet<string>> {
  const closed = new Set<string>();
  for await (const page of snapshot.rows('closed_periods')) {
    for (const { stream, period } of page) closed.add(JSON.stringify([stream, period]));
  }
  return closed;
}

/** Whether a generation has folded the period's end in every bucket: nothing of it is still to come. */
function hasAll(
  closed: ReadonlySet<string>,
  { board, period }: BoardAndPeriod,
  { settings }: BoardState,
): boolean {
  for (let bucket = 0; bucket < settings.buckets; bucket += 1) {
    if (!closed.has(JSON.stringify([scoresStream(board, bucket), period]))) return false;
  }
  return true;
}
