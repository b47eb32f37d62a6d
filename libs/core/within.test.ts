import { expect, test } from 'vitest';
import { within } from './within.ts';

const never = new Promise<string>(() => undefined);

test('gives what the promise gives, and throws what it throws', async () => {
  expect(await within(Promise.resolve('there'), 60_000, () => 'late')).toBe('there');
  const broken = within(Promise.reject(new Error('broken')), 60_000, () => 'late');
  await expect(broken).rejects.toThrow('broken');
});

test('gives or throws what is given for being late', async () => {
  expect(await within(never, 1, () => undefined)).toBeUndefined();
  // A time that is over already.
  expect(await within(never, -5, () => 'late')).toBe('late');
  const thrown = within(never, 1, () => {
    throw new Error('nobody answers');
  });
  await expect(thrown).rejects.toThrow('nobody answers');
});

test('what fails after that is heard by nobody', async () => {
  const late = Promise.withResolvers<string>();
  expect(await within(late.promise, 1, () => 'late')).toBe('late');
  late.reject(new Error('unheard'));
  await new Promise((resolve) => setImmediate(resolve));
});
