import { advance, type Checkpoint } from '@annals/event-log';
import type { leaderboardEvents, ScoreData } from '../events.ts';
import type { EntryStatus } from '../state.ts';
import {
  type Answer,
  type BoardPeriod,
  type Entries,
  type EntryPlace,
  type FriendRank,
  type History,
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

export type LeaderboardEvent = Awaited<ReturnType<typeof leaderboardEvents.decode>>[number];

interface Match {
  readonly event: LeaderboardEvent;
  readonly data: ScoreData;
  readonly status: EntryStatus;
  readonly total: number | null;
}

interface Player {
  readonly userId: string;
  readonly score: number;
  readonly reachedAt: number;
  readonly reachedBy: string;
  readonly matches: readonly Match[];
}

/**
 * The leaderboard as one would explain it: keep every match, add up, sort. It shares no code with the
 * projection and the SQL beside it, so that tests and the simulation compare two ways of thinking.
 */
export class NaiveLeaderboard implements LeaderboardReadModel {
  readonly #matches: Match[] = [];
  /** The matches that count, by board, period and player. */
  readonly #counted = new Map<string, Match[]>();
  readonly #closed = new Set<string>();
  readonly #names = new Map<string, { name: string; picture: string | null }>();
  readonly #erased = new Set<string>();
  #checkpoint: Checkpoint = {};

  apply(event: LeaderboardEvent): void {
    this.#checkpoint = advance(this.#checkpoint, event.partition, event.position);
    if (event.type === 'score-recorded') this.#addMatch(event);
    if (event.type === 'period-closed') this.#closed.add(`${event.stream} ${event.data.period}`);
    if (event.type === 'player-named' && !event.erased) {
      const { name, picture } = event.data;
      this.#names.set(event.data.user_id, { name, picture: picture ?? null });
    }
    if (event.type === 'subject-erased' && event.data.subject.startsWith('player:')) {
      this.#erased.add(event.data.subject.slice('player:'.length));
    }
  }

  #addMatch(event: Extract<LeaderboardEvent, { readonly type: 'score-recorded' }>): void {
    const { data } = event;
    const totals = this.#countedMatches(data.board, data.period, data.user_id);
    const before = totals.at(-1)?.total ?? null;
    const after = this.#combine([...totals.map((match) => match.data.points), data.points], data);
    let status: EntryStatus = 'counted';
    if (this.#closed.has(`${event.stream} ${data.period}`)) status = 'void-closed';
    else if (Math.abs(after) > Number.MAX_SAFE_INTEGER) status = 'void-out-of-range';
    const match = { event, data, status, total: status === 'counted' ? after : before };
    this.#matches.push(match);
    if (status !== 'counted') return;
    totals.push(match);
    this.#counted.set(keyOf(data.board, data.period, data.user_id), totals);
  }

  #combine(points: readonly number[], { operator, order }: ScoreData): number {
    if (operator === 'latest') return points.at(-1) as number;
    if (operator === 'increment') return points.reduce((sum, some) => sum + some, 0);
    const sorted = points.toSorted((a, b) => a - b);
    return (order === 'asc' ? sorted[0] : sorted.at(-1)) as number;
  }

  #countedMatches(board: string, period: string, userId: string): Match[] {
    return this.#counted.get(keyOf(board, period, userId)) ?? [];
  }

  /** All players of a board in a period, best first. */
  #sorted({ board, period, order }: BoardPeriod): Player[] {
    const matchesOf = new Map<string, Match[]>();
    for (const match of this.#matches) {
      const { data, status } = match;
      if (status !== 'counted' || data.board !== board || data.period !== period) continue;
      const matches = matchesOf.get(data.user_id);
      if (matches) matches.push(match);
      else matchesOf.set(data.user_id, [match]);
    }
    const players = [...matchesOf].map(([userId, matches]) => playerOf(userId, matches));
    const sign = order === 'desc' ? -1 : 1;
    return players.sort(
      (a, b) =>
        sign * (a.score - b.score) ||
        a.reachedAt - b.reachedAt ||
        (a.reachedBy < b.reachedBy ? -1 : 1),
    );
  }

  #ranked(
    players: readonly Player[],
    of: readonly Player[],
    ties: TopQuery['ties'],
  ): RankedPlayer[] {
    return players.map(({ userId, score }) => {
      const place = of.findIndex((player) => player.score === score);
      const better = of.slice(0, place).map((player) => player.score);
      const rank = 1 + (ties === 'dense' ? new Set(better).size : better.length);
      const named = this.#erased.has(userId) ? undefined : this.#names.get(userId);
      const { name, picture } = named ?? { name: null, picture: null };
      return { userId, name, picture, rank, score };
    });
  }

  async top(query: TopQuery): Promise<Answer<Top>> {
    const players = this.#sorted(query);
    const page = players.slice(query.offset, query.offset + query.limit);
    const rows = this.#ranked(page, players, query.ties);
    return { kind: 'answer', asOf: this.#checkpoint, rows, players: players.length };
  }

  async standing({ userId, around, ties, ...on }: StandingQuery): Promise<Answer<Standing>> {
    const players = this.#sorted(on);
    const answer = { kind: 'answer', asOf: this.#checkpoint, players: players.length } as const;
    const place = players.findIndex((player) => player.userId === userId);
    const own = players[place];
    if (!own) return { ...answer, row: undefined, above: [], below: [] };
    const rows = this.#ranked(players, players, ties);
    const behind = players.slice(place).filter((player) => player.score !== own.score).length;
    const row = {
      ...(rows[place] as RankedPlayer),
      percentile: percentileOf(behind, players.length),
      matches: own.matches.length,
    };
    const above = rows.slice(Math.max(0, place - around), place);
    return { ...answer, row, above, below: rows.slice(place + 1, place + 1 + around) };
  }

  async ranks({ userIds, ties, ...on }: RanksQuery): Promise<Answer<Ranks>> {
    const players = this.#sorted(on);
    const friends = players.filter((player) => userIds.includes(player.userId));
    const boardRanks = this.#ranked(friends, players, ties).map((row) => row.rank);
    const rows = this.#ranked(friends, friends, ties).map(
      (row, index): FriendRank => ({ ...row, boardRank: boardRanks[index] as number }),
    );
    return { kind: 'answer', asOf: this.#checkpoint, rows, players: players.length };
  }

  async player(userId: string): Promise<Answer<NamedPlayer>> {
    const player = this.#erased.has(userId) ? undefined : this.#names.get(userId);
    return { kind: 'answer', asOf: this.#checkpoint, player };
  }

  async entries(places: readonly EntryPlace[]): Promise<Answer<Entries>> {
    const entries = places.map(({ stream, revision }) => {
      const match = this.#matches.find(
        ({ event }) => event.stream === stream && event.revision === revision,
      );
      return match && { status: match.status, total: match.total };
    });
    return { kind: 'answer', asOf: this.#checkpoint, entries };
  }

  async history({ board, period, userId, from, limit }: HistoryQuery): Promise<Answer<History>> {
    const matches = this.#countedMatches(board, period, userId).toReversed();
    const rest = matches.filter(({ event }) => from === undefined || event.revision <= from);
    const entries = rest
      .slice(0, limit)
      .map(({ event, total }) => ({ revision: event.revision, total: total as number }));
    const next = rest[limit]?.event.revision;
    return { kind: 'answer', asOf: this.#checkpoint, entries, next };
  }

  async waitFor(): Promise<'reached'> {
    return 'reached';
  }
}

function keyOf(...key: readonly string[]): string {
  return JSON.stringify(key);
}

/** The score is the last total; it was reached by the first match of the last run of equal totals. */
function playerOf(userId: string, matches: readonly Match[]): Player {
  const score = matches.at(-1)?.total as number;
  const changed = matches.findLastIndex(({ total }) => total !== score);
  const { event } = matches[changed + 1] as Match;
  return { userId, score, reachedAt: event.recordedAt, reachedBy: event.id, matches };
}
