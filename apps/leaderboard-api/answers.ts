import type { FriendRank, PlayedMatch, RankedPlayer, ShownBoard } from '@annals/leaderboard';
import {
  boardIdSchema,
  matchIdSchema,
  operatorSchema,
  orderSchema,
  resetSchema,
  userIdSchema,
} from '@annals/leaderboard';
import { z } from 'zod';

/** What the leaderboard answers, as zod schemas: the OpenAPI document shows these. */

const position = z.string().describe('Opaque. Give it as min-position to read what was written.');
const asOf = z.string().describe('Opaque: the checkpoint the answer is good for.');
const exact = z
  .literal(false)
  .optional()
  .describe(
    'Only where parts of the answer are newer than `as_of`, as writes went on while it was read.',
  );
const stale = z
  .literal(true)
  .optional()
  .describe(
    'Only where the live read model is lost and the one before it answers, as ANNALS_WHEN_LOST=serve-older has it.',
  );
const closed = z.boolean().describe('Whether the period is frozen: its scores stay as they are.');
const total = z
  .int()
  .nullable()
  .describe('The score right after this match; null while the read model cannot tell.');

export const scoreAnswer = z.strictObject({ total, position, duplicate: z.boolean() });

export const batchAnswer = z.strictObject({
  data: z.array(
    z.strictObject({
      user_id: userIdSchema,
      match_id: matchIdSchema,
      leaderboard: boardIdSchema,
      result: z.enum(['recorded', 'duplicate', 'refused']),
      total,
      position: position.nullable(),
      problem: z
        .strictObject({ code: z.string(), detail: z.string() })
        .nullable()
        .describe('Why it was refused; the codes are those of single scores.'),
    }),
  ),
});

const rankedPlayer = z.strictObject({
  user_id: z.string(),
  user_name: z.string().nullable(),
  picture: z.string().nullable(),
  rank: z.int().min(1),
  score: z.int(),
});

export const topAnswer = z.strictObject({
  data: z.array(rankedPlayer),
  total: z.int().describe('Rows in this answer.'),
  players: z.int().describe('Players on the board.'),
  period: z.string(),
  closed,
  as_of: asOf,
  exact,
  stale,
});

export const standingAnswer = z.strictObject({
  user_info: z.strictObject({
    user_id: z.string(),
    user_name: z.string().nullable(),
    picture: z.string().nullable(),
    score: z.int(),
    rank: z.int().min(1),
    percentile: z
      .number()
      .describe('Share of the players who stand behind, 0 to 100, rounded down to two decimals.'),
    matches: z.int(),
  }),
  neighbors: z.array(rankedPlayer),
  players: z.int(),
  period: z.string(),
  closed,
  as_of: asOf,
  exact,
  stale,
});

export const ranksAnswer = z.strictObject({
  data: z.array(rankedPlayer.extend({ board_rank: z.int().min(1) })),
  total: z.int(),
  players: z.int(),
  period: z.string(),
  closed,
  as_of: asOf,
  exact,
  stale,
});

export const historyAnswer = z.strictObject({
  data: z.array(
    z.strictObject({
      match_id: z.string(),
      points: z.int(),
      total: z.int(),
      occurred_at: z.string(),
      recorded_at: z.string(),
    }),
  ),
  next_cursor: z.string().nullable(),
  period: z.string(),
  closed,
  as_of: asOf,
  exact,
  stale,
});

export const boardAnswer = z.strictObject({
  id: z.string(),
  operator: operatorSchema,
  order: orderSchema,
  reset: resetSchema,
});

export const shownBoard = boardAnswer.extend({
  period: z.string().describe('The current period.'),
  closed,
});

export const boardsAnswer = z.strictObject({
  data: z.array(shownBoard),
  next_cursor: z.string().nullable(),
});

export const closeAnswer = z.strictObject({
  leaderboard: z.string(),
  period: z.string(),
  closed: z.literal(true),
  position,
});

export const playerAnswer = z.strictObject({
  user_id: z.string(),
  user_name: z.string(),
  picture: z.string().nullable(),
  position,
});

export const shownPlayer = z.strictObject({
  user_id: z.string(),
  user_name: z.string(),
  picture: z.string().nullable(),
  as_of: asOf,
  exact,
  stale,
});

export function shown({ id, settings, period, closed }: ShownBoard): z.output<typeof shownBoard> {
  const { operator, order, reset } = settings;
  return { id, operator, order, reset, period, closed };
}

export function ranked(player: RankedPlayer): z.output<typeof rankedPlayer> {
  const { userId, name, picture, rank, score } = player;
  return { user_id: userId, user_name: name, picture, rank, score };
}

export function friend(player: FriendRank) {
  return { ...ranked(player), board_rank: player.boardRank };
}

export function played({ matchId, points, total, occurredAt, recordedAt }: PlayedMatch) {
  const [occurred_at, recorded_at] = [isoTime(occurredAt), isoTime(recordedAt)];
  return { match_id: matchId, points, total, occurred_at, recorded_at };
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
