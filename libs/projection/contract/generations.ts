import { describe, expect, test } from 'vitest';
import { StoreLostError } from '../store.ts';
import {
  acquired,
  at,
  entries,
  entry,
  loadEntries,
  putEntry,
  rowsOf,
  Share,
  sampleSpec,
} from './samples.ts';
import {
  openAgain,
  openFresh,
  openGeneration,
  openSample,
  type StoreOpeners,
  testWith,
} from './site.ts';

export function describeGenerations(openers: StoreOpeners): void {
  describe('generations', () => {
    test('what was never made is lost, not empty', async () => {
      const { store } = await openFresh(openers);
      expect(await store.open(1)).toBe('lost');
    });

    test('the marker gives back the spec it was made with', async () => {
      const { site, store } = await openFresh(openers);
      const id = '00000000-0000-5000-8000-000000000007';
      const spec = { ...sampleSpec, id, generation: 7, workers: 4, split: 'partition' } as const;
      expect(await store.create(spec)).toBe('created');
      expect((await openGeneration(store, 7)).spec).toEqual(spec);
      expect((await openGeneration(await openAgain(site), 7)).spec).toEqual(spec);
    });

    test('a new generation is empty, at the beginning, and present', async () => {
      const { generation } = await openSample(openers);
      expect(await generation.checkpoint()).toEqual({});
      expect(await generation.shares()).toEqual([{ checkpoint: {}, tail: '' }]);
      expect(await rowsOf(generation, entries)).toEqual([]);
      expect(await generation.present()).toBe(true);
    });

    test('making one that exists changes nothing', async () => {
      const { store, generation } = await openSample(openers);
      await (await Share.take(generation)).commit(putEntry(entry('b', 'ann', 1)));
      const id = '00000000-0000-5000-8000-000000000002';
      expect(await store.create({ ...sampleSpec, id, version: 4 })).toBe('exists');
      const again = await openGeneration(store, 1);
      expect(again.spec).toEqual(sampleSpec);
      expect(await rowsOf(again, entries)).toEqual([entry('b', 'ann', 1)]);
    });

    test('generations know nothing of each other', async () => {
      const { store, generation: one } = await openSample(openers);
      await store.create({ ...sampleSpec, generation: 2 });
      const two = await openGeneration(store, 2);
      await (await Share.take(one)).commit(putEntry(entry('b', 'ann', 1)));
      await (await Share.take(one)).commit();
      await (await Share.take(two)).commit(putEntry(entry('b', 'bob', 2)));
      expect(await rowsOf(one, entries)).toEqual([entry('b', 'ann', 1)]);
      expect(await rowsOf(two, entries)).toEqual([entry('b', 'bob', 2)]);
      expect(await one.checkpoint()).toEqual(at(2));
      expect(await two.checkpoint()).toEqual(at(1));
    });

    test('rows and checkpoints outlive the instance', async () => {
      const { site, store, generation } = await openSample(openers);
      await (await Share.take(generation)).commit(putEntry(entry('b', 'ann', 1)));
      await generation.close();
      await store.close();
      const again = await openGeneration(await openAgain(site), 1);
      expect(await again.checkpoint()).toEqual(at(1));
      expect(await loadEntries(again, ['b', 'ann'])).toEqual([entry('b', 'ann', 1)]);
      const lease = await again.acquire(0, 'second', 100_000, 1_000);
      expect(lease).toEqual(acquired(2, at(1)));
    });

    test('closing twice is closing once', async () => {
      const { store, generation } = await openSample(openers);
      await generation.close();
      await generation.close();
      await store.close();
      await store.close();
    });
  });

  describe('dropping', () => {
    test('makes a generation lost, leaves the others, and may be done again', async () => {
      const { store, generation } = await openSample(openers);
      await store.create({ ...sampleSpec, generation: 2 });
      const two = await openGeneration(store, 2);
      await (await Share.take(two)).commit(putEntry(entry('b', 'bob', 2)));
      await generation.close();
      await store.drop(1);
      await store.drop(1);
      await store.drop(99);
      expect(await store.open(1)).toBe('lost');
      expect(await rowsOf(two, entries)).toEqual([entry('b', 'bob', 2)]);
    });

    testWith(openers, 'remains', 'leaves nothing of it', async () => {
      const { site, store, generation } = await openSample(openers);
      const share = await Share.take(generation);
      await share.commit(putEntry(entry('b', 'ann', 1)));
      await share.commit(putEntry(entry('b', 'ann', 2)), putEntry(entry('c', 'bob', 2)));
      await generation.hold(at(2), 0);
      await generation.finishBuilding?.();
      expect(await site.remains?.(1)).not.toEqual([]);
      await generation.close();
      await store.drop(1);
      expect(await site.remains?.(1)).toEqual([]);
    });

    test('is noticed by whoever has it open', async () => {
      const { site, generation } = await openSample(openers);
      const share = await Share.take(generation);
      await share.commit(putEntry(entry('b', 'ann', 1)));
      await (await openAgain(site)).drop(1);
      await expectLost(share);
    });
  });

  describe('a lost store', () => {
    testWith(
      openers,
      'lose',
      'is recognised: commit and load say so, present is false',
      async () => {
        const { site, store, generation } = await openSample(openers);
        const share = await Share.take(generation);
        await share.commit(putEntry(entry('b', 'ann', 1)));
        await site.lose?.(1);
        await expectLost(share);
        expect(await store.open(1)).toBe('lost');
      },
    );

    testWith(openers, 'lose', 'that was made anew is another one', async () => {
      const { site, generation } = await openSample(openers);
      const share = await Share.take(generation);
      await share.commit(putEntry(entry('b', 'ann', 1)));
      await site.lose?.(1);
      const again = await openAgain(site);
      expect(await again.create(sampleSpec)).toBe('created');
      await expectLost(share);
      const fresh = await openGeneration(again, 1);
      expect(await rowsOf(fresh, entries)).toEqual([]);
      expect(await fresh.checkpoint()).toEqual({});
    });
  });
}

async function expectLost(share: Share): Promise<void> {
  const { generation } = share;
  expect(await generation.present()).toBe(false);
  const uses = [
    () => generation.commit(share.batch([putEntry(entry('b', 'ann', 2))])),
    () => loadEntries(generation, ['b', 'ann']),
    () => generation.acquire(0, 'first', 2_000, 1_000),
    () => generation.checkpoint(),
  ];
  for (const use of uses) {
    const thrown = await use().catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(StoreLostError);
    expect(thrown).toMatchObject({ code: 'store-lost' });
  }
}
