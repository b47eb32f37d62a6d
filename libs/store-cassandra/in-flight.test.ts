import { expect, test } from 'vitest';
import { InFlight, mapBounded } from './in-flight.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('no more run at once than may, all of them run, and in the order they came', async () => {
  const inFlight = new InFlight(3, 100);
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      inFlight.run(async () => {
        begun.push(n);
        running += 1;
        most = Math.max(most, running);
        await turn();
        running -= 1;
      }),
    ),
  );
  expect(most).toBe(3);
  expect(begun).toEqual(Array.from({ length: 20 }, (_, n) => n));
});

test('a failure gives its place to the next one', async () => {
  const inFlight = new InFlight(1, 100);
  const fails = inFlight.run(() => Promise.reject(new Error('broken')));
  const works = inFlight.run(() => Promise.resolve('done'));
  await expect(fails).rejects.toThrow('broken');
  expect(await works).toBe('done');
});

test('a line that is too long is refused', async () => {
  const inFlight = new InFlight(1, 1);
  const runs = [inFlight.run(turn), inFlight.run(turn)];
  await expect(inFlight.run(turn)).rejects.toMatchObject({ code: 'overloaded' });
  await Promise.all(runs);
});

test('a bounded map keeps the order of its items, and ends with the first failure', async () => {
  expect(await mapBounded([3, 1, 2], 2, async (n) => turn().then(() => n * 2))).toEqual([6, 2, 4]);
  let calls = 0;
  const failing = mapBounded(
    Array.from({ length: 100 }, (_, n) => n),
    2,
    async (n) => {
      calls += 1;
      await turn();
      if (n === 3) throw new Error('the third');
    },
  );
  await expect(failing).rejects.toThrow('the third');
  expect(calls).toBeLessThan(10);
});
