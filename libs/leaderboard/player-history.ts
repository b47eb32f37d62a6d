import type { SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { scoreEvents } from './events.ts';
import { limits } from './limits.ts';
import { type Refused, refused } from './outcome.ts';
import type { LeaderboardReadModel } from './read-model/port.ts';
import { type Read, type ReadMeans, type ReadOptions, readBoard } from './reads.ts';
import { bucketOf, scoresStream } from './streams.ts';

export interface HistoryMeans extends ReadMeans {
  readonly log: Pick<EventLog, 'head' | 'readStream'>;
  readonly cipher: SubjectCipher;
  readonly readModel: Pick<LeaderboardReadModel, 'waitFor' | 'history'>;
}

export interface PlayerHistoryQuery extends ReadOptions {
  readonly userId: string;
  readonly limit: number;
  /** As the page before gave it. */
  readonly cursor?: string;
}

/** One match that made a score, newest first. Times in milliseconds since 1970. */
export interface PlayedMatch {
  readonly matchId: string;
  readonly points: number;
  /** The score after it. */
  readonly total: number;
  readonly occurredAt: number;
  readonly recordedAt: number;
}

export interface PlayedMatches {
  readonly matches: readonly PlayedMatch[];
  /** Asks for the next page; absent at the end. */
  readonly nextCursor: string | undefined;
}

/** The read model says which matches count, and the log what was played in them. */
export async function playerHistory(
  means: HistoryMeans,
  query: PlayerHistoryQuery,
): Promise<Read<PlayedMatches>> {
  const { userId, limit, cursor } = query;
  const from = cursor === undefined ? undefined : revisionOf(cursor);
  if (from === 'invalid') return invalidCursor();
  const read = await readBoard(means, query, async ({ board, period, settings }) => {
    const stream = scoresStream(board, bucketOf(userId, settings.buckets));
    const page = await means.readModel.history({ board, period, userId, stream, from, limit });
    return page.kind === 'lost' ? page : { ...page, stream };
  });
  if (read.kind !== 'answer') return read;
  const { entries, next, stream, ...answer } = read;
  if (from !== undefined && entries.length === 0) return invalidCursor();
  const matches: PlayedMatch[] = [];
  const events = await scoresAt(
    means,
    stream,
    entries.map(({ revision }) => revision),
  );
  for (const [index, { occurredAt, recordedAt, data }] of events.entries()) {
    const own = data.user_id === userId && data.board === read.board && data.period === read.period;
    if (!own) return invalidCursor();
    const total = entries[index]?.total as number;
    const { match_id: matchId, points } = data;
    matches.push({ matchId, points, total, occurredAt, recordedAt });
  }
  return { ...answer, matches, nextCursor: next === undefined ? undefined : String(next) };
}

/** The scores at these revisions, newest first as they are: those that lie together are read together. */
async function scoresAt(
  { log, cipher }: HistoryMeans,
  stream: string,
  revisions: readonly number[],
) {
  const runs = await Promise.all(
    runsOf(revisions, limits.historyGapEventsMax).map(async ({ from, limit }) => {
      const { events } = await log.readStream(stream, { from, limit });
      return scoreEvents.decode(
        events.filter(({ revision }) => revisions.includes(revision)),
        cipher,
      );
    }),
  );
  const found = new Map(runs.flat().map((event) => [event.revision, event]));
  return revisions.map((revision) => {
    const event = found.get(revision);
    if (event?.type === 'score-recorded') return event;
    throw new Error(`the read model names ${stream}@${revision}, and the log has no score there`);
  });
}

/** Reads that cover all revisions (descending), each of as many as lie within `gapMax` of the next. */
export function runsOf(
  revisions: readonly number[],
  gapMax: number,
): { readonly from: number; readonly limit: number }[] {
  const runs: { from: number; limit: number }[] = [];
  for (const revision of revisions) {
    const run = runs.at(-1);
    if (run && run.from - revision <= gapMax) {
      run.limit += run.from - revision;
      run.from = revision;
    } else runs.push({ from: revision, limit: 1 });
  }
  return runs;
}

function revisionOf(cursor: string): number | 'invalid' {
  return /^\d{1,15}$/.test(cursor) ? Number(cursor) : 'invalid';
}

function invalidCursor(): Refused<'invalid-cursor'> {
  return refused('invalid-cursor', 'the cursor is none that this list gave');
}
