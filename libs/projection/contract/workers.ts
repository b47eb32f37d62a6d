import { describe, expect, test } from 'vitest';
import {
  acquired,
  at,
  entries,
  entry,
  position,
  putEntry,
  rowsOf,
  Share,
  tailOf,
} from './samples.ts';
import { openSample, type StoreOpeners } from './site.ts';

export function describeWorkers(openers: StoreOpeners): void {
  describe('workers', () => {
    test('each has a checkpoint, a lease and an epoch of its own', async () => {
      const { generation } = await openSample(openers, { workers: 3 });
      const [one, two] = [
        await Share.take(generation, 0, 'a'),
        await Share.take(generation, 2, 'b'),
      ];
      await one.commit(putEntry(entry('b', 'ann', 1)));
      await two.commit(putEntry(entry('b', 'bob', 2)));
      await two.commit();
      const progress = [at(1), {}, at(2)].map((to) => ({ checkpoint: to, tail: tailOf(to) }));
      expect(await generation.shares()).toEqual(progress);
      const taken = await generation.acquire(2, 'c', 100_000, 1_000);
      expect(taken).toEqual(acquired(two.epoch + 1, at(2)));
      expect(await one.send(one.batch())).toEqual({ kind: 'applied' });
      expect((await two.send(two.batch())).kind).toBe('stale');
      expect(await rowsOf(generation, entries)).toHaveLength(2);
    });

    test('split by stream, the generation is at the lowest position of all of them', async () => {
      const { generation } = await openSample(openers, { workers: 2, split: 'stream' });
      const [one, two] = [await Share.take(generation, 0), await Share.take(generation, 1)];
      await one.send(one.batch([], { 0: position(5), 1: position(5) }));
      expect(await generation.checkpoint()).toEqual({});
      await two.send(two.batch([], { 0: position(9) }));
      expect(await generation.checkpoint()).toEqual({ 0: position(5) });
      await two.send(two.batch([], { 0: position(9), 1: position(2), 2: position(1) }));
      expect(await generation.checkpoint()).toEqual({ 0: position(5), 1: position(2) });
    });

    test('split by partition, it is where the worker of each partition is', async () => {
      const { generation } = await openSample(openers, { workers: 2, split: 'partition' });
      const [one, two] = [await Share.take(generation, 0), await Share.take(generation, 1)];
      await one.send(one.batch([], { 0: position(5), 2: position(1) }));
      expect(await generation.checkpoint()).toEqual({ 0: position(5), 2: position(1) });
      await two.send(two.batch([], { 1: position(9) }));
      const all = { 0: position(5), 1: position(9), 2: position(1) };
      expect(await generation.checkpoint()).toEqual(all);
    });

    test('that commit at once do not disturb each other', async () => {
      const workers = 4;
      const { generation } = await openSample(openers, { workers });
      const rounds = 20;
      await Promise.all(
        Array.from({ length: workers }, async (_, worker) => {
          const share = await Share.take(generation, worker);
          for (let round = 1; round <= rounds; round += 1) {
            await share.commit(
              putEntry(entry('b', `w${worker}`, round)),
              putEntry(entry('b', `w${worker}-${round}`, round)),
            );
          }
        }),
      );
      expect(await rowsOf(generation, entries)).toHaveLength(workers * (rounds + 1));
      expect(await generation.checkpoint()).toEqual(at(rounds));
    });
  });
}
