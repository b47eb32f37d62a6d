import { expect, test } from 'vitest';
import { together } from './together.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('all items are worked on once, in order, and never too many at once', async () => {
  const begun: number[] = [];
  let atOnce = 0;
  let most = 0;
  await together(
    Array.from({ length: 100 }, (_, index) => index),
    7,
    async (item) => {
      begun.push(item);
      atOnce += 1;
      most = Math.max(most, atOnce);
      await turn();
      atOnce -= 1;
    },
  );
  expect(begun).toEqual(Array.from({ length: 100 }, (_, index) => index));
  expect(most).toBe(7);
});

test('the first failure ends it, once what was begun has ended', async () => {
  let begun = 0;
  let ended = 0;
  const work = together(Array(100).keys(), 4, async (item) => {
    begun += 1;
    await turn();
    ended += 1;
    if (item === 5) throw new Error('the sixth');
  });
  await expect(work).rejects.toThrow('the sixth');
  expect(begun).toBeLessThan(20);
  expect(ended).toBe(begun);
});

test('nothing to do is done at once', async () => {
  await together([], 4, () => Promise.reject(new Error('never called')));
});
