import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import { expect, onTestFinished, test } from 'vitest';
import { redisLiveReader, redisProjectionStore } from './index.ts';

await describeOn('redis', 'On one server', ({ url }) => {
  test('the example of the README', async () => {
    const prefix = `test-${randomBytes(6).toString('hex')}`;
    // The README's block begins here.
    const clock = systemClock;
    const projection = 'leaderboard';
    const store = redisProjectionStore({ url, prefix, projection, clock, shards: 8 });
    await store.create({
      id: '6f1c2a52-1f0d-5d0e-9b55-2a3d7c1e8f40',
      projection,
      version: 1,
      generation: 1,
      workers: 1,
      split: 'stream',
      tables: [
        {
          name: 'scores',
          columns: { board: 'text', player: 'text', score: 'integer', reached_at: 'integer' },
          key: ['board', 'player'],
          indexes: { best: ['board', 'score desc', 'reached_at', 'player'] },
          ranked: { group: ['board'], score: 'score' },
        },
      ],
    });

    // The projector's side: a lease, then batches of absolute rows with the checkpoint they lead to.
    const generation = await store.open(1);
    if (generation === 'lost') throw new Error('rebuild it from the log');
    const lease = await generation.acquire(0, 'projector-1', clock.now(), 10_000);
    if (lease.kind === 'busy') throw new Error(`${lease.holder} is at work`);
    const change = (player: string, score: number, reached_at: number) => ({
      table: 'scores',
      key: ['chess', player],
      row: { board: 'chess', player, score, reached_at },
    });
    await generation.commit({
      worker: 0,
      epoch: lease.epoch,
      from: lease.checkpoint,
      to: { 0: '0000000000000003' },
      after: lease.batches,
      tail: '',
      changes: [change('ann', 12, 1), change('bob', 12, 2), change('cid', 7, 3)],
    });
    await generation.finishBuilding?.();

    // The reader's side, in any process.
    const liveGeneration = () => generation.spec;
    const live = redisLiveReader({ url, prefix, projection, liveGeneration, clock });
    await live.waitFor({ 0: '0000000000000003' }, { timeoutMs: 5_000 });
    const now = await live.current();
    if (now.kind !== 'ready') throw new Error(now.kind);
    const { value, exact } = await now.reader.read(async (reads) => {
      const best = reads.order('scores', 'best', ['chess']);
      const { rows } = await best.page(0, 10);
      const { counts } = await best.counts([7]);
      return { first: rows[0]?.player, rank: 1 + (counts[0]?.before ?? 0) };
    });
    // value is { first: 'ann', rank: 3 }, and exact is true
    // The README's block ends here.
    onTestFinished(async () => {
      live.close();
      await store.drop(1);
      await store.close();
    });
    expect({ value, exact }).toEqual({ value: { first: 'ann', rank: 3 }, exact: true });
  });
});

test('the README shows this example', () => {
  const here = readFileSync(new URL(import.meta.url), 'utf8');
  const readme = readFileSync(new URL('./README.md', import.meta.url), 'utf8');
  const block = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
  const marked = /block begins here\.\n([\s\S]*?) *\/\/ The README's block ends here/.exec(
    here,
  )?.[1];
  const shown = marked?.replaceAll(/^ {4}/gm, '');
  expect(shown).toBeTruthy();
  expect(block).toBe(shown);
});
