import { randomUUID } from 'node:crypto';
import { describeOn, type Engine, type EngineName } from '@annals/core/testing';
import { siteConfigOf } from '@annals/projector';
import { expect, onTestFinished, test } from 'vitest';
import { configSchema } from './config.ts';
import { startPlatform } from './start.ts';
import { adminKey, callOn } from './testing/open-platform.ts';
import { operate } from './testing/operate.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';
import { watchBoard } from './testing/watch-board.ts';

/** A store on each engine that the leaderboard can be read from, under a name that nobody else has. */
const stores: readonly (readonly [EngineName, (engine: Engine) => string])[] = [
  ['redis', ({ url }) => `${url}?shards=2&prefix=test-${randomUUID()}`],
  ['redis-cluster', ({ url }) => `${url}&shards=2&prefix=test-${randomUUID()}`],
  [
    'cassandra',
    ({ url }) => {
      const [address, query] = url.split('?');
      const keyspace = `annals_test_${randomUUID().slice(0, 8)}`;
      return `${address}/${keyspace}?${query}&replicas=1&buckets=4&order-shards=2`;
    },
  ],
];

for (const [name, storeOn] of stores) {
  await describeOn(name, `The platform with its read models on ${name}`, (engine) => {
    test('writes, reads, watches and rebuilds like on any other store', async () => {
      const folder = await temporaryFolder();
      onTestFinished(() => folder.remove());
      const config = configSchema.parse({
        ...{ PORT: '0', ANNALS_DATA: folder.path, ANNALS_ADMIN_KEY: adminKey },
        ...{ ANNALS_LOG_LEVEL: 'silent', ANNALS_LEADERBOARD_STORE: storeOn(engine) },
      });
      const platform = await startPlatform(config, {
        ...{ checkResponses: true, readableMsMax: 60_000, visibleMsMax: 30_000 },
      });
      onTestFinished(() => platform.stop());
      const asked = callOn(platform);
      const call = (route: string, body?: object) => asked(route, { body });

      const watched = await watchBoard(`${platform.url}/v1/leaderboards/default/live?top=2`);
      onTestFinished(() => watched.close());
      await call('PUT /v1/players/ann', { name: 'Ann' });
      for (let match = 1; match <= 9; match += 1) {
        const score = { user_id: match % 3 ? 'ann' : 'bob', points: match, match_id: `m${match}` };
        expect(await call('POST /v1/scores', score)).toMatchObject({ status: 200 });
      }
      const board = [
        { user_id: 'ann', user_name: 'Ann', score: 27, rank: 1 },
        { user_id: 'bob', user_name: null, score: 18, rank: 2 },
      ];
      expect((await call('GET /v1/scores')).body.data).toMatchObject(board);

      await watched.event('the board as it changed', ({ data }) =>
        JSON.stringify(data).includes('"score":27'),
      );

      const site = siteConfigOf(config);
      for (const [operation, done] of operations) expect(await operate(site, operation)).toBe(done);
      await until('the rebuilt board', async () => {
        const { status, body } = await call('GET /v1/scores');
        return status === 200 && body.data.length === 2 ? true : undefined;
      });
      expect((await call('GET /v1/scores')).body.data).toMatchObject(board);
      expect((await call('GET /readyz')).body).toMatchObject({ status: 'ready' });
    }, 240_000);
  });
}

const operations = [
  ['rebuild', 'rebuilt'],
  ['verify', 'verified'],
  ['promote', 'promoted'],
] as const;
