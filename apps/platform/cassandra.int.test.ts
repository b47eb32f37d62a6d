import { randomBytes } from 'node:crypto';
import { describeOn } from '@annals/core/testing';
import { connectCassandra } from '@annals/store-cassandra';
import { expect, onTestFinished, test, vi } from 'vitest';
import { adminKey } from './testing/open-platform.ts';
import { runCommand, startProcess } from './testing/platform-process.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

await describeOn('cassandra', 'The platform with its board in Cassandra', (engine) => {
  test('scores, ranks, verifies, rebuilds, and says what is lost', async () => {
    const [address, settings] = engine.url.split('?') as [string, string];
    const keyspace = `annals_test_${randomBytes(6).toString('hex')}`;
    const place = `${address}/${keyspace}?${settings}&replicas=1`;
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const env = {
      ANNALS_DATA: folder.path,
      ANNALS_LEADERBOARD_STORE: `${place}&buckets=4&order-shards=2`,
      ANNALS_MASTER_KEY: 'ab'.repeat(32),
      ANNALS_ADMIN_KEY: adminKey,
      ANNALS_LOG_LEVEL: 'silent',
    };
    const platform = await startProcess(folder.path, env);
    onTestFinished(async () => {
      await platform.kill('SIGTERM');
    });
    const cassandra = await connectCassandra(place);
    onTestFinished(async () => {
      await cassandra.schema(`DROP KEYSPACE IF EXISTS ${keyspace}`);
      await cassandra.close();
    }, 120_000);
    for (const [n, user_id] of ['ann', 'bob', 'cid', 'ann'].entries()) {
      const body = { user_id, points: 1 + (n % 3), match_id: `m${n}` };
      // 202: it is stored, and not in the read model yet.
      expect([200, 202]).toContain((await platform.call('POST /v1/scores', { body })).status);
    }
    const read = () => platform.call('GET /v1/scores/bob');
    await until('the scores in the read model', async () => {
      const { status, body } = await read();
      if (status !== 200) return undefined;
      return body.user_info.rank === 2 && body.user_info.score === 2 ? true : undefined;
    });
    for (const operation of ['rebuild', 'verify', 'promote']) {
      const { code, err } = await runCommand([operation, 'leaderboard'], env);
      expect({ operation, code, err: code === 0 ? '' : err }).toEqual({
        operation,
        code: 0,
        err: '',
      });
    }
    expect((await read()).body.user_info).toMatchObject({ rank: 2, score: 2 });
    await cassandra.execute(`TRUNCATE ${keyspace}.annals_generations`);
    await cassandra.execute(`TRUNCATE ${keyspace}.annals_applied`);
    const lost = await until('a read that says what is lost', async () => {
      const answer = await read();
      return answer.status === 503 ? answer : undefined;
    });
    expect(lost.body.detail).toContain('npx annals rebuild leaderboard');
  });
});
