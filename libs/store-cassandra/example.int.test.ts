import { readFileSync } from 'node:fs';
import { systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import { afterAll, expect, test } from 'vitest';
import { cassandraProjectionStore, connectCassandra, openGenerationReader } from './index.ts';
import { TestKeyspace } from './testing/site.ts';

await describeOn('cassandra', 'The README of the Cassandra store', (engine) => {
  const keyspace = new TestKeyspace(engine.url);
  afterAll(() => keyspace.drop(), 120_000);

  test('has an example that works', async () => {
    const { url } = keyspace;
    // The README's block begins here.
    const clock = systemClock;
    const cassandra = await connectCassandra(url);
    const store = cassandraProjectionStore({ cassandra, projection: 'leaderboard', clock });
    await store.create({
      id: '6f1c2a52-1f0d-5d0e-9b55-2a3d7c1e8f40',
      projection: 'leaderboard',
      version: 1,
      generation: 1,
      workers: 1,
      split: 'stream',
      tables: [
        {
          name: 'scores',
          columns: { board: 'text', player: 'text', score: 'integer' },
          key: ['board', 'player'],
          ranked: { group: ['board'], score: 'score' },
        },
      ],
    });

    // The projector's side: a lease, then batches of absolute rows with the checkpoint they lead to.
    const generation = await store.open(1);
    if (generation === 'lost') throw new Error('rebuild it from the log');
    const lease = await generation.acquire(0, 'projector-1', clock.now(), 10_000);
    if (lease.kind === 'busy') throw new Error(`${lease.holder} is at work`);
    const change = (player: string, score: number) => ({
      table: 'scores',
      key: ['chess', player],
      row: { board: 'chess', player, score },
    });
    await generation.commit({
      worker: 0,
      epoch: lease.epoch,
      from: lease.checkpoint,
      to: { 0: '0000000000000003' },
      after: lease.batches,
      tail: '',
      changes: [change('ann', 12), change('bob', 12), change('cid', 7)],
    });
    await generation.finishBuilding?.();

    // The reader's side, in any process.
    const reader = await openGenerationReader(cassandra, generation.spec);
    if (reader === 'lost') throw new Error('rebuild it from the log');
    const best = await reader.top('scores', ['chess'], 2); // ann and bob
    const rank = 1 + (await reader.countAbove('scores', ['chess'], 7)); // 3
    // The README's block ends here.
    expect(best.map(({ player }) => player)).toEqual(['ann', 'bob']);
    expect(rank).toBe(3);
    await store.close();
    await keyspace.connection();
    await cassandra.close();
  });
});

test('the README of the Cassandra store shows this example', () => {
  const here = readFileSync(new URL(import.meta.url), 'utf8');
  const readme = readFileSync(new URL('./README.md', import.meta.url), 'utf8');
  const block = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
  const marked = /block begins here\.\n([\s\S]*?) *\/\/ The README's block ends here/.exec(
    here,
  )?.[1];
  expect(marked).toBeTruthy();
  expect(block).toBe(marked?.replaceAll(/^ {4}/gm, ''));
});
