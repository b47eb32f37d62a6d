import { randomBytes } from 'node:crypto';
import { systemClock } from '@annals/core';
import { describeOn, engine } from '@annals/core/testing';
import { promote, rebuild, verify } from '@annals/projection';
import {
  cassandraLiveReader,
  cassandraProjectionStore,
  connectCassandra,
} from '@annals/store-cassandra';
import { redisLiveReader, redisProjectionStore } from '@annals/store-redis';
import { expect, onTestFinished, test } from 'vitest';
import { scoreInputSchema } from '../input.ts';
import { leaderboardArchiveProjection, leaderboardProjection } from '../projections/leaderboard.ts';
import { cassandraLeaderboardReadModel } from '../read-model/cassandra.ts';
import type { LeaderboardReadModel } from '../read-model/port.ts';
import { redisLeaderboardReadModel } from '../read-model/redis.ts';
import { archivedLeaderboard, type StorePlace } from '../testing/archived-leaderboard.ts';
import { remoteReadsOf } from '../testing/remote-reads.ts';

const clock = systemClock;

function redisPlace(url: string): StorePlace {
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  return {
    store: ({ name: projection }) => {
      const store = redisProjectionStore({ url, projection, clock, prefix, shards: 2 });
      onTestFinished(async () => {
        const own = redisProjectionStore({ url, projection, clock, prefix });
        for (const generation of [1, 2]) await own.drop(generation);
        await own.close();
      });
      return store;
    },
    reads: ({ name: projection }, liveGeneration) => {
      const live = redisLiveReader({ url, projection, prefix, liveGeneration, clock });
      return {
        readModel: redisLeaderboardReadModel(remoteReadsOf(live)),
        isReady: async () => (await live.current()).kind === 'ready',
        close: async () => live.close(),
      };
    },
  };
}

async function cassandraPlace(engineUrl: string): Promise<StorePlace> {
  const [address, settings] = engineUrl.split('?') as [string, string];
  const keyspace = `annals_test_${randomBytes(6).toString('hex')}`;
  const cassandra = await connectCassandra(`${address}/${keyspace}?${settings}&replicas=1`);
  onTestFinished(async () => {
    await cassandra.schema(`DROP KEYSPACE IF EXISTS ${keyspace}`);
    await cassandra.close();
  }, 120_000);
  return {
    store: ({ name: projection }) =>
      cassandraProjectionStore({ cassandra, projection, clock, buckets: 8, orderShards: 3 }),
    reads: ({ name: projection }, liveGeneration) => {
      const live = cassandraLiveReader({ cassandra, projection, liveGeneration, clock });
      return {
        readModel: cassandraLeaderboardReadModel(remoteReadsOf(live)),
        isReady: async () => (await live.current()).kind === 'ready',
        close: () => live.close(),
      };
    },
  };
}

const board = 'cup';
const on = { board, period: '2026-01', order: 'desc' } as const;

/** Pages, ranks and neighbours of the closed period. */
async function answers(readModel: LeaderboardReadModel): Promise<unknown[]> {
  const page = { ...on, ties: 'standard' } as const;
  const asked = await Promise.all([
    readModel.top({ ...page, limit: 1_000, offset: 0 }),
    readModel.top({ ...page, limit: 20, offset: 350 }),
    readModel.standing({ ...page, userId: 'u123', around: 4 }),
    readModel.standing({ ...page, userId: 'nobody', around: 4 }),
    readModel.ranks({ ...page, ties: 'dense', userIds: ['u1', 'u7', 'u300'] }),
  ]);
  return asked.map((answer) => {
    if (answer.kind === 'lost') throw new Error('lost');
    const { asOf: _, exact: __, ...rest } = answer;
    return rest;
  });
}

const redis = await engine('redis');

await describeOn('cassandra', 'From Redis to Cassandra', (cassandra) => {
  test('a closed period moves, answers as before, and both are rebuilt', async ({ skip }) => {
    if (redis.kind === 'missing') {
      if (process.env.ENGINES === 'required') throw new Error(redis.reason);
      return skip(redis.reason);
    }
    const places = {
      hot: redisPlace(redis.engine.url),
      archive: await cassandraPlace(cassandra.url),
    };
    const opened = await archivedLeaderboard(places);
    onTestFinished(() => opened.close());
    const { leaderboard } = opened;
    await leaderboard.putBoard(board, { operator: 'best', order: 'desc', reset: 'monthly' });
    const inputs = Array.from({ length: 500 }, (_, n) =>
      scoreInputSchema.parse({
        ...{
          leaderboard: board,
          user_id: `u${n % 400}`,
          match_id: `m${n}`,
          points: (n * 37) % 90,
        },
        occurred_at: '2026-01-10T12:00:00Z',
      }),
    );
    await leaderboard.recordScores(inputs);
    await leaderboard.putPlayer('u7', { name: 'Seven' });
    await leaderboard.closePeriod(board, on.period);
    await opened.settled();
    const naive = await answers(await opened.naive());
    expect(await answers(opened.readModel)).toEqual(naive);
    expect(await opened.archive()).toEqual([
      { board, period: on.period, kind: 'archived', players: 400, letGo: 400 },
    ]);
    await opened.settled();
    expect(await opened.hot.top({ ...on, limit: 5, offset: 0, ties: 'standard' })).toMatchObject({
      ...{ rows: [], players: 0 },
    });
    expect(await answers(opened.readModel)).toEqual(naive);
    for (const projection of [leaderboardProjection, leaderboardArchiveProjection]) {
      const operation = opened.operation(projection);
      expect(await rebuild(operation)).toMatchObject({ kind: 'rebuilt' });
      expect(await verify(operation)).toMatchObject({
        ...{ kind: 'verified', differences: [], problems: [] },
      });
      expect(await promote(operation)).toMatchObject({ kind: 'promoted' });
    }
    expect(await answers(opened.readModel)).toEqual(naive);
  }, 120_000);
});
