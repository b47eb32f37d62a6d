import type { Cell, Row, RowKey } from '@annals/projection';
import type { Order, Ties } from '../input.ts';
import { type EntryStatus, scoreOf } from '../state.ts';
import type {
  BoardPeriod,
  Entries,
  EntryPlace,
  History,
  HistoryEntry,
  HistoryQuery,
  NamedPlayer,
  RankedPlayer,
} from './port.ts';

/** What the read models of a cluster have in common: rows that are asked for by their keys, a round trip at a time. */

export interface KeyedReads {
  /** Rows by key, in their order. */
  load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>;
  /** The same, from memory where nothing in their table was changed since they were read. */
  loadKept(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>;
}

export interface Named {
  readonly name: string | null;
  readonly picture: string | null;
}

export const unnamed: Named = { name: null, picture: null };

export function scoreKey(
  { board, period }: Pick<BoardPeriod, 'board' | 'period'>,
  userId: string,
): RowKey {
  return { table: 'scores', key: [board, period, userId] };
}

/** Names and pictures of all players of an answer, in one round trip at most. */
export async function namesOf(
  reads: Pick<KeyedReads, 'loadKept'>,
  rows: readonly { readonly user_id?: Cell }[],
): Promise<Named[]> {
  const keys = rows.map(({ user_id }) => ({ table: 'players', key: [user_id as Cell] }));
  const players = keys.length > 0 ? await reads.loadKept(keys) : [];
  return rows.map((_, n) => (players[n] as unknown as Named | undefined) ?? unnamed);
}

export interface Ranking {
  readonly order: Order;
  readonly ties: Ties;
  /** The rank of the first row, and its place on the board, 1 for the best. */
  readonly firstRank: number;
  readonly firstPlace: number;
}

/** Ranks rows that follow each other on the board. */
export function ranked(
  rows: readonly Row[],
  names: readonly Named[],
  { order, ties, firstRank, firstPlace }: Ranking,
): RankedPlayer[] {
  let rank = firstRank;
  return rows.map(({ user_id, standing: at }, index) => {
    const tied = index === 0 || at === rows[index - 1]?.standing;
    if (!tied) rank = ties === 'dense' ? rank + 1 : firstPlace + index;
    const { name, picture } = names[index] ?? unnamed;
    const score = scoreOf(at as number, order);
    return { userId: user_id as string, name, picture, rank, score };
  });
}

/** The scores of these players on one board, best first; of each once, and only of those that have one. */
export async function scoresOf(
  reads: KeyedReads,
  board: BoardPeriod,
  userIds: readonly string[],
): Promise<Row[]> {
  const keys = [...new Set(userIds)].map((userId) => scoreKey(board, userId));
  return (await reads.load(keys)).filter((row) => row !== undefined).sort(bestFirst);
}

export async function player(reads: KeyedReads, userId: string): Promise<NamedPlayer> {
  const [row] = await reads.load([{ table: 'players', key: [userId] }]);
  const { name, picture } = (row as unknown as Named | undefined) ?? unnamed;
  return { player: name === null ? undefined : { name, picture } };
}

function bestFirst(a: Row, b: Row): number {
  return (
    (a.standing as number) - (b.standing as number) ||
    (a.reached_at as number) - (b.reached_at as number) ||
    ((a.reached_by as string) < (b.reached_by as string) ? -1 : 1)
  );
}

interface EntryRow {
  readonly status: EntryStatus;
  readonly total: number | null;
  readonly previous: number | null;
}

function entryKey({ stream, revision }: EntryPlace): RowKey {
  return { table: 'entries', key: [stream, revision] };
}

export async function entries(reads: KeyedReads, places: readonly EntryPlace[]): Promise<Entries> {
  const rows = (await reads.load(places.map(entryKey))) as readonly unknown[];
  return {
    entries: (rows as readonly (EntryRow | undefined)[]).map(
      (row) => row && { status: row.status, total: row.total },
    ),
  };
}

/** Walks the chain of counted entries back from the newest one, or from where an earlier page ended. */
export async function history(reads: KeyedReads, query: HistoryQuery): Promise<History> {
  const { userId, stream, from, limit } = query;
  const found: HistoryEntry[] = [];
  let next = from;
  if (next === undefined) {
    const [row] = await reads.load([scoreKey(query, userId)]);
    next = row?.last_revision as number | undefined;
  }
  while (next !== undefined && found.length < limit) {
    const [row] = await reads.load([entryKey({ stream, revision: next })]);
    const entry = row as unknown as EntryRow | undefined;
    if (entry?.status !== 'counted' || entry.total === null) {
      return { entries: found, next: undefined };
    }
    found.push({ revision: next, total: entry.total });
    next = entry.previous ?? undefined;
  }
  return { entries: found, next };
}
