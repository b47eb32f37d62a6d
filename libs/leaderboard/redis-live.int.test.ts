import { randomBytes } from 'node:crypto';
import { systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import { memoryEventLog } from '@annals/event-log';
import {
  generationDirectory,
  type Operation,
  promote,
  rebuild,
  runProjector,
  verify,
} from '@annals/projection';
import { type RedisLiveReader, redisLiveReader, redisProjectionStore } from '@annals/store-redis';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, onTestFinished, test } from 'vitest';
import { followBoards } from './board-directory.ts';
import { leaderboardEvents } from './events.ts';
import { scoreInputSchema } from './input.ts';
import { leaderboardProjection } from './projections/leaderboard.ts';
import { NaiveLeaderboard } from './read-model/naive.ts';
import { redisLeaderboardReadModel } from './read-model/redis.ts';
import { Leaderboard } from './service.ts';
import { categories } from './streams.ts';
import { remoteReadsOf } from './testing/remote-reads.ts';

const projection = leaderboardProjection;

/** One process with API and projector: the twin's log, and the read model in Redis. */
async function start(url: string, shards: number, workers: number) {
  const held = new AsyncDisposableStack();
  onTestFinished(() => held.disposeAsync());
  const stop = new AbortController();
  const { signal } = stop;
  const clock = systemClock;
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  const log = memoryEventLog({ partitions: 3 });
  held.defer(() => log.close());
  const keys = memorySubjectKeyStore();
  const cipher = subjectCipher(keys);
  const directory = generationDirectory(log, { signal, clock });
  const where = { url, prefix, projection: projection.name, clock };
  const store = redisProjectionStore({ ...where, shards });
  held.defer(async () => {
    for (const generation of [1, 2]) await store.drop(generation);
    await store.close();
  });
  const live = redisLiveReader({
    ...where,
    liveGeneration: () => directory.live(projection.name),
  });
  held.defer(async () => live.close());
  const boards = followBoards({ log, cipher, clock });
  held.defer(() => boards.close());
  const readModel = redisLeaderboardReadModel(remoteReadsOf(live));
  const projector = runProjector({
    ...{ log, cipher, directory, clock, signal },
    projections: [projection],
    storeFor: () => store,
    holder: 'first',
    workersOfFirst: () => workers,
  });
  held.defer(async () => {
    stop.abort();
    await projector.done;
  });
  await directory.ready();
  await ready(live);
  const means = { log, cipher, keys, clock, readModel, boards, visibleMsMax: 20_000 };
  const leaderboard = new Leaderboard(means);
  await leaderboard.ensureDefaultBoard();
  const operation: Operation = {
    ...{ log, store, projection, cipher, clock, directory },
    holder: 'operator',
  };
  return { leaderboard, log, operation, store };
}

async function ready(live: RedisLiveReader): Promise<void> {
  await expect.poll(async () => (await live.current()).kind, { timeout: 20_000 }).toBe('ready');
}

const whole = { limit: 1_000, offset: 0 } as const;

function describeLive(url: string): void {
  test.each([
    [1, 1],
    [8, 1],
    [3, 2],
  ])(
    'live, rebuilt and naive are one (shards: %i, workers: %i)',
    async (shards, workers) => {
      const { leaderboard, log, operation } = await start(url, shards, workers);
      const scoreOf = (n: number) =>
        scoreInputSchema.parse({
          ...{ user_id: `user-${(n * 7) % 41}`, points: (n * 13) % 5, match_id: `m${n}` },
        });
      for (let n = 0; n < 10; n += 1) {
        const result = await leaderboard.recordScore(scoreOf(n));
        expect(result).toMatchObject({ kind: 'recorded', total: (n * 13) % 5 });
      }
      const batch = await leaderboard.recordScores(
        Array.from({ length: 500 }, (_, n) => scoreOf(n + 10)),
      );
      expect(batch).toMatchObject({ kind: 'batch' });
      await leaderboard.putPlayer('user-3', { name: 'Three' });
      const erased = await leaderboard.erasePlayer('user-4');
      const minPosition = (erased as { position: string }).position;
      const before = await leaderboard.top({ ...whole, minPosition });

      expect(await rebuild({ ...operation, workers: 2 })).toMatchObject({ kind: 'rebuilt' });
      const writing = leaderboard.recordScores(
        Array.from({ length: 300 }, (_, n) => scoreOf(n + 600)),
      );
      const verified = await verify(operation);
      expect(verified).toMatchObject({ kind: 'verified', differences: [], problems: [] });
      await writing;
      expect(await promote(operation)).toMatchObject({ kind: 'promoted' });
      const last = await leaderboard.recordScore(scoreOf(2_000));
      const after = await leaderboard.top({
        ...whole,
        minPosition: (last as { position: string }).position,
      });

      const naive = new NaiveLeaderboard();
      const { events } = await log.read('start', { categories }, { limit: 10_000 });
      for (const event of await leaderboardEvents.decode(events, operation.cipher)) {
        naive.apply(event);
      }
      if (before.kind !== 'answer' || after.kind !== 'answer') throw new Error(after.kind);
      const on = { board: 'default', period: after.period, order: 'desc' } as const;
      const expected = await naive.top({ ...on, ...whole, ties: 'standard' });
      expect(before.rows).toHaveLength(41);
      expect(after.rows).toEqual('rows' in expected && expected.rows);
    },
    60_000,
  );
}

await describeOn('redis', 'The service over Redis', ({ url }) => describeLive(url));

await describeOn('redis-cluster', 'The service over a Redis Cluster', ({ url }) => {
  describeLive(url);
});
