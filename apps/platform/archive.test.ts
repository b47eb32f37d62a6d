import { expect, test } from 'vitest';
import { archiveStory } from './testing/archive-story.ts';

test('closed periods leave the read model for the archive, and every answer over HTTP stays', async () => {
  expect.hasAssertions();
  await archiveStory();
}, 120_000);
