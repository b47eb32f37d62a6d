import { describeOn } from '@annals/core/testing';
import { describeLeaderboardReadModel } from '../contract/index.ts';
import { redisSite } from '../testing/redis-site.ts';

await describeOn('redis', 'On one server', ({ url }) => {
  describeLeaderboardReadModel('Redis (1 shard)', {
    ...{ site: () => redisSite(url, 1), propertyRuns: 10 },
  });
  describeLeaderboardReadModel('Redis range (8 shards)', {
    ...{ site: () => redisSite(url, 8, 'range'), propertyRuns: 10 },
  });
});

await describeOn('redis-cluster', 'On a cluster', ({ url }) => {
  describeLeaderboardReadModel('Redis (8 shards)', {
    ...{ site: () => redisSite(url, 8), propertyRuns: 6 },
  });
});
