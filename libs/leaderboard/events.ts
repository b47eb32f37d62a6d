import { EventTypes, eventType } from '@annals/event-log';
import { subjectErased } from '@annals/subject-keys';
import { z } from 'zod';
import { operatorSchema, orderSchema, resetSchema } from './input.ts';
import { playerSubject } from './streams.ts';

/**
 * The stored formats of the leaderboard: version them with care. Their schemas do not repeat the
 * limits of what is taken from outside, so that a limit can change without a new version.
 */

const period = z.string().min(1);
/** Milliseconds since 1970. */
const time = z.int();

/**
 * One match brought one player points. It carries its board's operator and order, so that the fold of
 * a bucket needs no other stream. `occurred_at` is there only when the client gave it.
 */
export const scoreRecorded = eventType({
  name: 'score-recorded',
  schemaVersion: 1,
  schema: z.strictObject({
    board: z.string(),
    user_id: z.string(),
    match_id: z.string(),
    points: z.int(),
    period,
    operator: operatorSchema,
    order: orderSchema,
    occurred_at: time.optional(),
  }),
});

/** In every bucket of the board: scores of the period behind it are void. */
export const periodClosed = eventType({
  name: 'period-closed',
  schemaVersion: 1,
  schema: z.strictObject({ board: z.string(), period }),
});

/** The board was made; its settings never change. */
export const boardConfigured = eventType({
  name: 'board-configured',
  schemaVersion: 1,
  schema: z.strictObject({
    board: z.string(),
    operator: operatorSchema,
    order: orderSchema,
    reset: resetSchema,
    buckets: z.int().min(1).max(65_536),
  }),
});

export const periodCloseStarted = eventType({
  name: 'period-close-started',
  schemaVersion: 1,
  schema: z.strictObject({ board: z.string(), period }),
});

/** Every bucket holds its `period-closed`. */
export const periodCloseCompleted = eventType({
  name: 'period-close-completed',
  schemaVersion: 1,
  schema: z.strictObject({ board: z.string(), period }),
});

/** The archive holds the period: so many players, with this hash of their rows. Reads go there from now on. */
export const periodArchived = eventType({
  name: 'period-archived',
  schemaVersion: 1,
  schema: z.strictObject({
    board: z.string(),
    period,
    players: z.int().nonnegative(),
    hash: z.string(),
  }),
});

/**
 * In a bucket's stream: the rows of these players in a closed period, and the entries at these revisions, are
 * in the archive, and leave the read model.
 */
export const scoresArchived = eventType({
  name: 'scores-archived',
  schemaVersion: 1,
  schema: z.strictObject({
    board: z.string(),
    period,
    user_ids: z.array(z.string()),
    revisions: z.array(z.int()),
  }),
});

export const playerNamed = eventType({
  name: 'player-named',
  schemaVersion: 1,
  schema: z.strictObject({
    user_id: z.string(),
    name: z.string(),
    picture: z.string().optional(),
  }),
  personal: { subject: (data) => playerSubject(data.user_id), fields: ['name', 'picture'] },
});

export type ScoreRecorded = typeof scoreRecorded;
export type ScoreData = z.output<ScoreRecorded['schema']>;
export type PeriodClosed = typeof periodClosed;
export type BoardConfigured = typeof boardConfigured;
export type PeriodCloseStarted = typeof periodCloseStarted;
export type PeriodCloseCompleted = typeof periodCloseCompleted;
export type PeriodArchived = typeof periodArchived;
export type ScoresArchived = typeof scoresArchived;
export type PlayerNamed = typeof playerNamed;

/** Every event in the leaderboard's streams, and the erasures it heeds. */
export const leaderboardEvents = new EventTypes([
  scoreRecorded,
  periodClosed,
  boardConfigured,
  periodCloseStarted,
  periodCloseCompleted,
  periodArchived,
  scoresArchived,
  playerNamed,
  eventType(subjectErased),
]);

/** The events of category `board`. */
export const boardEvents = new EventTypes([
  boardConfigured,
  periodCloseStarted,
  periodCloseCompleted,
  periodArchived,
]);

export const scoreEvents = new EventTypes([scoreRecorded, periodClosed, scoresArchived]);

/** What the archive is made of: no personal data. */
export const archiveEvents = new EventTypes([
  scoreRecorded,
  periodClosed,
  scoresArchived,
  boardConfigured,
  periodCloseStarted,
  periodCloseCompleted,
  periodArchived,
]);
