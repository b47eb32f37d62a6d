import type { Operator, Order, Reset } from './input.ts';

/** What is fixed once a board is made. */
export interface BoardSettings {
  readonly operator: Operator;
  readonly order: Order;
  readonly reset: Reset;
  readonly buckets: number;
}

/** The fold of a board's stream. */
export interface BoardState {
  readonly settings: BoardSettings;
  /** Periods whose close has started and is not known to be complete. */
  readonly closing: ReadonlySet<string>;
  /** Periods that are closed in every bucket. */
  readonly closed: ReadonlySet<string>;
  /** Periods that are in the archive, and what it held of them when it was compared. */
  readonly archived: ReadonlyMap<string, ArchivedPeriod>;
}

export interface ArchivedPeriod {
  readonly players: number;
  readonly hash: string;
}

/** The events of a board's stream, as `evolveBoard` needs them. */
export type BoardEvent =
  | { readonly type: 'board-configured'; readonly data: BoardSettings }
  | {
      readonly type: 'period-close-started' | 'period-close-completed';
      readonly data: { readonly period: string };
    }
  | {
      readonly type: 'period-archived';
      readonly data: ArchivedPeriod & { readonly period: string };
    };

/** The board after `event`; undefined before it was made. Events that come again change nothing. */
export function evolveBoard(
  state: BoardState | undefined,
  event: BoardEvent,
): BoardState | undefined {
  if (event.type === 'board-configured') {
    if (state) return state;
    const { operator, order, reset, buckets } = event.data;
    const settings = { operator, order, reset, buckets };
    return { settings, closing: new Set(), closed: new Set(), archived: new Map() };
  }
  const { period } = event.data;
  if (event.type === 'period-archived') {
    if (!state || state.archived.has(period)) return state;
    const { players, hash } = event.data;
    return { ...state, archived: new Map(state.archived).set(period, { players, hash }) };
  }
  if (!state || state.closed.has(period)) return state;
  const closing = new Set(state.closing);
  if (event.type === 'period-close-started') return { ...state, closing: closing.add(period) };
  closing.delete(period);
  return { ...state, closing, closed: new Set(state.closed).add(period) };
}

/**
 * A player's score after one more match; `score` is undefined before the first. The result may lie
 * outside the safe integers: then the match is void and the score stays what it was.
 */
export function nextScore(
  score: number | undefined,
  points: number,
  operator: Operator,
  order: Order,
): number {
  if (score === undefined || operator === 'latest') return points;
  if (operator === 'increment') return score + points;
  return order === 'desc' ? Math.max(score, points) : Math.min(score, points);
}

/** What becomes of a score in the fold of its bucket's stream. */
export type EntryStatus = 'counted' | 'void-closed' | 'void-out-of-range';

/** The column boards are sorted by, ascending, whatever their order. Never -0. */
export function standingOf(score: number, order: Order): number {
  return order === 'desc' ? 0 - score : score;
}

export function scoreOf(standing: number, order: Order): number {
  return order === 'desc' ? 0 - standing : standing;
}
