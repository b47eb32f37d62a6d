import type { Checkpoint } from '@annals/event-log';
import { StoreLostError } from '@annals/projection';
import type { GenerationReader, RankedReads, ReadTransaction } from '@annals/store-sqlite';
import type { Order, Ties } from '../input.ts';
import { type EntryStatus, scoreOf, standingOf } from '../state.ts';
import {
  type Answer,
  type BoardPeriod,
  type Entries,
  type EntryPlace,
  type FriendRank,
  type History,
  type HistoryEntry,
  type HistoryQuery,
  type LeaderboardReadModel,
  type NamedPlayer,
  percentileOf,
  type RankedPlayer,
  type Ranks,
  type RanksQuery,
  type Standing,
  type StandingQuery,
  type Top,
  type TopQuery,
} from './port.ts';

/** The live generation of the leaderboard's store: what an app makes of a `LiveReader` of `store-sqlite`. */
export interface LiveGeneration {
  current():
    | { readonly kind: 'ready'; readonly reader: Pick<GenerationReader, 'readInTurn'> }
    | { readonly kind: 'lost' };
  waitFor(
    checkpoint: Checkpoint,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<'reached' | 'late' | 'lost'>;
}

/**
 * The embedded read model: the SQLite file of the live generation. Ranks come from the store's ranked
 * counts and rows from the index `standing`, so that no answer scans a board. Each answer is read in
 * one transaction.
 */
export function sqliteLeaderboardReadModel(live: LiveGeneration): LeaderboardReadModel {
  return {
    top: async (query) => answer(live, (reads) => top(reads, query)),
    standing: async (query) => answer(live, (reads) => standing(reads, query)),
    ranks: async (query) => answer(live, (reads) => ranks(reads, query)),
    entries: async (places) => answer(live, (reads) => entries(reads, places)),
    history: async (query) => answer(live, (reads) => history(reads, query)),
    player: async (userId) => answer(live, (reads) => player(reads, userId)),
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

function answer<T>(live: LiveGeneration, read: (reads: ReadTransaction) => T): Answer<T> {
  const current = live.current();
  if (current.kind === 'lost') return { kind: 'lost' };
  try {
    return current.reader.readInTurn((reads) => ({
      kind: 'answer',
      asOf: reads.checkpoint(),
      ...read(reads),
    }));
  } catch (error) {
    if (error instanceof StoreLostError) return { kind: 'lost' };
    throw error;
  }
}

/** The score is not read: it follows from the standing, which the index holds. */
const boardRow = 's.user_id, s.standing, p.name, p.picture';
const named = 'LEFT JOIN players p ON p.user_id = s.user_id';
const onBoard = 's.board = ? AND s.period = ?';
const bestFirst = 's.standing, s.reached_at, s.reached_by';
const worstFirst = 's.standing DESC, s.reached_at DESC, s.reached_by DESC';

/** Every query of this read model. A test asks SQLite for its plan: all search, none scans. */
export const leaderboardSql = {
  first: `SELECT ${boardRow} FROM scores s ${named}
    WHERE ${onBoard} ORDER BY ${bestFirst} LIMIT ? + 0`,
  // The names of the rows that are skipped are not looked up.
  from: `SELECT ${boardRow} FROM (SELECT s.user_id, ${bestFirst} FROM scores s
    WHERE ${onBoard} AND s.standing >= ? ORDER BY ${bestFirst} LIMIT ? + 0 OFFSET ?) s ${named}
    ORDER BY ${bestFirst}`,
  own: `SELECT ${boardRow}, s.reached_at, s.reached_by, s.matches FROM scores s ${named}
    WHERE ${onBoard} AND s.user_id = ?`,
  above: `SELECT ${boardRow} FROM scores s ${named}
    WHERE ${onBoard} AND (${bestFirst}) < (?, ?, ?) ORDER BY ${worstFirst} LIMIT ? + 0`,
  below: `SELECT ${boardRow} FROM scores s ${named}
    WHERE ${onBoard} AND (${bestFirst}) > (?, ?, ?) ORDER BY ${bestFirst} LIMIT ? + 0`,
  friends: `SELECT ${boardRow} FROM json_each(?) friend
    CROSS JOIN scores s ON ${onBoard} AND s.user_id = friend.value ${named}
    ORDER BY ${bestFirst}`,
  entry: 'SELECT status, total, previous FROM entries WHERE stream = ? AND revision = ?',
  player: 'SELECT name, picture FROM players WHERE user_id = ? AND name IS NOT NULL',
  newest: `SELECT s.last_revision AS revision FROM scores s WHERE ${onBoard} AND s.user_id = ?`,
} as const;

interface BoardRow {
  readonly user_id: string;
  readonly standing: number;
  readonly name: string | null;
  readonly picture: string | null;
}

interface OwnRow extends BoardRow {
  readonly reached_at: number;
  readonly reached_by: string;
  readonly matches: number;
}

interface EntryRow {
  readonly status: EntryStatus;
  readonly total: number | null;
  readonly previous: number | null;
}

/** The players of one board in one period, counted by how good their scores are. */
class Counts {
  readonly #counts: RankedReads;
  readonly #order: Order;

  constructor(reads: ReadTransaction, { board, period, order }: BoardPeriod) {
    this.#counts = reads.ranked('scores', [board, period]);
    this.#order = order;
  }

  players(): number {
    return this.#counts.total();
  }

  /** Players with a strictly worse score. */
  behind(standing: number): number {
    const score = scoreOf(standing, this.#order);
    return this.#order === 'desc' ? this.#counts.countBelow(score) : this.#counts.countAbove(score);
  }

  /** 1 + the players, or the different scores, that are better. The score itself is on the board. */
  rank(standing: number, ties: Ties): number {
    const score = scoreOf(standing, this.#order);
    if (this.#order === 'desc') {
      return 1 + this.#counts[ties === 'dense' ? 'distinctAbove' : 'countAbove'](score);
    }
    if (ties === 'standard') return 1 + this.#counts.countBelow(score);
    return this.#counts.distinctTotal() - this.#counts.distinctAbove(score);
  }

  /** The standing of whoever is at `place` (0 is the best), and how many players are better. */
  at(place: number): { readonly standing: number; readonly better: number } | undefined {
    const selected =
      this.#order === 'desc' ? this.#counts.fromTop(place) : this.#counts.fromBottom(place);
    return (
      selected && { standing: standingOf(selected.score, this.#order), better: selected.before }
    );
  }
}

function top(reads: ReadTransaction, query: TopQuery): Top {
  const { board, period, order, limit, offset, ties } = query;
  const counts = new Counts(reads, query);
  const players = counts.players();
  const first = counts.at(offset);
  if (!first) return { rows: [], players };
  const { standing: from, better } = first;
  // The counts lead to the tie the page begins in; only within that tie rows are skipped one by one.
  const rows =
    offset === 0
      ? reads.all<BoardRow>(leaderboardSql.first, board, period, limit)
      : reads.all<BoardRow>(leaderboardSql.from, board, period, from, limit, offset - better);
  const firstRank = ties === 'dense' ? counts.rank(from, ties) : better + 1;
  return { rows: ranked(rows, order, ties, firstRank, offset + 1), players };
}

/**
 * Ranks rows that follow each other on the board. `firstRank` is the rank of the first of them,
 * `firstPlace` its place on the board, 1 for the best.
 */
function ranked(
  rows: readonly BoardRow[],
  order: Order,
  ties: Ties,
  firstRank: number,
  firstPlace: number,
): RankedPlayer[] {
  let rank = firstRank;
  return rows.map(({ user_id: userId, standing: at, name, picture }, index) => {
    const tied = index === 0 || at === rows[index - 1]?.standing;
    if (!tied) rank = ties === 'dense' ? rank + 1 : firstPlace + index;
    return { userId, name, picture, rank, score: scoreOf(at, order) };
  });
}

function standing(reads: ReadTransaction, query: StandingQuery): Standing {
  const { board, period, order, userId, around, ties } = query;
  const counts = new Counts(reads, query);
  const players = counts.players();
  const own = reads.get<OwnRow>(leaderboardSql.own, board, period, userId);
  if (!own) return { row: undefined, above: [], below: [], players };
  const place = [board, period, own.standing, own.reached_at, own.reached_by, around] as const;
  const above = reads.all<BoardRow>(leaderboardSql.above, ...place).reverse();
  const below = reads.all<BoardRow>(leaderboardSql.below, ...place);
  const rank = counts.rank(own.standing, ties);
  const behind = counts.behind(own.standing);

  const better = above.filter((row) => row.standing !== own.standing).length;
  const aboveRank = better === 0 ? rank : counts.rank((above[0] as BoardRow).standing, ties);
  // The last of the better ones stands just before the own rank, however many are tied with it.
  const rankedAbove = ranked(above, order, ties, aboveRank, rank - better);

  const tied = below.filter((row) => row.standing === own.standing).length;
  // The first of the worse ones stands just behind all that are not behind.
  const [row, ...rankedBelow] = ranked([own, ...below], order, ties, rank, players - behind - tied);
  return {
    row: {
      ...(row as RankedPlayer),
      percentile: percentileOf(behind, players),
      matches: own.matches,
    },
    above: rankedAbove,
    below: rankedBelow,
    players,
  };
}

function ranks(reads: ReadTransaction, query: RanksQuery): Ranks {
  const { board, period, order, userIds, ties } = query;
  const counts = new Counts(reads, query);
  const ids = JSON.stringify([...new Set(userIds)]);
  const friends = reads.all<BoardRow>(leaderboardSql.friends, ids, board, period);
  let boardRank = 0;
  const rows = ranked(friends, order, ties, 1, 1).map((row, index): FriendRank => {
    const { standing: at } = friends[index] as BoardRow;
    if (at !== friends[index - 1]?.standing) boardRank = counts.rank(at, ties);
    return { ...row, boardRank };
  });
  return { rows, players: counts.players() };
}

function entries(reads: ReadTransaction, places: readonly EntryPlace[]): Entries {
  const entryAt = ({ stream, revision }: EntryPlace) => {
    const row = reads.get<EntryRow>(leaderboardSql.entry, stream, revision);
    return row && { status: row.status, total: row.total };
  };
  return { entries: places.map(entryAt) };
}

function player(reads: ReadTransaction, userId: string): NamedPlayer {
  return {
    player: reads.get<{ name: string; picture: string | null }>(leaderboardSql.player, userId),
  };
}

/** Walks the chain of counted entries back from the newest one, or from where an earlier page ended. */
function history(reads: ReadTransaction, query: HistoryQuery): History {
  const { board, period, userId, stream, from, limit } = query;
  const newest = () =>
    reads.get<{ revision: number }>(leaderboardSql.newest, board, period, userId)?.revision;
  const found: HistoryEntry[] = [];
  let next = from ?? newest();
  while (next !== undefined && found.length < limit) {
    const entry = reads.get<EntryRow>(leaderboardSql.entry, stream, next);
    if (entry?.status !== 'counted' || entry.total === null)
      return { entries: found, next: undefined };
    found.push({ revision: next, total: entry.total });
    next = entry.previous ?? undefined;
  }
  return { entries: found, next };
}
