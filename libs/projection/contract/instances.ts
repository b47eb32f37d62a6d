import { describe, expect, test } from 'vitest';
import { at, entries, entry, loadEntries, putEntry, rowsOf, Share, sampleSpec } from './samples.ts';
import { openAgain, openFresh, openGeneration, openSample, type StoreOpeners } from './site.ts';

export function describeInstances(openers: StoreOpeners): void {
  describe('two instances on one store', () => {
    const openTwo = async (workers = 1) => {
      const { site, generation } = await openSample(openers, { workers });
      return [generation, await openGeneration(await openAgain(site), 1)] as const;
    };

    test('each sees what the other committed', async () => {
      const [one, two] = await openTwo();
      await (await Share.take(one)).commit(putEntry(entry('b', 'ann', 1)));
      expect(await loadEntries(two, ['b', 'ann'])).toEqual([entry('b', 'ann', 1)]);
      expect(await two.checkpoint()).toEqual(at(1));
    });

    test('of two that make the same generation at once, one makes it', async () => {
      const { site, store } = await openFresh(openers);
      const other = await openAgain(site);
      const made = await Promise.all([store.create(sampleSpec), other.create(sampleSpec)]);
      expect(made.toSorted()).toEqual(['created', 'exists']);
      expect((await openGeneration(other, 1)).spec).toEqual(sampleSpec);
    });

    test('share leases, and a takeover through one refuses the commits of the other', async () => {
      const [one, two] = await openTwo();
      const former = await Share.take(one, 0, 'a');
      expect((await two.acquire(0, 'b', 1_001, 60_000)).kind).toBe('busy');
      const taken = await two.acquire(0, 'b', 100_000, 500);
      expect(taken).toMatchObject({ kind: 'acquired', epoch: former.epoch + 1 });
      expect((await former.send(former.batch())).kind).toBe('stale');
    });

    test('that commit for different workers at once lose nothing', async () => {
      const pair = await openTwo(2);
      const rounds = 30;
      await Promise.all(
        pair.map(async (generation, worker) => {
          const share = await Share.take(generation, worker);
          for (let round = 1; round <= rounds; round += 1) {
            await share.commit(putEntry(entry('b', `w${worker}-${round}`, round)));
          }
        }),
      );
      for (const generation of pair) {
        expect(await rowsOf(generation, entries)).toHaveLength(2 * rounds);
        expect(await generation.checkpoint()).toEqual(at(rounds));
      }
    });

    test('that race with one epoch: each position is committed once', async () => {
      const pair = await openTwo();
      const { epoch } = await Share.take(pair[0]);
      let applied = 0;
      for (let round = 0; round < 20; round += 1) {
        const results = await Promise.all(
          pair.map((generation, n) =>
            generation.commit({
              worker: 0,
              epoch,
              from: at(round),
              to: at(round + 1),
              after: round,
              tail: '',
              changes: [putEntry(entry('b', `r${round}`, n))],
            }),
          ),
        );
        applied += results.filter(({ kind }) => kind === 'applied').length;
      }
      expect(applied).toBe(20);
      expect(await rowsOf(pair[1], entries)).toHaveLength(20);
    });
  });
}
