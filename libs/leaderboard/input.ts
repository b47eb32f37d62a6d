import { z } from 'zod';
import { limits } from './limits.ts';

/**
 * What the leaderboard takes from outside, as zod schemas: the HTTP API uses these very schemas, so
 * that what a route lets through and what the domain promises to handle are one thing.
 */

/**
 * Well-formed Unicode (with the `u` flag a lone surrogate is a code point of its own) on one line, without
 * control characters and those of category Cf: nobody sees them, and they turn what is written around.
 */
const plainText = /^[^\p{Cc}\p{Cs}\p{Cf}\p{Zl}\p{Zp}]*$/u;
/** The same, with the two joiners that Persian, Indic scripts and emoji are written with. */
const plainName = /^(?:[^\p{Cc}\p{Cs}\p{Cf}\p{Zl}\p{Zp}]|[\u200c\u200d])*$/u;

function text(charsMax: number, plain = plainText) {
  return z
    .string()
    .min(1)
    .max(charsMax)
    .regex(plain, 'must be one line, without control, format or lone surrogate characters')
    .refine((given) => given.trim() === given, 'must not begin or end with white space');
}

/** A player's id in the caller's own terms. Never parsed, never normalised: equal means the same code units. */
export const userIdSchema = text(limits.userIdCharsMax).refine(
  (id) => Buffer.byteLength(id) <= limits.userIdBytesMax,
  `must have at most ${limits.userIdBytesMax} bytes in UTF-8`,
);
export const matchIdSchema = text(limits.matchIdCharsMax);
export const boardIdSchema = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,63}$/,
    'must be 1 to 64 of a-z, 0-9, _ and -, not starting with _ or -',
  );
export const pointsSchema = z.int().min(-limits.pointsMax).max(limits.pointsMax);
export const playerNameSchema = text(limits.nameCharsMax, plainName);
export const pictureSchema = text(limits.pictureCharsMax).pipe(
  z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }),
);
/** ISO 8601 with a zone (RFC 3339); whether the time makes sense is decided with the clock in hand. */
export const occurredAtSchema = z.iso.datetime({ offset: true }).max(40);
/** The name of a period: `2026-11-24`, `2026-W48`, `2026-11` or `all`. Which of them fits, its board says. */
export const periodSchema = z
  .string()
  .regex(
    /^(?:\d{4}-(?:\d{2}(?:-\d{2})?|W\d{2})|all)$/,
    'must look like 2026-11-24, 2026-W48, 2026-11 or all',
  );

export const operatorSchema = z.enum(['increment', 'best', 'latest']);
export const orderSchema = z.enum(['desc', 'asc']);
export const resetSchema = z.enum(['daily', 'weekly', 'monthly', 'never']);
export const tiesSchema = z.enum(['standard', 'dense']);

export const defaultBoardId = 'default';

export const scoreInputSchema = z.strictObject({
  user_id: userIdSchema,
  points: pointsSchema,
  match_id: matchIdSchema,
  leaderboard: boardIdSchema.default(defaultBoardId),
  occurred_at: occurredAtSchema.optional(),
});

/** A batch, checked as a whole: one bad item or a key that comes twice refuses all of it. */
export const scoreBatchInputSchema = z.strictObject({
  scores: z
    .array(scoreInputSchema)
    .min(1)
    .max(limits.batchScoresMax)
    .superRefine((scores, context) => {
      const seen = new Map<string, number>();
      for (const [index, { leaderboard, match_id, user_id }] of scores.entries()) {
        const key = JSON.stringify([leaderboard, match_id, user_id]);
        const first = seen.get(key);
        if (first === undefined) seen.set(key, index);
        else {
          const message = `has the same leaderboard, match_id and user_id as item ${first}`;
          context.addIssue({ code: 'custom', path: [index], message });
        }
      }
    }),
});

export const boardInputSchema = z.strictObject({
  operator: operatorSchema.default('increment'),
  order: orderSchema.default('desc'),
  reset: resetSchema.default('monthly'),
});

export const playerInputSchema = z.strictObject({
  name: playerNameSchema,
  picture: pictureSchema.optional(),
});

export const friendsSchema = z.array(userIdSchema).min(1).max(limits.friendsMax);

export type Operator = z.output<typeof operatorSchema>;
export type Order = z.output<typeof orderSchema>;
export type Reset = z.output<typeof resetSchema>;
export type Ties = z.output<typeof tiesSchema>;
export type ScoreInput = z.output<typeof scoreInputSchema>;
export type BoardInput = z.output<typeof boardInputSchema>;
export type PlayerInput = z.output<typeof playerInputSchema>;
