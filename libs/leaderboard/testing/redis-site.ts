import { randomBytes } from 'node:crypto';
import { systemClock } from '@annals/core';
import { redisLiveReader, redisProjectionStore } from '@annals/store-redis';
import { historySpec, type ReadModelSite } from '../contract/index.ts';
import { leaderboardProjection } from '../projections/leaderboard.ts';
import { redisLeaderboardReadModel } from '../read-model/redis.ts';
import { remoteReadsOf } from './remote-reads.ts';

const projection = leaderboardProjection.name;

/** A prefix that nobody else has. */
export async function redisSite(
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
