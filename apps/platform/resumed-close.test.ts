import { idFromKey } from '@annals/core';
import { boardStream, leaderboardEvents } from '@annals/leaderboard';
import { openEmbedded } from '@annals/projector';
import { expect, it, vi } from 'vitest';
import { openPlatform } from './testing/open-platform.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

vi.setConfig({ testTimeout: 120_000 });

it('a close that was cut off right after it began is finished by the next start', async () => {
  const data = await temporaryFolder();
  await (await openPlatform({ folder: data.path })).stop();

  const board = 'default';
  const period = '2020-01';
  const embedded = await openEmbedded({ dataFolder: data.path });
  const started = await leaderboardEvents.encode(
    [
      {
        type: 'period-close-started',
        id: idFromKey('period-close-started', board, period),
        occurredAt: Date.now(),
        data: { board, period },
      },
    ],
    embedded.cipher,
  );
  if (started.kind !== 'encoded') throw new Error(started.kind);
  await embedded.log.append(boardStream(board), started.events, { expected: 'exists' });
  await embedded.close();

  const platform = await openPlatform({ folder: data.path });
  let match = 0;
  await until('the close', async () => {
    match += 1;
    const { status, body } = await platform.call('POST /v1/scores', {
      body: {
        user_id: `p${match}`,
        points: 1,
        match_id: `m${match}`,
        occurred_at: '2020-01-15T00:00:00Z',
      },
    });
    return (status === 409 && body.code === 'period-closed') || undefined;
  });
  const again = await platform.call(`POST /v1/leaderboards/${board}/periods/${period}/close`);
  expect(again.status).toBe(200);
  await platform.stop();
  await data.remove();
});
