import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  boardIdSchema,
  boardInputSchema,
  matchIdSchema,
  occurredAtSchema,
  periodSchema,
  pictureSchema,
  playerInputSchema,
  playerNameSchema,
  pointsSchema,
  scoreBatchInputSchema,
  scoreInputSchema,
  userIdSchema,
} from './input.ts';
import { limits } from './limits.ts';

const score = { user_id: 'ann', points: 3, match_id: 'm1' };

describe('what the leaderboard takes', () => {
  test.each<[string, z.ZodType, unknown]>([
    ['a user id', userIdSchema, 'a'],
    ['a user id of 128 characters', userIdSchema, 'x'.repeat(128)],
    ['a user id in any script', userIdSchema, 'Ωμέγα ~ :-) 😀'],
    ['a user id that names a member of Object', userIdSchema, '__proto__'],
    ['a match id', matchIdSchema, 'm'],
    ['a board id', boardIdSchema, '0_a-b'],
    ['the lowest points', pointsSchema, -limits.pointsMax],
    ['the highest points', pointsSchema, limits.pointsMax],
    ['no points', pointsSchema, 0],
    ['a user id with a space in it', userIdSchema, 'a b'],
    ['a name', playerNameSchema, 'Ann O’Hara'],
    ['a Persian name with its joiner', playerNameSchema, 'علی\u200cرضا'],
    ['an emoji of several', playerNameSchema, '👩\u200d🚀'],
    ['a picture', pictureSchema, 'https://example.org/a.png?x=1'],
    ['a time with a zone', occurredAtSchema, '2026-11-24T12:00:00.123+02:00'],
    ['a week', periodSchema, '2026-W48'],
    ['a day', periodSchema, '2026-11-24'],
    ['a month', periodSchema, '2026-11'],
    ['all time', periodSchema, 'all'],
    ['a name without a picture', playerInputSchema, { name: 'Ann' }],
  ])('%s', (_, schema, value) => {
    expect(schema.parse(value)).toEqual(value);
  });

  test.each<[string, z.ZodType, unknown]>([
    ['an empty user id', userIdSchema, ''],
    ['a user id of 129 characters', userIdSchema, 'x'.repeat(129)],
    ['a user id of more than 240 bytes', userIdSchema, '語'.repeat(81)],
    ['a control character', userIdSchema, 'a\u0000b'],
    ['a line break', userIdSchema, 'a\nb'],
    ['a C1 control character', userIdSchema, 'a\u0085b'],
    ['a lone surrogate', userIdSchema, 'a\ud800b'],
    ['a user id with a space at its end', userIdSchema, 'ann '],
    ['a user id with a no-break space before it', userIdSchema, '\u00a0ann'],
    ['a user id of white space', userIdSchema, ' \u3000'],
    ['a user id with a zero-width joiner', userIdSchema, 'an\u200dn'],
    ['a user id that is turned around', userIdSchema, '\u202enna'],
    ['a user id with a byte order mark', userIdSchema, '\ufeffann'],
    ['a user id with a soft hyphen', userIdSchema, 'an\u00adn'],
    ['a match id with a line separator', matchIdSchema, 'm\u20281'],
    ['a match id with a space before it', matchIdSchema, ' m1'],
    ['a name that is turned around', playerNameSchema, 'Ann \u202enimda'],
    ['a name with an isolate', playerNameSchema, '\u2066Ann\u2069'],
    ['a name with a space at its end', playerNameSchema, 'Ann '],
    ['a name of white space', playerNameSchema, ' '],
    ['a number for a user id', userIdSchema, 1],
    ['10 KB of match id', matchIdSchema, 'm'.repeat(10_240)],
    ['a board id in upper case', boardIdSchema, 'Wins'],
    ['a board id with the bucket sign', boardIdSchema, 'a~1'],
    ['a board id that begins with -', boardIdSchema, '-a'],
    ['a board id of 65 characters', boardIdSchema, 'a'.repeat(65)],
    ['a board id with a line break at its end', boardIdSchema, 'a\n'],
    ['__proto__ for a board id', boardIdSchema, '__proto__'],
    ['a fraction', pointsSchema, 0.5],
    ['NaN', pointsSchema, Number.NaN],
    ['1e400', pointsSchema, Number.POSITIVE_INFINITY],
    ['points beyond the range', pointsSchema, limits.pointsMax + 1],
    ['points below the range', pointsSchema, -limits.pointsMax - 1],
    ['an unsafe integer', pointsSchema, 2 ** 53],
    ['text for points', pointsSchema, '3'],
    ['an empty name', playerNameSchema, ''],
    ['a name of 101 characters', playerNameSchema, 'n'.repeat(101)],
    ['a picture that is a script', pictureSchema, 'javascript:alert(1)'],
    ['a picture that is no URL', pictureSchema, 'a.png'],
    ['a picture with a line break', pictureSchema, 'https://example.org/\na'],
    ['a picture URL of 2,049 characters', pictureSchema, `https://a.example/${'p'.repeat(2_031)}`],
    ['a time without a zone', occurredAtSchema, '2026-11-24T12:00:00'],
    ['a day that is none', occurredAtSchema, '2026-02-30T12:00:00Z'],
    ['a number for a time', occurredAtSchema, 1_700_000_000],
    ['a period of its own', periodSchema, '2026-Q4'],
  ])('refuses %s', (_, schema, value) => {
    expect(schema.safeParse(value).success).toBe(false);
  });

  test('a score goes to the default board unless told', () => {
    expect(scoreInputSchema.parse(score)).toEqual({ ...score, leaderboard: 'default' });
  });

  test('a board counts up, highest first, for a month, unless told', () => {
    const settings = { operator: 'increment', order: 'desc', reset: 'monthly' };
    expect(boardInputSchema.parse({})).toEqual(settings);
  });

  test('unknown members are refused and named', () => {
    for (const member of ['extra', '__proto__', 'constructor']) {
      const body = JSON.parse(`{"user_id":"a","points":1,"match_id":"m","${member}":1}`);
      const parsed = scoreInputSchema.safeParse(body);
      expect(parsed.success, member).toBe(false);
      expect(JSON.stringify(parsed.error?.issues)).toContain(member);
    }
  });

  test('a batch with a key that comes twice names the second one', () => {
    const scores = [score, { ...score, match_id: 'm2' }, { ...score, leaderboard: 'default' }];
    const parsed = scoreBatchInputSchema.safeParse({ scores });
    expect(parsed.error?.issues).toMatchObject([{ path: ['scores', 2] }]);
    expect(parsed.error?.issues[0]?.message).toContain('item 0');
  });

  test('a batch holds 1 to 1,000 scores', () => {
    const scores = Array.from({ length: 1_001 }, (_, n) => ({ ...score, match_id: `m${n}` }));
    expect(scoreBatchInputSchema.safeParse({ scores }).success).toBe(false);
    expect(scoreBatchInputSchema.safeParse({ scores: [] }).success).toBe(false);
    expect(scoreBatchInputSchema.safeParse({ scores: scores.slice(1) }).success).toBe(true);
  });

  test('every schema of a body has a JSON schema, for OpenAPI', () => {
    for (const schema of [
      scoreInputSchema,
      scoreBatchInputSchema,
      boardInputSchema,
      playerInputSchema,
    ]) {
      expect(z.toJSONSchema(schema, { io: 'input' })).toMatchObject({ type: 'object' });
    }
  });
});
