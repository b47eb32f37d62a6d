import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limits } from './limits.ts';
import { subjectOf, subjectProblem } from './subject-name.ts';

test.each(['player:ann', 'a:b', 'player:a:b', 'mail_user1:ann@example.org', 'player:\u5b89'])(
  '%j names a person',
  (subject) => expect(subjectProblem(subject)).toBeUndefined(),
);

test.each([
  ['', 'kind:id'],
  ['player', 'kind:id'],
  ['player:', 'kind:id'],
  [':ann', 'the kind'],
  ['1player:ann', 'the kind'],
  ['Player:ann', 'the kind'],
  [`${'k'.repeat(33)}:ann`, 'the kind'],
  ['pl-ayer:ann', 'the kind'],
  ['player:a\u0000', 'control'],
  ['player:a\u0085', 'control'],
  ['player:\udc00', 'well-formed'],
  [`player:${'x'.repeat(limits.subjectBytesMax - 6)}`, 'more than 256'],
])('%j does not: %s', (subject, reason) => {
  expect(subjectProblem(subject)).toContain(reason);
});

test('the largest name just fits', () => {
  expect(subjectProblem(`player:${'x'.repeat(limits.subjectBytesMax - 7)}`)).toBeUndefined();
});

test('a subject is made of its kind and id, or refused', () => {
  expect(subjectOf('player', 'a:b')).toBe('player:a:b');
  expect(() => subjectOf('player', '')).toThrow(TypeError);
  expect(() => subjectOf('a:b', 'c')).toThrow(TypeError);
});

test('what is wrong is told for any text, never thrown', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (subject) => {
      expect(['string', 'undefined']).toContain(typeof subjectProblem(subject));
    }),
  );
});
