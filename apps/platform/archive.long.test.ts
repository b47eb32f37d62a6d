import { randomUUID } from 'node:crypto';
import { describeOn, engine } from '@annals/core/testing';
import { expect, test } from 'vitest';
import { archiveStory } from './testing/archive-story.ts';
import { cassandraPlace } from './testing/cassandra-place.ts';

const redis = await engine('redis');

await describeOn('cassandra', 'The archive of a leaderboard in Redis', (cassandra) => {
  test('takes closed periods to Cassandra, and every answer over HTTP stays', async ({ skip }) => {
    expect.hasAssertions();
    if (redis.kind === 'missing') {
      if (process.env.ENGINES === 'required') throw new Error(redis.reason);
      return skip(redis.reason);
    }
    await archiveStory({
      store: `${redis.engine.url}?shards=2&prefix=test-${randomUUID()}`,
      archive: cassandraPlace(cassandra.url),
    });
  }, 180_000);
});
