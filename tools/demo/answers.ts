import { z } from 'zod';

/** What the demo reads of the service's answers; more members may be there. */

export const readinessAnswer = z.object({
  status: z.string(),
  checks: z.array(
    z.object({
      name: z.string(),
      ready: z.boolean(),
      degraded: z.boolean().optional(),
      detail: z.string().optional(),
    }),
  ),
});

export const problemAnswer = z.object({
  code: z.string(),
  detail: z.string(),
  command: z.string().optional(),
});

export const scoreAnswer = z.object({
  total: z.int().nullable(),
  position: z.string(),
  duplicate: z.boolean(),
});

export const batchAnswer = z.object({
  data: z.array(
    z.object({
      result: z.enum(['recorded', 'duplicate', 'refused']),
      total: z.int().nullable(),
      position: z.string().nullable(),
      problem: z.object({ code: z.string(), detail: z.string() }).nullable(),
    }),
  ),
});

const row = z.object({
  rank: z.int(),
  user_id: z.string(),
  user_name: z.string().nullable(),
  score: z.int(),
});

export const pageAnswer = z.object({
  data: z.array(row),
  players: z.int(),
  period: z.string(),
  as_of: z.string(),
});

export const standingAnswer = z.object({
  user_info: row.extend({ percentile: z.number(), matches: z.int() }),
  neighbors: z.array(row),
  players: z.int(),
  as_of: z.string(),
});

export const ranksAnswer = z.object({
  data: z.array(row.extend({ board_rank: z.int() })),
  as_of: z.string(),
});

export const anyAnswer = z.unknown();

export type Standing = z.output<typeof standingAnswer>;
export type FriendRanks = z.output<typeof ranksAnswer>['data'];
