import { describe, expect } from 'vitest';
import { type CommitResult, StoreLostError } from '../store.ts';
import { acquired, at, entries, entry, putEntry, rowsOf, Share } from './samples.ts';
import { openAgain, openGeneration, openSample, type StoreOpeners, testWith } from './site.ts';

export function describeGoingBack(openers: StoreOpeners): void {
  describe('a store that went back behind a live projector', () => {
    testWith(openers, 'backup', 'refuses the next batch and tells where it is', async () => {
      const { site, store, generation } = await openSample(openers);
      const share = await Share.take(generation);
      await share.commit(putEntry(entry('b', 'ann', 1)));
      const restore = await site.backup?.();
      await share.commit(putEntry(entry('b', 'ann', 2)));
      await share.commit(putEntry(entry('b', 'bob', 3)));
      await restore?.();

      const batch = share.batch([putEntry(entry('b', 'ann', 4))]);
      // A store may find out by itself that it was replaced; opened again it must refuse all the same.
      const refused = await share.send(batch).catch((error: unknown) => error);
      const stale: CommitResult = { kind: 'stale', epoch: share.epoch, checkpoint: at(1) };
      if (!(refused instanceof StoreLostError)) expect(refused).toEqual(stale);
      const again = await openGeneration(await openAgain(site), 1);
      expect(await again.commit(batch)).toEqual(stale);
      expect(await rowsOf(again, entries)).toEqual([entry('b', 'ann', 1)]);

      const lease = await again.acquire(0, 'first', 1_000, 60_000);
      expect(lease).toEqual(acquired(share.epoch, at(1)));
      const next = await Share.take(again);
      expect(next.checkpoint).toEqual(at(1));
      await next.commit(putEntry(entry('b', 'ann', 2)));
      expect(await rowsOf(again, entries)).toEqual([entry('b', 'ann', 2)]);
      await store.close();
    });

    testWith(
      openers,
      'backup',
      'takes no batch it took before for one already applied',
      async () => {
        const { site, generation } = await openSample(openers);
        const share = await Share.take(generation);
        await share.commit();
        const restore = await site.backup?.();
        const lost = share.batch([putEntry(entry('b', 'ann', 2))]);
        await share.send(lost);
        await restore?.();
        const again = await openGeneration(await openAgain(site), 1);
        // It starts where the store is now: it is simply applied, for the first time as the store sees it.
        expect(await again.commit(lost)).toEqual({ kind: 'applied' });
        expect(await rowsOf(again, entries)).toEqual([entry('b', 'ann', 2)]);
      },
    );
  });
}
