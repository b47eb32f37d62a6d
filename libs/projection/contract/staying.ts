import { describe, expect, test } from 'vitest';
import { at, entries, entry, putEntry, rowsOf, Share } from './samples.ts';
import { openSample, type StoreOpeners } from './site.ts';

/** Events that were parked are worked off where the checkpoint stands: such batches are told by their number. */
export function describeStaying(openers: StoreOpeners): void {
  for (const size of [1, 4_000]) {
    describe(`batches of ${size} rows that stay at their checkpoint`, () => {
      const sample = async () => {
        const { generation } = await openSample(openers);
        const share = await Share.take(generation);
        await share.commit();
        const players = Array.from({ length: size }, (_, n) => `p${n}`);
        const rows = (score: number) => players.map((player) => entry('b', player, score));
        const staying = (score: number) => share.batch(rows(score).map(putEntry), share.checkpoint);
        const shown = async () => [
          ...new Set((await rowsOf(generation, entries)).map(({ score }) => score)),
        ];
        const stale = () => ({ kind: 'stale', epoch: share.epoch, checkpoint: share.checkpoint });
        return { generation, share, staying, shown, stale };
      };

      test('are applied one after the other, and a copy of the last one is a success', async () => {
        const { generation, share, staying, shown } = await sample();
        for (const score of [1, 2, 1, 3]) {
          const batch = staying(score);
          expect(await share.send(batch)).toEqual({ kind: 'applied' });
          expect(await generation.commit(batch)).toEqual({ kind: 'already-applied' });
          expect(await shown()).toEqual([score]);
        }
      });

      test('are stale when they come late, whatever came meanwhile', async () => {
        const { generation, share, staying, shown, stale } = await sample();
        const late = staying(2);
        await share.send(late);
        await share.send(staying(3));
        expect(await generation.commit(late)).toEqual(stale());
        // Also where the last one says the same.
        await share.send(staying(2));
        expect(await generation.commit(late)).toEqual(stale());
        await share.send(share.batch([], at(2)));
        expect(await generation.commit(late)).toEqual(stale());
        expect(await shown()).toEqual([2]);
      });

      test('are stale beside another one that follows the same batches', async () => {
        const { generation, share, staying, shown, stale } = await sample();
        const other = staying(2);
        await share.send(staying(3));
        expect(await generation.commit(other)).toEqual(stale());
        expect(await shown()).toEqual([3]);
      });

      test('are heeded by a batch that moves on: made before them it is stale', async () => {
        const { generation, share, staying, shown, stale } = await sample();
        const before = share.batch([putEntry(entry('b', 'p0', 9))]);
        await share.send(staying(3));
        expect(await generation.commit(before)).toEqual(stale());
        expect(await shown()).toEqual([3]);
        const lease = await generation.acquire(0, 'first', 1_000, 60_000);
        expect(lease).toMatchObject({ checkpoint: at(1), batches: 2 });
        expect(await share.send(share.batch([]))).toEqual({ kind: 'applied' });
      });
    });
  }
}
