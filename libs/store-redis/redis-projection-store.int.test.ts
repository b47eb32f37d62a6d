import { describeOn } from '@annals/core/testing';
import { describeProjectionStore } from '@annals/projection/contract';
import { sampleSite } from './testing/sample-site.ts';

await describeOn('redis', 'On one server', ({ url }) => {
  describeProjectionStore('the Redis store (shards: 1)', {
    site: async (clock) => sampleSite(url, 1, clock),
  });
  describeProjectionStore('the Redis store (shards: 4, by score)', {
    site: async (clock) => sampleSite(url, 4, clock, 'range'),
    // Each may wait ten seconds for a change of borders that was cut off.
    kills: 2,
  });
});

await describeOn('redis-cluster', 'On a cluster', ({ url }) => {
  describeProjectionStore('the Redis store (shards: 8)', {
    site: async (clock) => sampleSite(url, 8, clock),
  });
});
