import { idFromKey } from '@annals/core';
import type { DomainEvent } from '@annals/event-log';
import type {
  BoardConfigured,
  PeriodCloseCompleted,
  PeriodClosed,
  PeriodCloseStarted,
  PlayerNamed,
  ScoreData,
  ScoreRecorded,
} from './events.ts';
import type { BoardInput, PlayerInput, ScoreInput } from './input.ts';
import { limits } from './limits.ts';
import { type Refused, refused } from './outcome.ts';
import { periodOf, periodStart } from './period.ts';
import type { BoardSettings, BoardState } from './state.ts';
import { boardStream, bucketOf, playerStream, scoresStream } from './streams.ts';

/**
 * Commands to events, or a refusal. Pure: times and ids come in with the command. What is decided
 * here is decided without the player's score: what counts is said by the fold of the bucket's stream.
 */

export interface ToAppend<Event> {
  readonly kind: 'append';
  readonly stream: string;
  readonly event: Event;
}

export interface ScoreToAppend extends ToAppend<DomainEvent<ScoreRecorded>> {
  /** The period is closed already: only a score that was stored before may still be answered. */
  readonly onlyIfKnown: boolean;
}

export function decideScore(
  board: BoardState | undefined,
  input: ScoreInput,
  now: number,
): ScoreToAppend | Refused<'unknown-board' | 'occurred-at-out-of-range'> {
  if (!board) return unknownBoard(input.leaderboard);
  const given = input.occurred_at === undefined ? undefined : Date.parse(input.occurred_at);
  const problem = given === undefined ? undefined : occurredAtProblem(given, now);
  if (problem !== undefined) return refused('occurred-at-out-of-range', problem);
  const { operator, order, reset, buckets } = board.settings;
  const period = periodOf(reset, given ?? now);
  return {
    kind: 'append',
    stream: scoresStream(input.leaderboard, bucketOf(input.user_id, buckets)),
    onlyIfKnown: board.closed.has(period),
    event: {
      type: 'score-recorded',
      id: scoreId(input.leaderboard, input.match_id, input.user_id),
      occurredAt: given ?? now,
      data: {
        board: input.leaderboard,
        user_id: input.user_id,
        match_id: input.match_id,
        points: input.points,
        period,
        operator,
        order,
        ...(given === undefined ? {} : { occurred_at: given }),
      },
    },
  };
}

/** The key of idempotence: one match gives one player one score on one board. */
export function scoreId(board: string, matchId: string, userId: string): string {
  return idFromKey('score', board, matchId, userId);
}

/**
 * Whether a score that was sent again under a known key is the stored one. Only the points matter: the
 * time that was stored first stands, whatever time comes now, or none.
 */
export function sameScore(stored: ScoreData, sent: ScoreData): boolean {
  return stored.points === sent.points;
}

export function decideBoard(
  id: string,
  input: BoardInput,
  now: number,
): ToAppend<DomainEvent<BoardConfigured>> {
  return {
    kind: 'append',
    stream: boardStream(id),
    event: {
      type: 'board-configured',
      id: idFromKey('board', id),
      occurredAt: now,
      data: { board: id, ...input, buckets: limits.bucketsDefault },
    },
  };
}

export interface PeriodClose {
  readonly kind: 'close';
  readonly started: ToAppend<DomainEvent<PeriodCloseStarted>>;
  /** One for each bucket, to be appended after `started` and before `completed`. */
  readonly buckets: readonly ToAppend<DomainEvent<PeriodClosed>>[];
  readonly completed: ToAppend<DomainEvent<PeriodCloseCompleted>>;
}

/** Every event of a close has an id of its own making, so that a close that was cut off goes on where it stopped. */
export function decideClose(
  board: BoardState | undefined,
  id: string,
  period: string,
  now: number,
): PeriodClose | Refused<'unknown-board' | 'invalid-period' | 'period-not-begun'> {
  if (!board) return unknownBoard(id);
  const start = periodStart(board.settings.reset, period);
  if (start === undefined) return invalidPeriod(board.settings, period);
  if (start > now) return refused('period-not-begun', `period ${period} has not begun`);
  const data = { board: id, period };
  const stream = boardStream(id);
  const { buckets } = board.settings;
  return {
    kind: 'close',
    started: {
      kind: 'append',
      stream,
      event: {
        type: 'period-close-started',
        id: idFromKey('period-close-started', id, period),
        occurredAt: now,
        data,
      },
    },
    buckets: Array.from({ length: buckets }, (_, bucket) => ({
      kind: 'append',
      stream: scoresStream(id, bucket),
      event: {
        type: 'period-closed',
        id: idFromKey('period-closed', id, period, String(bucket)),
        occurredAt: now,
        data,
      },
    })),
    completed: {
      kind: 'append',
      stream,
      event: {
        type: 'period-close-completed',
        id: idFromKey('period-close-completed', id, period),
        occurredAt: now,
        data,
      },
    },
  };
}

export function decidePlayer(
  userId: string,
  input: PlayerInput,
  eventId: string,
  now: number,
): ToAppend<DomainEvent<PlayerNamed>> {
  return {
    kind: 'append',
    stream: playerStream(userId),
    event: {
      type: 'player-named',
      id: eventId,
      occurredAt: now,
      data: { user_id: userId, ...input },
    },
  };
}

/** The board and the period a read is about: the period named, or the current one. */
export function decidePeriod(
  board: BoardState | undefined,
  id: string,
  period: string | undefined,
  now: number,
):
  | { readonly kind: 'period'; readonly period: string; readonly settings: BoardSettings }
  | Refused<'unknown-board' | 'invalid-period'> {
  if (!board) return unknownBoard(id);
  const { settings } = board;
  if (period === undefined) {
    return { kind: 'period', period: periodOf(settings.reset, now), settings };
  }
  if (periodStart(settings.reset, period) === undefined) return invalidPeriod(settings, period);
  return { kind: 'period', period, settings };
}

function occurredAtProblem(time: number, now: number): string | undefined {
  if (time < limits.occurredAtMin) return 'occurred_at is before 2000';
  if (time > now + limits.futureMsMax) return 'occurred_at is more than 24 hours in the future';
  return undefined;
}

export function unknownBoard(id: string): Refused<'unknown-board'> {
  return refused('unknown-board', `there is no leaderboard ${id}`);
}

function invalidPeriod(settings: BoardSettings, period: string): Refused<'invalid-period'> {
  const example = periodOf(settings.reset, Date.UTC(2026, 10, 24));
  return refused(
    'invalid-period',
    `${period} is no period of this leaderboard: its reset is ${settings.reset}, as in ${example}`,
  );
}
