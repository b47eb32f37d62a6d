import { readFileSync } from 'node:fs';
import { systemClock } from '@annals/core';
import { expect, onTestFinished, test } from 'vitest';
import { liveReader, sqliteProjectionStore } from './index.ts';
import { temporaryFolder } from './testing/built-generation.ts';

test('the example of the README', async () => {
  const folder = temporaryFolder();
  // The README's block begins here.
  const clock = systemClock;
  const store = sqliteProjectionStore({ folder, projection: 'leaderboard', clock });
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
  const row = (player: string, score: number) => ({ board: 'chess', player, score });
  const change = (player: string, score: number) => ({
    table: 'scores',
    key: ['chess', player],
    row: row(player, score),
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

  // The reader's side, in any thread or process.
  const live = liveReader({
    folder,
    projection: 'leaderboard',
    liveGeneration: () => generation.spec,
    clock,
  });
  await live.waitFor({ 0: '0000000000000003' }, { timeoutMs: 5_000 });
  const now = live.current();
  if (now.kind !== 'ready') throw new Error(now.kind);
  const rank = now.reader.read((tx) => {
    const scored = tx.get<{ score: number }>(
      'SELECT score FROM scores WHERE board = ? AND player = ?',
      'chess',
      'cid',
    );
    return scored && 1 + tx.ranked('scores', ['chess']).countAbove(scored.score);
  });
  // rank is 3
  // The README's block ends here.
  expect(rank).toBe(3);
  onTestFinished(async () => {
    live.close();
    await store.close();
  });
});

test('the README shows this example', () => {
  const here = readFileSync(new URL(import.meta.url), 'utf8');
  const readme = readFileSync(new URL('./README.md', import.meta.url), 'utf8');
  const block = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
  const marked = /block begins here\.\n([\s\S]*?) *\/\/ The README's block ends here/.exec(
    here,
  )?.[1];
  const shown = marked?.replaceAll(/^ {2}/gm, '').replaceAll(/^\/\/ rank.*\n/gm, '');
  expect(shown).toBeTruthy();
  expect(block?.replaceAll(/^\/\/ rank.*\n/gm, '')).toBe(shown);
});
