import type { Checkpoint } from '@annals/event-log';
import { type Cell, StoreLostError } from '@annals/projection';
import type {
  CassandraReader,
  CassandraReads,
  OrderReads,
  RankReads,
} from '@annals/store-cassandra';
import type { Order, Ties } from '../input.ts';
import { scoreOf, standingOf } from '../state.ts';
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

/** The live generation of the leaderboard's store: what an app makes of a `CassandraLiveReader` of `store-cassandra`. */
export interface LiveCassandraGeneration {
  current(): Promise<
    | { readonly kind: 'ready'; readonly reader: Pick<CassandraReader, 'read'> }
    | { readonly kind: 'lost' }
  >;
  waitFor(
    checkpoint: Checkpoint,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<'reached' | 'late' | 'lost'>;
}

/**
 * The read model where boards outgrow memory: the partitions of the order `standing`, sorted by Cassandra, are
 * scattered by player and gathered for each page, and ranks come from the store's tree of counts: six rows
 * for a rank, whatever the number of players. An answer takes three round trips or four; where batches came between
 * them, it is read again. Names come from memory as long as no batch changes any (decision 058).
 */
export function cassandraLeaderboardReadModel(live: LiveCassandraGeneration): LeaderboardReadModel {
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
  live: LiveCassandraGeneration,
  read: (reads: CassandraReads) => Promise<T>,
): Promise<Answer<T>> {
  try {
    const current = await live.current();
    if (current.kind === 'lost') return { kind: 'lost' };
    const { value, checkpoint, exact } = await current.reader.read(read);
    return { kind: 'answer', asOf: checkpoint, ...(exact ? {} : { exact }), ...value };
  } catch (error) {
    if (error instanceof StoreLostError) return { kind: 'lost' };
    throw error;
  }
}

/** The players of one board in one period, counted by how good their scores are. */
class Counts {
  readonly #ranks: RankReads;
  readonly #order: Order;

  constructor(reads: CassandraReads, { board, period, order }: BoardPeriod) {
    this.#ranks = reads.ranks('scores', [board, period]);
    this.#order = order;
  }

  /** Players with a better score than each of these standings, and with one at least as good. */
  async of(standings: readonly number[]) {
    const order = this.#order;
    const { total, counts } = await this.#ranks.counts(
      standings.map((standing) => scoreOf(standing, order)),
    );
    return {
      total,
      counts: counts.map(({ below, at }) => {
        const better = order === 'desc' ? total - below - at : below;
        return { better, through: better + at };
      }),
    };
  }

  /** 1 + the players, or the different scores, that are better than each of these. */
  async ranks(standings: readonly number[], ties: Ties): Promise<readonly number[]> {
    if (standings.length === 0) return [];
    if (ties !== 'dense') return (await this.of(standings)).counts.map(({ better }) => better + 1);
    const order = this.#order;
    const scores = standings.map((standing) => scoreOf(standing, order));
    const { total, below } = await this.#ranks.distinct(scores);
    // Each of these scores is on the board: it is the one that is neither lower nor higher.
    return below.map((lower) => (order === 'desc' ? total - lower : lower + 1));
  }

  /** The standing of whoever is at `place` (0 is the best), and how many players are better. */
  async at(
    place: number,
  ): Promise<{ readonly standing: number; readonly better: number } | undefined> {
    const order = this.#order;
    if (order === 'asc') {
      const found = await this.#ranks.select(place);
      return found && { standing: standingOf(found.score, order), better: found.below };
    }
    const { total } = await this.#ranks.counts([]);
    const found = place < total ? await this.#ranks.select(total - 1 - place) : undefined;
    if (!found) return undefined;
    const { score, below, at } = found;
    return { standing: standingOf(score, order), better: total - below - at };
  }
}

function orderOf(reads: CassandraReads, { board, period }: BoardPeriod): OrderReads {
  return reads.order('scores', 'standing', [board, period]);
}

/** Rows that a page near the top may skip by reading them; further down the counts lead to where it begins. */
const skippedRowsMax = 200;

async function top(reads: CassandraReads, query: TopQuery): Promise<Top> {
  const { order, limit, offset, ties } = query;
  const counts = new Counts(reads, query);
  const board = orderOf(reads, query);
  const start = offset > skippedRowsMax ? await counts.at(offset) : { better: 0 };
  if (!start) return { rows: [], players: (await counts.of([])).total };
  const from = 'standing' in start ? { from: [start.standing] } : {};
  // Only within the tie a page begins in rows are skipped one by one.
  const [rows, { total: players }] = await Promise.all([
    board.forward({ ...from, skip: offset - start.better, limit }),
    counts.of([]),
  ]);
  const [first] = rows;
  if (!first) return { rows: [], players };
  const [names, [firstRank = 1]] = await Promise.all([
    namesOf(reads, rows),
    offset === 0 ? [1] : counts.ranks([first.standing as number], ties),
  ]);
  return { rows: ranked(rows, names, { order, ties, firstRank, firstPlace: offset + 1 }), players };
}

async function standing(reads: CassandraReads, query: StandingQuery): Promise<Standing> {
  const { order, userId, around, ties } = query;
  const counts = new Counts(reads, query);
  const board = orderOf(reads, query);
  const [[own], [ownName], { total }] = await Promise.all([
    reads.load([scoreKey(query, userId)]),
    namesOf(reads, [{ user_id: userId }]),
    counts.of([]),
  ]);
  if (!own) return { row: undefined, above: [], below: [], players: total };
  const place = [own.standing, own.reached_at, own.reached_by, userId] as Cell[];
  const self = own.standing as number;
  const [nearest, below, counted] = await Promise.all([
    board.backward({ before: place, limit: around }),
    board.forward({ after: place, limit: around }),
    counts.of([self]),
  ]);
  const above = nearest.toReversed();
  const { better, through } = counted.counts[0] as { better: number; through: number };
  const first = above[0]?.standing ?? self;
  const [names, [rank = 1, aboveRank = 1]] = await Promise.all([
    namesOf(reads, [...above, ...below]),
    counts.ranks([self, first as number], ties),
  ]);
  const ahead = above.filter((row) => row.standing !== self).length;
  // The last of the better ones stands just before the own rank, however many are tied with it.
  const rankedAbove = ranked(above, names, {
    ...{ order, ties, firstRank: aboveRank, firstPlace: better + 1 - ahead },
  });
  const tied = below.filter((row) => row.standing === self).length;
  // The first of the worse ones stands just behind all that are not behind.
  const [row, ...rankedBelow] = ranked(
    [own, ...below],
    [ownName ?? unnamed, ...names.slice(above.length)],
    { order, ties, firstRank: rank, firstPlace: through - tied },
  );
  const percentile = percentileOf(total - through, total);
  return {
    row: { ...(row as RankedPlayer), percentile, matches: own.matches as number },
    above: rankedAbove,
    below: rankedBelow,
    players: total,
  };
}

async function ranks(reads: CassandraReads, query: RanksQuery): Promise<Ranks> {
  const { order, userIds, ties } = query;
  const counts = new Counts(reads, query);
  const friends = await scoresOf(reads, query, userIds);
  const standings = friends.map((row) => row.standing as number);
  const [names, { total: players }, boardRanks] = await Promise.all([
    namesOf(reads, friends),
    counts.of([]),
    counts.ranks(standings, ties),
  ]);
  const ranking = { order, ties, firstRank: 1, firstPlace: 1 };
  const rows = ranked(friends, names, ranking).map(
    (row, index): FriendRank => ({ ...row, boardRank: boardRanks[index] as number }),
  );
  return { rows, players };
}
