import { configFrom } from '@annals/core';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { adminKeyProblem, adminKeySchema } from './admin-key.ts';

test.each(['x'.repeat(24), 'x'.repeat(256), 'abcdefghijklmnopqrstuv.-_~+/=='])(
  'is good enough: %s',
  (text) => expect(adminKeyProblem(text)).toBeUndefined(),
);

test.each([
  ['', 'at least 24'],
  ['x'.repeat(23), 'at least 24'],
  ['x'.repeat(257), 'at most 256'],
  [`${'x'.repeat(24)} `, 'holds only'],
  [`${'x'.repeat(24)}\n`, 'holds only'],
  [`=${'x'.repeat(24)}`, 'holds only'],
  ['é'.repeat(24), 'holds only'],
])('is refused: %j', (text, reason) => {
  const problem = adminKeyProblem(text);
  expect(problem).toContain(reason);
  if (text) expect(problem).not.toContain(text);
});

test('configuration names the variable, and does not show the key', () => {
  const schema = z.object({ ANNALS_ADMIN_KEY: adminKeySchema.optional() });
  expect(configFrom(schema, { ANNALS_ADMIN_KEY: 'too-short' })).toEqual({
    kind: 'invalid',
    problems: ['ANNALS_ADMIN_KEY: an admin key has at least 24 characters'],
  });
  expect(configFrom(schema, {})).toEqual({ kind: 'configured', value: {} });
});
