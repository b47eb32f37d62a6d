import { randomUUID } from 'node:crypto';
import { describeOn } from '@annals/core/testing';
import { onTestFinished, test, vi } from 'vitest';
import { olderProjectorTells } from './testing/newer-program.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

// Two programs start, and a rebuild runs, on a busy machine.
vi.setConfig({ testTimeout: 180_000 });

await describeOn('redis', 'A projector of an older version, on Redis', ({ url }) => {
  test('says that the live generation is not followed: log, readiness, metrics, status', async () => {
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    await olderProjectorTells({
      ANNALS_DATA: folder.path,
      ANNALS_LEADERBOARD_STORE: `${url}?prefix=test-${randomUUID()}`,
    });
  });
});
