import { systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import { at, entry, putEntry, Share, sampleSpec } from '@annals/projection/contract';
import { expect, onTestFinished, test } from 'vitest';
import { redisLiveReader, redisProjectionStore } from './index.ts';
import { ownPrefix } from './testing/opened.ts';

await describeOn(
  'redis',
  'A Redis that hangs',
  (engine) => {
    const { url } = engine;

    test('is away for reads and late for who waits, and answers at once when it goes on', async () => {
      const where = { url, projection: 'sample', prefix: ownPrefix(), clock: systemClock };
      const store = redisProjectionStore({ ...where, shards: 2 });
      onTestFinished(() => store.close());
      await store.create(sampleSpec);
      const generation = await store.open(1);
      if (generation === 'lost') throw new Error('lost');
      const share = await Share.take(generation);
      await share.commit(putEntry(entry('b', 'ann', 1)));
      await generation.finishBuilding?.();
      const live = redisLiveReader({
        ...where,
        liveGeneration: () => sampleSpec,
        answerMsMax: 1_000,
      });
      onTestFinished(() => live.close());
      const read = async () => {
        const current = await live.current();
        if (current.kind !== 'ready') return current.kind;
        const { value } = await current.reader.read((reads) =>
          reads.load([{ table: 'entries', key: ['b', 'ann'] }]),
        );
        return value[0]?.score;
      };
      expect(await read()).toBe(1);

      await engine.act('pause', 1);
      const away = { code: 'unreachable', message: expect.stringContaining(url) };
      await expect(read()).rejects.toMatchObject(away);
      const waited = [0, 100, 2_000].map((timeoutMs) => live.waitFor(at(2), { timeoutMs }));
      const outcomes = await Promise.allSettled(waited);
      expect(outcomes[1]).toMatchObject({ value: 'timeout' });
      // Whoever waits longer than Redis may take is told that it is away.
      expect(outcomes[2]).toMatchObject({ reason: away });

      await engine.act('resume', 1);
      expect(await read()).toBe(1);
      expect(await live.waitFor(at(1), { timeoutMs: 5_000 })).toBe('reached');
      await share.commit(putEntry(entry('b', 'ann', 2)));
      expect(await read()).toBe(2);
    });
  },
  { label: 'redis-hangs' },
);
