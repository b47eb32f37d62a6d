import { describe, expect, test } from 'vitest';
import { at, entries, entry, position, putEntry, rowsOf, Share } from './samples.ts';
import { openAgain, openGeneration, openSample, type StoreOpeners } from './site.ts';

export function describeHolds(openers: StoreOpeners): void {
  const sample = async () => {
    const opened = await openSample(openers);
    return { ...opened, share: await Share.take(opened.generation) };
  };

  describe('a hold', () => {
    test('lets commits come up to its checkpoint and none go past it', async () => {
      const { generation, clock, share } = await sample();
      await generation.hold(at(5), clock.now() + 1_000);
      expect(await share.send(share.batch([], at(3)))).toEqual({ kind: 'applied' });
      expect(await share.send(share.batch([], at(5)))).toEqual({ kind: 'applied' });
      const past = share.batch([putEntry(entry('b', 'ann', 1))], at(6));
      expect(await share.send(past)).toEqual({ kind: 'held', at: at(5) });
      expect(await rowsOf(generation, entries)).toEqual([]);
      expect(await generation.checkpoint()).toEqual(at(5));
    });

    test('counts each partition', async () => {
      const { generation, clock, share } = await sample();
      const hold = { 0: position(5), 1: position(2) };
      await generation.hold(hold, clock.now() + 1_000);
      const held = { kind: 'held', at: hold };
      expect(await share.send(share.batch([], { 0: position(5), 1: position(3) }))).toEqual(held);
      expect(await share.send(share.batch([], { 2: position(1) }))).toEqual(held);
      const to = { 0: position(4), 1: position(2) };
      expect(await share.send(share.batch([], to))).toEqual({ kind: 'applied' });
    });

    test('at the beginning holds everything', async () => {
      const { generation, clock, share } = await sample();
      await generation.hold({}, clock.now() + 1_000);
      expect(await share.send(share.batch())).toEqual({ kind: 'held', at: {} });
    });

    test('ends by itself when its time is over', async () => {
      const { generation, clock, share } = await sample();
      await generation.hold({}, clock.now() + 1_000);
      clock.advance(999);
      expect((await share.send(share.batch())).kind).toBe('held');
      clock.advance(1);
      expect(await share.send(share.batch())).toEqual({ kind: 'applied' });
    });

    test('is over when the clock was set back, and does not last as long as that', async () => {
      const { generation, clock, share } = await sample();
      await generation.hold({}, clock.now() + 30_000);
      expect((await share.send(share.batch())).kind).toBe('held');
      clock.advance(-3_600_000);
      expect(await share.send(share.batch())).toEqual({ kind: 'applied' });
    });

    test('ends when it is released, and may be set anew', async () => {
      const { generation, clock, share } = await sample();
      await generation.hold({}, clock.now() + 1_000);
      await generation.hold(at(1), clock.now() + 1_000);
      expect((await share.send(share.batch())).kind).toBe('applied');
      expect((await share.send(share.batch())).kind).toBe('held');
      await generation.unhold();
      await generation.unhold();
      expect(await share.send(share.batch())).toEqual({ kind: 'applied' });
    });

    test('does not hide that a batch was applied before, or is stale', async () => {
      const { generation, clock, share } = await sample();
      const batch = share.batch();
      await share.send(batch);
      await generation.hold({}, clock.now() + 1_000);
      expect(await generation.commit(batch)).toEqual({ kind: 'already-applied' });
      const stale = { ...share.batch(), from: at(7) };
      expect((await generation.commit(stale)).kind).toBe('stale');
    });

    test('set by one instance holds the commits of another', async () => {
      const { site, clock, share } = await sample();
      const other = await openGeneration(await openAgain(site), 1);
      await other.hold({}, clock.now() + 1_000);
      expect(await share.send(share.batch())).toEqual({ kind: 'held', at: {} });
      await other.unhold();
      expect(await share.send(share.batch())).toEqual({ kind: 'applied' });
    });
  });
}
