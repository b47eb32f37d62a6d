import { systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import { at, entry, putEntry, Share, sampleSpec } from '@annals/projection/contract';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import { cassandraLiveReader, cassandraProjectionStore } from './index.ts';
import { TestKeyspace, testLayout } from './testing/site.ts';

vi.setConfig({ testTimeout: 120_000 });

/** A statement that was sent is not known to be lost. */
const away = { code: expect.stringMatching(/^(?:unreachable|unknown-outcome)$/) };

await describeOn(
  'cassandra',
  'A Cassandra that hangs',
  (engine) => {
    const keyspace = new TestKeyspace(engine.url);
    // The engine goes with all that is in it.
    afterAll(async () => (await keyspace.connection()).close());

    test('is away for reads and late for who waits, and answers at once when it goes on', async () => {
      const projection = 'sample';
      const store = cassandraProjectionStore({
        ...{ cassandra: await keyspace.connection(), projection, clock: systemClock },
        ...testLayout,
      });
      await store.create(sampleSpec);
      const generation = await store.open(1);
      if (generation === 'lost') throw new Error('lost');
      const share = await Share.take(generation);
      await share.commit(putEntry(entry('b', 'ann', 1)));
      await generation.finishBuilding?.();
      const openLive = () => {
        const live = cassandraLiveReader({
          ...{ cassandra: keyspace.url, projection, clock: systemClock },
          ...{ liveGeneration: () => sampleSpec, answerMsMax: 1_000 },
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
        return { live, read };
      };
      const { live, read } = openLive();
      expect(await read()).toBe(1);

      await engine.act('pause', 1);
      await expect(read()).rejects.toMatchObject(away);
      const waited = [0, 100, 20_000].map((timeoutMs) => live.waitFor(at(2), { timeoutMs }));
      const outcomes = await Promise.allSettled(waited);
      expect(outcomes[1]).toMatchObject({ value: 'timeout' });
      // Whoever waits longer than Cassandra may take is told that it is away.
      expect(outcomes[2]).toMatchObject({ reason: away });
      // Nobody has opened the generation yet: that is not waited for either.
      await expect(openLive().read()).rejects.toMatchObject(away);

      await engine.act('resume', 1);
      expect(await read()).toBe(1);
      expect(await live.waitFor(at(1), { timeoutMs: 20_000 })).toBe('reached');
      await share.commit(putEntry(entry('b', 'ann', 2)));
      expect(await read()).toBe(2);
    });
  },
  { label: 'cassandra-hangs' },
);
