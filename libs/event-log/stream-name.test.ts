import { expect, test } from 'vitest';
import { categoryOf, streamNameProblem } from './stream-name.ts';

test('the category is what stands before the first separator', () => {
  expect(categoryOf('scores-cup-1~2')).toBe('scores');
  expect(categoryOf('scores--')).toBe('scores');
  expect(categoryOf('scores')).toBe('scores');
});

test('a problem says what is wrong with the name', () => {
  expect(streamNameProblem('scores-cup-1~2')).toBeUndefined();
  expect(streamNameProblem('scores')).toMatch(/not of the form category-id/);
  expect(streamNameProblem('Scores-1')).toMatch(/category of "Scores-1" may hold/);
  expect(streamNameProblem('scores-\t')).toMatch(/control characters/);
  expect(streamNameProblem('scores-\ud800')).toMatch(/well-formed/);
  expect(streamNameProblem(`scores-${'x'.repeat(506)}`)).toMatch(/513 bytes, more than 512/);
  expect(streamNameProblem(`${'x'.repeat(10_000)}`)?.length).toBeLessThan(200);
});
