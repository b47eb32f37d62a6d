import { randomUUID } from 'node:crypto';
import { describeOn } from '@annals/core/testing';
import { expect, test } from 'vitest';
import { archiveStory } from './testing/archive-story.ts';

await describeOn('redis', 'The archive of a leaderboard in Redis', ({ url }) => {
  test('takes closed periods out of Redis, and every answer over HTTP stays', async () => {
    expect.hasAssertions();
    await archiveStory({ store: `${url}?shards=2&prefix=test-${randomUUID()}` });
  }, 120_000);
});
