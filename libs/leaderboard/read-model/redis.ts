import type { Checkpoint } from '@annals/event-log';
import { StoreLostError } from '@annals/projection';
import type { OrderedRow, OrderReads, RedisReader, RedisReads } from '@annals/store-redis';
import type { Ties } from '../input.ts';
import {
  entries,
  history,
  namesOf,
  player,
  ranked,
  scoreKey,
  scoresOf,
  unnamed,
} from './keyed-rows.ts';
import {
  type Answer,
  type BoardPeriod,
  type FriendRank,
  type LeaderboardReadModel,
  percentileOf,
  type RankedPlayer,
  type Ranks,
  type RanksQuery,
  type Standing,
  type StandingQuery,
  type Top,
  type TopQuery,
} from './port.ts';

/** The live generation of the leaderboard's store: what an app makes of a `RedisLiveReader` of `store-redis`. */
export interface LiveRedisGeneration {
  current(): Promise<
    | { readonly kind: 'ready'; readonly reader: Pick<RedisReader, 'read'> }
    | { readonly kind: 'lost' }
  >;
  waitFor(
    checkpoint: Checkpoint,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<'reached' | 'late' | 'lost'>;
}

/**
 * The read model of a cluster: the sorted sets of the order `standing`, dealt to shards by player, or
 * by score. A rank is 1 + the sum of the shards' counts, a page is merged from theirs. An answer takes two or three round
 * trips; where commits came between them, it is read again.
 */
export function redisLeaderboardReadModel(live: LiveRedisGeneration): LeaderboardReadModel {
  return {
    top: (query) => answer(live, (reads) => top(reads, query)),
    standing: (query) => answer(live, (reads) => standing(reads, query)),
    ranks: (query) => answer(live, (reads) => ranks(reads, query)),
    entries: (places) => answer(live, (reads) => entries(reads, places)),
    history: (query) => answer(live, (reads) => history(reads, query)),
    player: (userId) => answer(live, (reads) => player(reads, userId)),
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

async function answer<T>(
  live: LiveRedisGeneration,
  read: (reads: RedisReads) => Promise<T>,
): Promise<Answer<T>> {
  const current = await live.current();
  if (current.kind === 'lost') return { kind: 'lost' };
  try {
    const { value, checkpoint, exact } = await current.reader.read(read);
    const asOf = { kind: 'answer', asOf: checkpoint } as const;
    return { ...asOf, ...(exact ? {} : { exact }), ...value };
  } catch (error) {
    if (error instanceof StoreLostError) return { kind: 'lost' };
    throw error;
  }
}

function orderOf(reads: RedisReads, { board, period }: BoardPeriod): OrderReads {
  return reads.order('scores', 'standing', [board, period]);
}

/** 1 + the players, or the different scores, that are better than each of these. */
async function ranksOf(
  order: OrderReads,
  standings: readonly number[],
  ties: Ties,
): Promise<readonly number[]> {
  if (standings.length === 0) return [];
  if (ties === 'dense') return (await order.distinctBefore(standings)).map((better) => better + 1);
  return (await order.counts(standings)).counts.map(({ before }) => before + 1);
}

async function top(reads: RedisReads, query: TopQuery): Promise<Top> {
  const { order, limit, offset, ties } = query;
  const board = orderOf(reads, query);
  const { total: players, rows } = await board.page(offset, limit);
  const [first] = rows;
  if (!first) return { rows: [], players };
  const [names, [firstRank = 1]] = await Promise.all([
    namesOf(reads, rows),
    offset === 0 ? [1] : ranksOf(board, [first.standing as number], ties),
  ]);
  const ranking = { order, ties, firstRank, firstPlace: offset + 1 };
  return { rows: ranked(rows, names, ranking), players };
}

async function standing(reads: RedisReads, query: StandingQuery): Promise<Standing> {
  const { order, userId, around, ties } = query;
  const board = orderOf(reads, query);
  // One row more above tells whether the first that is shown is tied with what is before it.
  const [at, [ownName]] = await Promise.all([
    board.standing(scoreKey(query, userId).key, around === 0 ? 0 : around + 1, around),
    namesOf(reads, [{ user_id: userId }]),
  ]);
  if (at.row === undefined) {
    return { row: undefined, above: [], below: [], players: at.total };
  }
  const { total: players, value, below } = at;
  const hidden = Math.max(0, at.above.length - around);
  const above = at.above.slice(hidden);
  const shown = { first: above[0], before: at.above[hidden - 1], place: at.place - above.length };
  const self = { standing: at.row.standing as number, rank: value.before + 1 };
  const [names, [rank = 1, aboveRank = rank]] = await Promise.all([
    namesOf(reads, [...above, ...below]),
    ranksAround(board, self, shown, ties),
  ]);
  const better = above.filter((row) => row.standing !== self.standing).length;
  // The last of the better ones stands just before the own rank, however many are tied with it.
  const firstPlace = value.before + 1 - better;
  const rankedAbove = ranked(above, names, { order, ties, firstRank: aboveRank, firstPlace });
  const tied = below.filter((row) => row.standing === self.standing).length;
  // The first of the worse ones stands just behind all that are not behind.
  const place = value.through - tied;
  const behindNames = [ownName ?? unnamed, ...names.slice(above.length)];
  const [row, ...rankedBelow] = ranked([at.row, ...below], behindNames, {
    ...{ order, ties, firstRank: rank, firstPlace: place },
  });
  return {
    row: {
      ...(row as RankedPlayer),
      percentile: percentileOf(players - value.through, players),
      matches: at.stored.matches as number,
    },
    above: rankedAbove,
    below: rankedBelow,
    players,
  };
}

interface Shown {
  /** The first row that is shown above the own one, and the one before it that is not. */
  readonly first: OrderedRow | undefined;
  readonly before: OrderedRow | undefined;
  /** Players before `first`, one by one. */
  readonly place: number;
}

/**
 * The own rank and that of the first row that is shown above. What is counted already is not asked for
 * again: only a first row that is tied with one before it has to be looked for.
 */
async function ranksAround(
  board: OrderReads,
  own: { readonly standing: number; readonly rank: number },
  { first, before, place }: Shown,
  ties: Ties,
): Promise<readonly number[]> {
  const isBetter = first !== undefined && first.standing !== own.standing;
  if (ties === 'dense') {
    const standings = isBetter ? [own.standing, first.standing as number] : [own.standing];
    return ranksOf(board, standings, ties);
  }
  if (!isBetter) return [own.rank];
  if (before?.standing !== first.standing) return [own.rank, place + 1];
  return [own.rank, ...(await ranksOf(board, [first.standing as number], ties))];
}

async function ranks(reads: RedisReads, query: RanksQuery): Promise<Ranks> {
  const { order, userIds, ties } = query;
  const board = orderOf(reads, query);
  const friends = await scoresOf(reads, query, userIds);
  const standings = friends.map((row) => row.standing as number);
  const [names, counted, boardRanks] = await Promise.all([
    namesOf(reads, friends),
    board.counts(ties === 'dense' ? [] : standings),
    ties === 'dense' ? ranksOf(board, standings, ties) : [],
  ]);
  const ranking = { order, ties, firstRank: 1, firstPlace: 1 };
  const rows = ranked(friends, names, ranking).map((row, index): FriendRank => {
    const before = counted.counts[index]?.before ?? 0;
    return { ...row, boardRank: boardRanks[index] ?? before + 1 };
  });
  return { rows, players: counted.total };
}
