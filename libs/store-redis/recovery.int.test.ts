import { describeOn } from '@annals/core/testing';
import { type RowChange, StoreLostError } from '@annals/projection';
import {
  at,
  entries,
  entry,
  matches,
  put,
  putEntry,
  remove,
  rowsOf,
  Share,
} from '@annals/projection/contract';
import { describe, expect, test } from 'vitest';
import { peekScript, rollbackScript } from './commit-scripts.ts';
import { limits } from './limits.ts';
import { areEqual } from './shards.ts';
import { breaking } from './testing/breaking-connection.ts';
import { openSample } from './testing/opened.ts';
import { contentUnder, copyOf, keysUnder } from './testing/shard-copies.ts';

/** Batch number `n`: raises all scores, adds and removes some rows. */
function changesOf(n: number, rows = 24): RowChange[] {
  return [
    ...Array.from({ length: rows }, (_, row) => putEntry(entry(`b${row % 3}`, `p${row}`, n))),
    { ...put(matches, { id: `m${n}`, points: n }), before: null },
    remove(matches, `m${n - 2}`),
    remove(entries, 'b0', `q${n - 1}`),
    { ...putEntry(entry('b0', `q${n}`, n)), before: null },
  ];
}

await describeOn('redis', 'Shards that stand apart', ({ url }) => {
  const shards = 4;

  describe('a batch that is cut off', () => {
    test('between two scripts of one shard takes rows and their places back', async () => {
      const opened = await openSample(url, { shards: 1 });
      const share = await Share.take(opened.generation);
      await opened.generation.finishBuilding?.();
      const rowsAt = (n: number) =>
        Array.from({ length: limits.pieceRowsMax + 500 }, (_, row) =>
          entry(`b${row % 3}`, `p${row}`, n * ((row % 7) - 1)),
        );
      const changesAt = (n: number): RowChange[] => {
        const former = rowsAt(n - 1);
        return rowsAt(n).map((row, at) => ({
          ...putEntry(row),
          before: n === 1 ? null : (former[at] ?? null),
        }));
      };
      await share.commit(...changesAt(1));
      const before = await rowsOf(opened.generation, entries);

      const cut = opened.over(breaking(opened.connection, 1));
      const batch = share.batch(changesAt(2));
      await expect(cut.commit(batch)).rejects.toThrow('the connection broke');
      const next = await Share.take(opened.generation, 0, 'first');
      expect(next.checkpoint).toEqual(at(1));
      expect(await rowsOf(opened.generation, entries)).toEqual(before);
      await next.commit(...changesAt(2));
      expect(await rowsOf(opened.generation, entries)).toHaveLength(before.length);
    });

    test.each(Array.from({ length: shards }, (_, n) => n))(
      'after %i scripts leaves nothing behind once somebody takes the lease',
      async (scripts) => {
        const opened = await openSample(url, { shards });
        const share = await Share.take(opened.generation);
        await share.commit(...changesOf(1));
        await opened.generation.finishBuilding?.();
        await share.commit(...changesOf(2));
        const before = [
          await rowsOf(opened.generation, entries),
          await rowsOf(opened.generation, matches),
        ];

        const cut = opened.over(breaking(opened.connection, scripts));
        const batch = share.batch(changesOf(3));
        await expect(cut.commit(batch)).rejects.toThrow('the connection broke');
        const next = await Share.take(opened.generation, 0, 'first');
        expect(next.checkpoint).toEqual(at(2));
        expect(await rowsOf(opened.generation, entries)).toEqual(before[0]);
        expect(await rowsOf(opened.generation, matches)).toEqual(before[1]);

        await next.commit(...changesOf(3));
        expect(await rowsOf(opened.generation, matches)).toHaveLength(2);
      },
    );

    test.each([1, 2, 3])(
      'that leaves the checkpoint where it is, after %i scripts, is noticed all the same',
      async (scripts) => {
        const opened = await openSample(url, { shards });
        const share = await Share.take(opened.generation);
        await share.commit(...changesOf(1));
        await share.send(share.batch(changesOf(2), at(1)));
        const before = await rowsOf(opened.generation, entries);
        const retry = share.batch(changesOf(3), at(1));
        const cut = opened.over(breaking(opened.connection, scripts));
        await expect(cut.commit(retry)).rejects.toThrow('the connection broke');
        if (scripts === 2) {
          expect(await share.send(retry)).toEqual({ kind: 'applied' });
          expect(await share.send(retry)).toEqual({ kind: 'already-applied' });
          expect(areEqual(await opened.shards.stamps())).toBe(true);
          return;
        }
        const next = await Share.take(opened.generation);
        expect(next.checkpoint).toEqual(at(1));
        expect(await rowsOf(opened.generation, entries)).toEqual(before);
        expect(await next.send(next.batch(changesOf(3), at(1)))).toEqual({ kind: 'applied' });
        expect(await rowsOf(opened.generation, matches)).toHaveLength(2);
      },
    );

    test.each([1, 2, 3])(
      'that leaves the checkpoint where it is, after %i scripts, goes on beside a late copy of the one before',
      async (scripts) => {
        const opened = await openSample(url, { shards });
        const share = await Share.take(opened.generation);
        await share.commit(...changesOf(1));
        const late = share.batch(changesOf(2), at(1));
        await share.send(late);
        const retry = share.batch(changesOf(3), at(1));
        const cut = opened.over(breaking(opened.connection, scripts));
        await expect(cut.commit(retry)).rejects.toThrow('the connection broke');
        expect((await opened.generation.commit(late)).kind).toBe('stale');
        expect(await share.send(retry)).toEqual({ kind: 'applied' });
        expect(areEqual(await opened.shards.stamps())).toBe(true);
        const rows = await rowsOf(opened.generation, entries);
        expect(new Set(rows.map(({ score }) => score))).toEqual(new Set([3]));
      },
    );

    test('of somebody who lost the lease, and comes late, is taken back', async () => {
      const opened = await openSample(url, { shards });
      const share = await Share.take(opened.generation);
      await share.commit(...changesOf(1));
      // Two different batches from one checkpoint, each in some shards: what a message that was held up can do.
      const other = share.batch(changesOf(7), at(9));
      await expect(opened.over(breaking(opened.connection, 3)).commit(other)).rejects.toThrow();
      const [first] = opened.shards.names;
      const undo = `${first?.tag}undo:0`;
      const peeked = await opened.shards.run(first!, peekScript, [undo]);
      const [, from, to, piece, ...keys] = peeked as Buffer[];
      const record = [from, to, piece].map(String);
      await opened.shards.run(first!, rollbackScript, [undo, ...keys], [0, share.epoch, ...record]);
      await expect(
        opened.over(breaking(opened.connection, 1)).commit(share.batch(changesOf(2))),
      ).rejects.toThrow('the connection broke');

      const next = await Share.take(opened.generation);
      expect(next.checkpoint).toEqual(at(1));
      await next.commit(...changesOf(2));
      const scores = new Set((await rowsOf(opened.generation, entries)).map(({ score }) => score));
      expect([...scores]).toEqual([2]);
    });

    test('is whole when it is sent again before anybody takes the lease', async () => {
      const opened = await openSample(url, { shards });
      const share = await Share.take(opened.generation);
      await share.commit(...changesOf(1));
      const batch = share.batch(changesOf(2));
      await expect(opened.over(breaking(opened.connection, 2)).commit(batch)).rejects.toThrow();
      expect((await opened.generation.shares())[0]?.checkpoint).toEqual(at(1));
      expect(await opened.generation.commit(batch)).toEqual({ kind: 'applied' });
      expect(await opened.generation.commit(batch)).toEqual({ kind: 'already-applied' });
      expect(await rowsOf(opened.generation, entries)).toHaveLength(25);
    });

    test.each([1, 2, 3, 4, 5])(
      'between the pieces of a large one, after %i, is taken back on one shard too',
      async (scripts) => {
        const rows = 2 * limits.pieceRowsMax;
        const opened = await openSample(url, { shards: 1 });
        const share = await Share.take(opened.generation);
        await share.commit(...changesOf(1, rows));
        await opened.generation.finishBuilding?.();
        const before = await rowsOf(opened.generation, entries);
        const batch = share.batch(changesOf(2, 2 * rows));
        const cut = opened.over(breaking(opened.connection, scripts));
        const result = await cut.commit(batch).catch(() => 'broke');
        if (scripts < 5) expect(result).toBe('broke');
        const next = await Share.take(opened.generation);
        if (result !== 'broke') return expect(next.checkpoint).toEqual(at(2));
        expect(next.checkpoint).toEqual(at(1));
        expect(await rowsOf(opened.generation, entries)).toEqual(before);
      },
    );

    test('is taken back for a snapshot when its committer is gone', async () => {
      const opened = await openSample(url, { shards });
      const share = await Share.take(opened.generation);
      await share.commit(...changesOf(1));
      const before = await rowsOf(opened.generation, entries);
      const cut = opened.over(breaking(opened.connection, 2));
      await expect(cut.commit(share.batch(changesOf(2)))).rejects.toThrow('the connection broke');
      expect(await rowsOf(opened.generation, entries)).toEqual(before);
      // Whoever was only slow is told to load anew.
      expect((await share.send(share.batch(changesOf(2)))).kind).toBe('stale');
    });
  });

  describe('a failover that lost the last writes', () => {
    test.each(Array.from({ length: shards }, (_, n) => n))(
      'of shard %i: all go back to what it has, and go on from there',
      async (shard) => {
        const opened = await openSample(url, { shards });
        const share = await Share.take(opened.generation, 0, 'first');
        await share.commit(...changesOf(1));
        await opened.generation.finishBuilding?.();
        await share.commit(...changesOf(2));
        const before = await rowsOf(opened.generation, entries);
        await opened.generation.release(0, share.epoch);
        const fail = await copyOf(opened.connection, opened.shards.names[shard]?.tag as string);
        const later = await opened.generation.acquire(0, 'second', 100_000, 1_000);
        if (later.kind !== 'acquired') throw new Error('busy');
        for (const n of [3, 4, 5]) {
          const batch = {
            ...share.batch(changesOf(n), at(n)),
            from: at(n - 1),
            after: n - 1,
            epoch: later.epoch,
          };
          expect(await opened.generation.commit(batch)).toEqual({ kind: 'applied' });
        }
        await fail();

        const batch = { ...share.batch(changesOf(6), at(6)), from: at(5), after: 5 };
        const { epoch } = later;
        expect((await opened.generation.commit({ ...batch, epoch })).kind).toBe('stale');
        const next = await Share.take(opened.generation, 0, 'third');
        expect(next.checkpoint).toEqual(at(2));
        expect(next.epoch).toBeGreaterThan(later.epoch);
        expect(await rowsOf(opened.generation, entries)).toEqual(before);
        for (const n of [3, 4, 5, 6]) await next.commit(...changesOf(n));
        expect(await rowsOf(opened.generation, entries)).toHaveLength(25);
      },
    );

    test('of a shard that forgot it was built builds it again', async () => {
      const opened = await openSample(url, { shards });
      const share = await Share.take(opened.generation);
      await share.commit(...changesOf(1));
      const fail = await copyOf(opened.connection, opened.shards.names[1]?.tag as string);
      await opened.generation.finishBuilding?.();
      await fail();
      const built = async () => (await opened.shards.states(['building'])).map(([one]) => one);
      expect(await built()).toEqual(['0', '4', '0', '0']);
      await Share.take(opened.generation);
      expect(await built()).toEqual(['0', '0', '0', '0']);
      expect(await rowsOf(opened.generation, entries)).toHaveLength(25);
    });

    test('of more than the others keep makes the generation lost', async () => {
      const opened = await openSample(url, { shards });
      const share = await Share.take(opened.generation);
      await share.commit(...changesOf(1));
      const fail = await copyOf(opened.connection, opened.shards.names[2]?.tag as string);
      await share.commit(...changesOf(2));
      await opened.generation.purge?.();
      await share.commit(...changesOf(3));
      await fail();
      const taken = Share.take(opened.generation);
      await expect(taken).rejects.toThrow(StoreLostError);
      expect(await opened.generation.present()).toBe(false);
      expect(await opened.store.open(1)).toBe('lost');
    });

    test('that lost a shard altogether makes it lost', async () => {
      const opened = await openSample(url, { shards });
      const { tag } = opened.shards.names[3] as { tag: string };
      for (const key of await keysUnder(opened.connection, tag)) {
        await opened.connection.call('UNLINK', key);
      }
      expect(await opened.generation.present()).toBe(false);
      await expect(opened.generation.checkpoint()).rejects.toThrow(StoreLostError);
      expect(await opened.store.open(1)).toBe('lost');
    });
  });

  test('what is kept of the past is bounded, and forgotten by a purge', async () => {
    const opened = await openSample(url, { shards: 2 });
    const share = await Share.take(opened.generation);
    await share.commit(putEntry(entry('b', 'ann', 1, 'A name of before')));
    await share.commit(putEntry(entry('b', 'ann', 1, 'A name of now')));
    const holds = async (text: string) =>
      (await contentUnder(opened.connection, opened.prefix)).some((one) => one.includes(text));
    expect(await holds('A name of before')).toBe(true);
    const snapshot = await opened.generation.snapshot();
    expect(await opened.generation.purge?.()).toBe('blocked');
    await snapshot.close();
    expect(await opened.generation.purge?.()).toBe('purged');
    expect(await holds('A name of before')).toBe(false);
    expect(await holds('A name of now')).toBe(true);
    await share.commit(putEntry(entry('b', 'ann', 2)));

    for (let n = 0; n < 6; n += 1) {
      const name = String(n).repeat(limits.undoBytesMax / 4);
      await share.commit(putEntry(entry('b', 'long', n, name)));
    }
    const lengths = await Promise.all(
      opened.shards.names.map(({ tag }) => opened.connection.call('LLEN', `${tag}undo:0`)),
    );
    expect(Math.min(...lengths.map(Number))).toBeLessThan(6);
    const bytes = await opened.shards.states(['undo:0']);
    for (const [kept] of bytes) expect(Number(kept)).toBeLessThanOrEqual(limits.undoBytesMax);
  });
});
