import { idFromKey, type SubjectCipher, sha256 } from '@annals/core';
import type { DomainEvent, EventLog } from '@annals/event-log';
import type { GenerationSnapshot, GenerationStore, Row, RowKey } from '@annals/projection';
import { leaderboardEvents, type ScoresArchived } from '../events.ts';
import { notStored, type Overloaded, type Unknown } from '../outcome.ts';
import { bucketOf, scoresStream } from '../streams.ts';
import type { BoardAndPeriod } from './period-digest.ts';

export const letGoLimits = {
  /** Players, and revisions, of one event. */
  playersMax: 200,
  revisionsMax: 5_000,
} as const;

export interface LetGoMeans {
  readonly log: Pick<EventLog, 'append'>;
  readonly cipher: SubjectCipher;
  readonly hot: GenerationStore;
  readonly archive: GenerationStore;
  readonly now: number;
  /** Nothing of the period was let go before: every match must be in both. */
  readonly isFirst: boolean;
}

export type LetGo =
  | { readonly kind: 'let-go'; readonly players: number }
  /** The archive holds something else than the hot read model: nothing of it was let go. */
  | { readonly kind: 'differs'; readonly detail: string }
  | Overloaded
  | Unknown;

interface Chunk {
  readonly userIds: readonly string[];
  readonly revisions: readonly number[];
}

/**
 * Has the hot read model let go what it still holds of a period that the archive holds, by events in the
 * streams of the buckets. Each player's matches are compared first, one by one. Safe to repeat: an event's id
 * is made of what it says, and a row that is gone is gone.
 */
export async function letGoOfPeriod(
  means: LetGoMeans,
  snapshot: GenerationSnapshot,
  period: BoardAndPeriod,
  buckets: number,
): Promise<LetGo> {
  const waiting = new Map<number, Row[]>();
  let players = 0;
  const flush = async (bucket: number): Promise<Exclude<LetGo, { kind: 'let-go' }> | undefined> => {
    const rows = waiting.get(bucket) ?? [];
    waiting.delete(bucket);
    const result = await letGoOfPlayers(means, period, scoresStream(period.board, bucket), rows);
    if (result.kind !== 'let-go') return result;
    players += result.players;
    return undefined;
  };
  for await (const page of snapshot.rows('scores')) {
    for (const row of page) {
      if (row.board !== period.board || row.period !== period.period) continue;
      const bucket = bucketOf(String(row.user_id), buckets);
      const rows = waiting.get(bucket) ?? [];
      waiting.set(bucket, rows);
      rows.push(row);
      if (rows.length < letGoLimits.playersMax) continue;
      const failed = await flush(bucket);
      if (failed) return failed;
    }
  }
  for (const bucket of [...waiting.keys()]) {
    const failed = await flush(bucket);
    if (failed) return failed;
  }
  return { kind: 'let-go', players };
}

async function letGoOfPlayers(
  means: LetGoMeans,
  { board, period }: BoardAndPeriod,
  stream: string,
  rows: readonly Row[],
): Promise<LetGo> {
  const keyOf = (row: Row): RowKey => ({
    table: 'scores',
    key: [board, period, String(row.user_id)],
  });
  const held = await means.hot.load(rows.map(keyOf));
  const left = rows.filter((_, n) => held[n] !== undefined);
  if (left.length === 0) return { kind: 'let-go', players: 0 };
  const matches = await matchesOf(means, stream, left);
  if (typeof matches === 'string') return { kind: 'differs', detail: matches };
  for (const { userIds, revisions } of chunksOf(left, matches)) {
    const data = { board, period, user_ids: [...userIds], revisions: [...revisions] };
    const id = idFromKey('scores-archived', stream, sha256(JSON.stringify(data)));
    const event: DomainEvent<ScoresArchived> = {
      ...{ type: 'scores-archived', id, occurredAt: means.now, data },
    };
    const encoded = await leaderboardEvents.encode([event], means.cipher);
    if (encoded.kind !== 'encoded') throw new TypeError('an archived score holds no personal data');
    const result = await means.log.append(stream, encoded.events, { expected: 'exists' });
    if (result.kind !== 'stored') return notStored(stream, result);
  }
  return { kind: 'let-go', players: left.length };
}

/**
 * The revisions of each player's counted matches, by the archive's chains of entries, all chains one
 * step at a time; or what is not the same in the hot read model.
 */
async function matchesOf(
  { hot, archive, isFirst }: LetGoMeans,
  stream: string,
  rows: readonly Row[],
): Promise<readonly (readonly number[])[] | string> {
  const found = rows.map((): number[] => []);
  let steps = rows.map((row, player) => ({ player, revision: Number(row.last_revision) }));
  while (steps.length > 0) {
    const keys = steps.map(({ revision }) => ({ table: 'entries', key: [stream, revision] }));
    const [archived, held] = await Promise.all([archive.load(keys), hot.load(keys)]);
    const next: typeof steps = [];
    for (const [n, { player, revision }] of steps.entries()) {
      const entry = archived[n];
      if (!entry) return `the archive has no entry ${revision} of ${stream}`;
      const isGone = held[n] === undefined && !isFirst;
      if (!isGone && !sameEntry(entry, held[n]))
        return `entry ${revision} of ${stream} is not the same`;
      found[player]?.push(revision);
      if (typeof entry.previous === 'number') next.push({ player, revision: entry.previous });
    }
    steps = next;
  }
  return found;
}

function sameEntry(a: Row, b: Row | undefined): boolean {
  const columns = ['status', 'total', 'previous'] as const;
  return b !== undefined && columns.every((column) => a[column] === b[column]);
}

/** A player's row goes with the last of his matches: until then the chain leads to all of them. */
function* chunksOf(
  rows: readonly Row[],
  matches: readonly (readonly number[])[],
): Generator<Chunk> {
  let userIds: string[] = [];
  let revisions: number[] = [];
  for (const [n, row] of rows.entries()) {
    const own = matches[n] ?? [];
    if (revisions.length > 0 && revisions.length + own.length > letGoLimits.revisionsMax) {
      yield { userIds, revisions };
      userIds = [];
      revisions = [];
    }
    // Oldest first, so that what is left begins where the row says.
    const oldest = own.toReversed();
    while (oldest.length > letGoLimits.revisionsMax) {
      yield { userIds: [], revisions: oldest.splice(0, letGoLimits.revisionsMax) };
    }
    userIds.push(String(row.user_id));
    revisions.push(...oldest);
  }
  if (userIds.length > 0) yield { userIds, revisions };
}
