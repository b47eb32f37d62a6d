import { describeOn } from '@annals/core/testing';
import { describeKills, describeProjectionStore } from '@annals/projection/contract';
import { describe } from 'vitest';
import { sampleSite } from './testing/sample-site.ts';

const kills = 20;

await describeOn('redis', 'On one server', ({ url }) => {
  describe('the Redis store (shards: 1)', () => {
    describeKills({ site: async (clock) => sampleSite(url, 1, clock), kills });
  });
  describe('the Redis store (shards: 4, by score)', () => {
    describeKills({ site: async (clock) => sampleSite(url, 4, clock, 'range'), kills });
  });
});

await describeOn('redis-cluster', 'On a cluster', ({ url }) => {
  describe('the Redis store (shards: 8)', () => {
    describeKills({ site: async (clock) => sampleSite(url, 8, clock), kills });
  });
  describeProjectionStore('the Redis store (shards: 4, by score)', {
    site: async (clock) => sampleSite(url, 4, clock, 'range'),
    kills,
  });
});
