import type { Checkpoint } from '@annals/event-log';
import type { Order, Ties } from '../input.ts';
import type { EntryStatus } from '../state.ts';

/**
 * What the leaderboard asks of its read model. Adapters: SQLite and Redis beside it; the naive one keeps
 * an array and sorts it, for tests and the simulation. `describeLeaderboardReadModel` in `contract/` is
 * the law they keep.
 *
 * Every answer is read at one checkpoint, its `asOf`. A store of several shards that cannot be read at
 * one moment says so with `exact: false`: then all of it covers `asOf`, and parts are newer. So does one that gives a
 * dense rank as "at least". `lost`: the store is gone, which is not the
 * same as empty, and stays so until somebody rebuilds it.
 */
export interface LeaderboardReadModel {
  /** One page of a board, best first. */
  top(query: TopQuery): Promise<Answer<Top>>;
  /** A player with the neighbours on either side; `row` is undefined for one without a score. */
  standing(query: StandingQuery): Promise<Answer<Standing>>;
  /** The given players that have a score, best first, ranked among themselves and on the whole board. */
  ranks(query: RanksQuery): Promise<Answer<Ranks>>;
  /** What became of score events, in the order asked for; undefined for one the read model has not seen. */
  entries(places: readonly EntryPlace[]): Promise<Answer<Entries>>;
  /** Counted entries of one player, newest first. */
  history(query: HistoryQuery): Promise<Answer<History>>;
  /** What a player is called; undefined for one who was never named, or is erased. */
  player(userId: string): Promise<Answer<NamedPlayer>>;
  /** Resolves as soon as answers cover `checkpoint`; `late` after `timeoutMs`. */
  waitFor(
    checkpoint: Checkpoint,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<'reached' | 'late' | 'lost'>;
}

export type Answer<T> =
  | ({
      readonly kind: 'answer';
      readonly asOf: Checkpoint;
      readonly exact?: false;
      /** Of a generation that was replaced, as the one that is live is lost. */
      readonly stale?: true;
    } & T)
  | Lost;

export interface Lost {
  readonly kind: 'lost';
  /** The archive of closed periods is what is lost, or (`no-archive`) this process was not told of any. */
  readonly of?: 'archive' | 'no-archive';
}

/** A board in a period. Its order comes with the question: it is fixed, and the caller knows the board. */
export interface BoardPeriod {
  readonly board: string;
  readonly period: string;
  readonly order: Order;
}

export interface TopQuery extends BoardPeriod {
  readonly limit: number;
  readonly offset: number;
  /** `standard`: 1, 2, 2, 4. `dense`: 1, 2, 2, 3. */
  readonly ties: Ties;
}

export interface StandingQuery extends BoardPeriod {
  readonly userId: string;
  /** Neighbours on either side. */
  readonly around: number;
  readonly ties: Ties;
}

export interface RanksQuery extends BoardPeriod {
  /** One that comes twice counts once. */
  readonly userIds: readonly string[];
  readonly ties: Ties;
}

export interface HistoryQuery {
  readonly board: string;
  readonly period: string;
  readonly userId: string;
  /** The stream of the player's bucket. */
  readonly stream: string;
  /** A revision that an earlier page gave as `next`; undefined for the newest. */
  readonly from: number | undefined;
  readonly limit: number;
}

/** Name and picture are null for a player who was never named, or is erased. */
export interface RankedPlayer {
  readonly userId: string;
  readonly name: string | null;
  readonly picture: string | null;
  readonly rank: number;
  readonly score: number;
}

export interface Top {
  readonly rows: readonly RankedPlayer[];
  /** Players on the board in this period. */
  readonly players: number;
}

export interface Standing {
  readonly row:
    | (RankedPlayer & { readonly percentile: number; readonly matches: number })
    | undefined;
  /** The players just before, best first. */
  readonly above: readonly RankedPlayer[];
  /** The players just behind, best first. */
  readonly below: readonly RankedPlayer[];
  readonly players: number;
}

/** `rank` is among the players asked for, `boardRank` among all. */
export interface FriendRank extends RankedPlayer {
  readonly boardRank: number;
}

export interface Ranks {
  readonly rows: readonly FriendRank[];
  readonly players: number;
}

export interface NamedPlayer {
  readonly player: { readonly name: string; readonly picture: string | null } | undefined;
}

export interface EntryPlace {
  readonly stream: string;
  readonly revision: number;
}

export interface Entry {
  readonly status: EntryStatus;
  /** The player's score after it; null for none. */
  readonly total: number | null;
}

export interface Entries {
  readonly entries: readonly (Entry | undefined)[];
}

export interface HistoryEntry {
  readonly revision: number;
  readonly total: number;
}

export interface History {
  readonly entries: readonly HistoryEntry[];
  /** Where the next page begins; undefined at the end. */
  readonly next: number | undefined;
}

/**
 * The share of players strictly behind, 0 to 100, rounded down to two decimals: it never overstates,
 * and nobody is at 100. 0 for the only player.
 */
export function percentileOf(behind: number, players: number): number {
  return Math.floor((behind * 10_000) / players) / 100;
}
