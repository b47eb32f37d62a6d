import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { dataLayout } from '@annals/projector';
import { expect, it, onTestFinished } from 'vitest';
import { startPlatform } from './start.ts';
import { callOn, testConfig } from './testing/open-platform.ts';
import { operate } from './testing/operate.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

async function start(whenLost: 'refuse' | 'serve-older') {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  const config = testConfig(folder.path, { ANNALS_WHEN_LOST: whenLost });
  const platform = await startPlatform(config, {
    ...{ checkResponses: true, readableMsMax: 30_000, visibleMsMax: 20_000 },
  });
  onTestFinished(() => platform.stop());
  const asked = callOn(platform);
  const call = (route: string, body?: object) => asked(route, { body });
  const score = (match_id: string, points: number) =>
    call('POST /v1/scores', { user_id: 'ann', points, match_id });
  const promoteAnother = async () => {
    for (const [act, done] of [
      ['rebuild', 'rebuilt'],
      ['promote', 'promoted'],
    ] as const) {
      expect(await operate(folder.path, act)).toBe(done);
    }
  };
  /** The files of the generation go, as with a disk or a server that is replaced. */
  const lose = async (generation: number) => {
    const file = join(dataLayout(folder.path).projections, 'leaderboard', `g${generation}.sqlite`);
    for (const more of ['', '-wal', '-shm']) await rm(`${file}${more}`, { force: true });
  };
  return { call, score, promoteAnother, lose };
}

const routesThatRead = [
  ['GET /v1/scores'],
  ['GET /v1/scores/ann'],
  ['GET /v1/scores/ann/history'],
  ['POST /v1/scores/ranks', { user_ids: ['ann'] }],
] as const;

it('once the live generation is lost the one before it answers, and says so, until it is repaired', async () => {
  const { call, score, promoteAnother, lose } = await start('serve-older');
  expect((await score('m1', 3)).body).toMatchObject({ total: 3 });
  await promoteAnother();
  expect((await call('GET /v1/scores')).body).not.toHaveProperty('stale');
  await lose(2);
  await until('a stale answer', async () =>
    (await call('GET /v1/scores')).body.stale ? true : undefined,
  );
  // The projector follows it: it is behind nothing that was written meanwhile.
  const written = await score('m2', 4);
  expect(written).toMatchObject({ status: 200, body: { total: 7 } });
  for (const [route, payload] of routesThatRead) {
    const [method, path] = route.split(' ');
    const asked = `${method} ${path}?min-position=${written.body.position}`;
    expect(await call(asked, payload), route).toMatchObject({
      ...{ status: 200, body: { stale: true } },
    });
  }
  expect((await call('GET /v1/scores/ann')).body.user_info).toMatchObject({ score: 7, rank: 1 });
  expect((await call('GET /readyz')).body).toMatchObject({ status: 'degraded' });

  await promoteAnother();
  const repaired = await until('an answer of the live one', async () => {
    const { body } = await call('GET /v1/scores/ann');
    return body.user_info && !body.stale ? body : undefined;
  });
  expect(repaired.user_info).toMatchObject({ score: 7 });
  expect((await call('GET /readyz')).body).toMatchObject({ status: 'ready' });
}, 120_000);

it('where all are lost, or unless it is set, reads are refused', async () => {
  const lost = { status: 503, body: { code: 'read-model-lost' } };
  const older = await start('serve-older');
  await older.score('m1', 3);
  await older.lose(1);
  await until('a refusal', async () =>
    (await older.call('GET /v1/scores')).status === 503 ? true : undefined,
  );
  expect(await older.call('GET /v1/scores')).toMatchObject(lost);

  const refusing = await start('refuse');
  await refusing.score('m1', 3);
  await refusing.promoteAnother();
  await refusing.lose(2);
  await until('a refusal', async () =>
    (await refusing.call('GET /v1/scores')).status === 503 ? true : undefined,
  );
  expect(await refusing.call('GET /v1/scores')).toMatchObject(lost);
}, 120_000);
