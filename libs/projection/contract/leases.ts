import { describe, expect, test } from 'vitest';
import { acquired, at, Share } from './samples.ts';
import { openSample, type StoreOpeners } from './site.ts';

export function describeLeases(openers: StoreOpeners): void {
  describe('a lease', () => {
    test('is acquired with an epoch and the checkpoint to go on from', async () => {
      const { generation } = await openSample(openers);
      const first = await generation.acquire(0, 'a', 1_000, 500);
      expect(first).toEqual(acquired(1, {}));
    });

    test('keeps others out until it ends, and says who holds it and until when', async () => {
      const { generation } = await openSample(openers);
      await generation.acquire(0, 'a', 1_000, 500);
      const busy = { kind: 'busy', holder: 'a', until: 1_500 };
      expect(await generation.acquire(0, 'b', 1_000, 500)).toEqual(busy);
      expect(await generation.acquire(0, 'b', 1_499, 500)).toEqual(busy);
    });

    test('is renewed by its holder, who keeps the epoch', async () => {
      const { generation } = await openSample(openers);
      const share = await Share.take(generation, 0, 'a');
      await share.commit();
      const { epoch } = share;
      const renewed = acquired(epoch, at(1));
      expect(await generation.acquire(0, 'a', 30_000, 60_000)).toEqual(renewed);
      const busy = { kind: 'busy', holder: 'a', until: 90_000 };
      expect(await generation.acquire(0, 'b', 70_000, 60_000)).toEqual(busy);
      expect(await generation.acquire(0, 'a', 500_000, 1_000)).toEqual(renewed);
    });

    test('that ended is taken over with a higher epoch, and the former holder is refused', async () => {
      const { generation } = await openSample(openers);
      const share = await Share.take(generation, 0, 'a');
      await share.commit();
      const epoch = share.epoch + 1;
      const taken = await generation.acquire(0, 'b', 61_000, 1_000);
      expect(taken).toEqual(acquired(epoch, at(1)));
      const refused = { kind: 'stale', epoch, checkpoint: at(1) };
      expect(await share.send(share.batch())).toEqual(refused);
      expect((await generation.acquire(0, 'a', 61_500, 1_000)).kind).toBe('busy');
      const back = await generation.acquire(0, 'a', 62_000, 1_000);
      expect(back).toEqual(acquired(epoch + 1, at(1)));
    });

    test('that ended but was not taken over still commits: only the checkpoint decides', async () => {
      const { generation, clock } = await openSample(openers);
      const share = await Share.take(generation, 0, 'a');
      clock.advance(10_000_000);
      await share.commit();
    });

    test('that was released is free at once, with a higher epoch', async () => {
      const { generation } = await openSample(openers);
      const share = await Share.take(generation, 0, 'a');
      await generation.release(0, share.epoch);
      const next = await generation.acquire(0, 'b', 1_001, 500);
      expect(next).toEqual(acquired(share.epoch + 1, {}));
    });

    test('is not released by an epoch that no longer holds it', async () => {
      const { generation } = await openSample(openers);
      const share = await Share.take(generation, 0, 'a');
      await generation.acquire(0, 'b', 61_000, 1_000);
      await generation.release(0, share.epoch);
      expect((await generation.acquire(0, 'c', 61_001, 1_000)).kind).toBe('busy');
    });

    test('from before a clock was set back keeps nobody out for longer than a lease lasts', async () => {
      const { generation } = await openSample(openers);
      const share = await Share.take(generation, 0, 'a');
      expect((await generation.acquire(0, 'a', 5_000_000, 60_000)).kind).toBe('acquired');
      const taken = await generation.acquire(0, 'b', 1_000_000, 60_000);
      expect(taken).toEqual(acquired(share.epoch + 1, {}));
      expect((await generation.acquire(0, 'a', 1_000_001, 60_000)).kind).toBe('busy');
    });

    test('is seen by whoever looks, until it is given up, and looking takes nothing', async ({
      skip,
    }) => {
      const { generation } = await openSample(openers);
      if (!generation.leases) return skip('this store does not tell who holds its leases');
      expect(await generation.leases()).toEqual([undefined]);
      await generation.acquire(0, 'a', 1_000, 500);
      const held = { holder: 'a', until: 1_500 };
      expect(await generation.leases()).toEqual([held]);
      const renewed = await generation.acquire(0, 'a', 1_200, 500);
      expect(renewed).toMatchObject({ kind: 'acquired', epoch: 1 });
      expect(await generation.leases()).toEqual([{ ...held, until: 1_700 }]);
      await generation.release(0, 1);
      expect(await generation.leases()).toEqual([undefined]);
    });

    test('of several who ask at once is given to one', async () => {
      const { generation } = await openSample(openers);
      const asked = Array.from({ length: 8 }, (_, n) => generation.acquire(0, `h${n}`, 1_000, 500));
      const leases = await Promise.all(asked);
      expect(leases.filter(({ kind }) => kind === 'acquired')).toHaveLength(1);
      expect(leases.filter(({ kind }) => kind === 'busy')).toHaveLength(7);
    });
  });
}
