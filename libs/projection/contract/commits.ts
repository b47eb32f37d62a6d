import { describe, expect, test } from 'vitest';
import {
  acquired,
  at,
  entries,
  entry,
  loadEntries,
  putEntry,
  remove,
  rowsOf,
  Share,
} from './samples.ts';
import { openSample, type StoreOpeners } from './site.ts';

const many = 4_000;

export function describeCommits(openers: StoreOpeners): void {
  const sample = async () => {
    const opened = await openSample(openers);
    return { ...opened, share: await Share.take(opened.generation) };
  };

  describe('a commit', () => {
    test('writes rows and checkpoint in one step', async () => {
      const { generation, share } = await sample();
      const batch = share.batch([putEntry(entry('b', 'ann', 1))], at(5));
      expect(await generation.commit(batch)).toEqual({ kind: 'applied' });
      expect(await generation.checkpoint()).toEqual(at(5));
      expect(await rowsOf(generation, entries)).toEqual([entry('b', 'ann', 1)]);
    });

    test('without changes moves the checkpoint on', async () => {
      const { generation, share } = await sample();
      await share.commit();
      await share.commit();
      expect(await generation.checkpoint()).toEqual(at(2));
    });

    test('that does not move the checkpoint still writes its rows', async () => {
      const { generation, share } = await sample();
      await share.commit(putEntry(entry('b', 'ann', 1)));
      const retry = share.batch([putEntry(entry('b', 'ann', 2))], share.checkpoint);
      expect(await generation.commit(retry)).toEqual({ kind: 'applied' });
      expect(await loadEntries(generation, ['b', 'ann'])).toEqual([entry('b', 'ann', 2)]);
    });

    test('sent again after it was applied is a success and changes nothing', async () => {
      const { generation, share } = await sample();
      const batch = share.batch([putEntry(entry('b', 'ann', 1)), remove(entries, 'b', 'bob')]);
      expect(await generation.commit(batch)).toEqual({ kind: 'applied' });
      expect(await generation.commit(batch)).toEqual({ kind: 'already-applied' });
      expect(await generation.commit(batch)).toEqual({ kind: 'already-applied' });
      expect(await rowsOf(generation, entries)).toEqual([entry('b', 'ann', 1)]);
      expect(await generation.checkpoint()).toEqual(at(1));
    });

    test('of several partitions keeps each position', async () => {
      const { generation, share } = await sample();
      const to = { 0: '0000000000000007', 3: '0000000000000002', 12: 'a.b_C9' };
      expect(await generation.commit(share.batch([], to))).toEqual({ kind: 'applied' });
      expect((await generation.shares()).map(({ checkpoint }) => checkpoint)).toEqual([to]);
      expect(await generation.checkpoint()).toEqual(to);
    });

    test(`of ${many} changes is applied as a whole`, async () => {
      const { generation, share } = await sample();
      const rows = Array.from({ length: many }, (_, n) => entry('b', `p${n}`, n % 50));
      await share.commit(...rows.map(putEntry));
      expect(await rowsOf(generation, entries)).toHaveLength(many);
      await share.commit(...rows.map(({ player }) => remove(entries, 'b', player as string)));
      expect(await rowsOf(generation, entries)).toEqual([]);
    });
  });

  describe('a commit is refused as stale and writes nothing', () => {
    for (const size of [1, many]) {
      const changes = Array.from({ length: size }, (_, n) => putEntry(entry('b', `p${n}`, 9)));

      test(`with an older or newer epoch (${size} changes)`, async () => {
        const { generation, share } = await sample();
        await share.commit(putEntry(entry('b', 'p0', 1)));
        const { epoch } = share;
        for (const other of [epoch - 1, epoch + 1]) {
          const stale = { ...share.batch(changes), epoch: other };
          const refused = { kind: 'stale', epoch, checkpoint: at(1) };
          expect(await generation.commit(stale)).toEqual(refused);
        }
        expect(await rowsOf(generation, entries)).toEqual([entry('b', 'p0', 1)]);
        expect(await generation.checkpoint()).toEqual(at(1));
      });

      test(`that starts at another checkpoint (${size} changes)`, async () => {
        const { generation, share } = await sample();
        const { epoch } = share;
        await share.commit(putEntry(entry('b', 'p0', 1)));
        await share.commit();
        for (const from of [at(0), at(1), at(3), { 1: '0000000000000002' }]) {
          const stale = { ...share.batch(changes, at(9)), from };
          const refused = { kind: 'stale', epoch, checkpoint: at(2) };
          expect(await generation.commit(stale)).toEqual(refused);
        }
        expect(await rowsOf(generation, entries)).toEqual([entry('b', 'p0', 1)]);
        expect(await generation.checkpoint()).toEqual(at(2));
        expect(await share.send(share.batch(changes))).toEqual({ kind: 'applied' });
      });
    }

    test('when another epoch sends what an earlier one applied', async () => {
      const { generation, share } = await sample();
      const batch = share.batch([putEntry(entry('b', 'ann', 1))]);
      await share.send(batch);
      await generation.release(0, share.epoch);
      const next = await Share.take(generation, 0, 'second');
      expect(await generation.commit(batch)).toEqual({
        kind: 'stale',
        epoch: next.epoch,
        checkpoint: at(1),
      });
    });
  });

  test('of commits sent at once from the same checkpoint, one is applied', async () => {
    const { generation, share } = await sample();
    const batches = Array.from({ length: 8 }, (_, n) =>
      share.batch([putEntry(entry('b', `p${n}`, n))], at(10 + n)),
    );
    const results = await Promise.all(batches.map((batch) => generation.commit(batch)));
    const winner = results.findIndex(({ kind }) => kind === 'applied');
    expect(results.filter(({ kind }) => kind === 'applied')).toHaveLength(1);
    expect(results.filter(({ kind }) => kind === 'stale')).toHaveLength(7);
    expect(await rowsOf(generation, entries)).toEqual([entry('b', `p${winner}`, winner)]);
    expect(await generation.checkpoint()).toEqual(at(10 + winner));
  });

  test('what comes with a checkpoint changes with it, and with nothing else', async () => {
    const { generation, share, clock } = await sample();
    const leased = () => generation.acquire(0, 'first', 1_000, 60_000);
    expect(await leased()).toEqual(acquired(share.epoch, {}));
    await share.commit(putEntry(entry('b', 'ann', 1)));
    expect(await leased()).toEqual(acquired(share.epoch, at(1)));
    const next = share.batch([putEntry(entry('b', 'ann', 2))]);
    const other = { ...next, tail: 'of a batch that is refused' };
    expect((await generation.commit({ ...other, epoch: share.epoch + 1 })).kind).toBe('stale');
    expect((await generation.commit({ ...other, from: at(7), to: at(8) })).kind).toBe('stale');
    await generation.hold(at(1), clock.now() + 1_000);
    expect((await generation.commit(other)).kind).toBe('held');
    await generation.unhold();
    expect(await leased()).toEqual(acquired(share.epoch, at(1)));
    await share.send(next);
    expect((await generation.commit({ ...other })).kind).toBe('already-applied');
    expect(await leased()).toEqual(acquired(share.epoch, at(2)));
    // A batch that only changes rows (letters worked off) brings its own, too.
    const same = { ...share.batch([], at(2)), tail: 'another text at the same checkpoint' };
    expect((await generation.commit(same)).kind).toBe('applied');
    expect(await leased()).toMatchObject({ checkpoint: at(2), tail: same.tail });
  });

  test('a worker that is not in the spec is a bug', async () => {
    const { generation, share } = await sample();
    await expect(generation.commit({ ...share.batch(), worker: 1 })).rejects.toThrow(RangeError);
    await expect(generation.acquire(1, 'first', 0, 1)).rejects.toThrow(RangeError);
    await expect(generation.acquire(-1, 'first', 0, 1)).rejects.toThrow(RangeError);
  });
}
