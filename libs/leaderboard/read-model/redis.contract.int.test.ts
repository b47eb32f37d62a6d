import { randomBytes } from 'node:crypto';
import { systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import { redisLiveReader, redisProjectionStore } from '@annals/store-redis';
import {
  describeLeaderboardReadModel,
  historySpec,
  type ReadModelSite,
} from '../contract/index.ts';
import { leaderboardProjection } from '../projections/leaderboard.ts';
import { remoteReadsOf } from '../testing/remote-reads.ts';
import { redisLeaderboardReadModel } from './redis.ts';

const projection = leaderboardProjection.name;

async function site(
  url: string,
  shards: number,
  scheme: 'hash' | 'range' = 'hash',
): Promise<ReadModelSite> {
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  const clock = systemClock;
  // Boards of a few players are cut into ranges already.
  const layout = { shards, scheme, rangeRowsMin: 4 };
  const open = () => redisProjectionStore({ url, projection, clock, prefix, ...layout });
  const own = open();
  const live = redisLiveReader({
    url,
    projection,
    prefix,
    liveGeneration: () => historySpec,
    clock,
  });
  return {
    store: async () => open(),
    readModel: async () => redisLeaderboardReadModel(remoteReadsOf(live)),
    lose: () => own.drop(1),
    dispose: async () => {
      await own.drop(1);
      await own.close();
      live.close();
    },
  };
}

await describeOn('redis', 'On one server', ({ url }) => {
  describeLeaderboardReadModel('Redis (1 shard)', { site: () => site(url, 1), propertyRuns: 15 });
  describeLeaderboardReadModel('Redis (8 shards)', { site: () => site(url, 8), propertyRuns: 15 });
  describeLeaderboardReadModel('Redis range (8 shards)', {
    ...{ site: () => site(url, 8, 'range'), propertyRuns: 15 },
  });
});

await describeOn('redis-cluster', 'On a cluster', ({ url }) => {
  describeLeaderboardReadModel('Redis (1 shard)', { site: () => site(url, 1), propertyRuns: 10 });
  describeLeaderboardReadModel('Redis (8 shards)', { site: () => site(url, 8), propertyRuns: 10 });
  describeLeaderboardReadModel('Redis range (8 shards)', {
    ...{ site: () => site(url, 8, 'range'), propertyRuns: 4 },
  });
});
