import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { identifier, integerParameter, timestamp } from './fields.ts';
import type { FieldProblem } from './problem.ts';
import { compileValidator } from './validation.ts';

const schema = z.strictObject({
  points: z.int().min(-5).max(5),
  ratio: z.number().min(0).optional(),
  user_id: identifier({ charsMax: 8 }),
  ties: z.enum(['standard', 'dense']).default('standard'),
  one: z.literal(1).optional(),
  at: timestamp().optional(),
  list: z.array(identifier()).min(1).max(2).optional(),
  flag: z.boolean().optional(),
  inner: z.strictObject({ name: z.string() }).optional(),
  note: z.string().max(3).nullable().optional(),
  page: integerParameter({ min: 1, max: 100 }).optional(),
});
const validate = compileValidator({ schema, method: 'POST', url: '/', httpPart: 'body' });
const good = { points: 1, user_id: 'ann' };

function problems(body: unknown): readonly (readonly [string, string])[] {
  const { error } = validate(body) as unknown as {
    readonly error: { readonly errors: FieldProblem[] };
  };
  return error.errors.map(({ field, message }) => [field, message]);
}

describe('what is said of a field', () => {
  const whole = 'must be a whole number from -5 to 5';
  const text = 'must be text of 1 to 8 characters';

  it.each([
    ['points', undefined, 'is missing'],
    ['points', 6, whole],
    ['points', -6, whole],
    ['points', 1.5, whole],
    ['points', '1', whole],
    ['points', null, whole],
    ['points', 2 ** 53, whole],
    ['points', Number.POSITIVE_INFINITY, whole],
    ['ratio', -1, 'must be a number from 0 or more'],
    ['user_id', undefined, 'is missing'],
    ['user_id', '', text],
    ['user_id', 'a'.repeat(9), text],
    ['user_id', 7, text],
    ['user_id', '\u0007', 'must not have control characters'],
    ['ties', 'none', 'must be one of standard, dense'],
    ['one', 2, 'must be 1'],
    ['at', 'today', 'must be a time in ISO 8601 with a zone, as in 2026-11-24T12:00:00Z'],
    ['list', [], 'must be a list of 1 to 2 items'],
    ['list', 'a', 'must be a list of 1 to 2 items'],
    ['flag', 'yes', 'must be true or false'],
    ['inner', [], 'must be an object'],
    ['note', 'long', 'must be text of at most 3 characters'],
    ['page', '101', 'must be a whole number from 1 to 100'],
    ['page', 'x', 'must be a whole number from 1 to 100'],
  ])('%s: %j %s', (field, value, message) => {
    expect(problems({ ...good, [field]: value })).toEqual([[field, message]]);
  });

  it('is one thing, however much is wrong with it', () => {
    expect(problems({ ...good, user_id: '\n'.repeat(20) })).toEqual([['user_id', text]]);
    expect(problems({ ...good, inner: {} })).toEqual([['inner.name', 'is missing']]);
  });

  it('never is in zod’s words', () => {
    const wrong = { points: {}, user_id: [], ties: 1, at: 1, list: [1], inner: { name: 1, x: 1 } };
    for (const [, message] of problems(wrong)) {
      expect(message).not.toMatch(/expected|received|Invalid|Too /);
    }
  });
});
