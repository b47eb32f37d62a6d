import { describeOn, type Engine, engine } from '@annals/core/testing';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Cluster, clusterOn } from './testing/cluster.ts';
import type { Reply } from './testing/open-platform.ts';
import { tellRedis } from './testing/tell-redis.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

/** One API and one projector, with ten scores on the board. */
async function serving(kafka: Engine, redis: Engine): Promise<Cluster> {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  const cluster = clusterOn(kafka, redis, folder.path);
  onTestFinished(() => cluster.killAll());
  const [api] = cluster.apis;
  await Promise.all([api.start(), cluster.projectors[0].start()]);
  for (let match = 1; match <= 10; match += 1)
    expect((await write(cluster, match)).status).toBe(200);
  expect(await scoreIn(cluster)).toBe(10);
  return cluster;
}

/** Every write is one point for ann, and its match its key. */
async function write({ apis: [api] }: Cluster, match: number): Promise<Reply> {
  const body = { user_id: 'ann', points: 1, match_id: `m${match}` };
  const answer = await api.call('POST /v1/scores', { body });
  if (!answer) throw new Error('no answer');
  return answer;
}

const read = ({ apis: [api] }: Cluster) => api.call('GET /v1/scores/ann');

async function scoreIn(cluster: Cluster): Promise<number | undefined> {
  const answer = await read(cluster);
  return answer?.status === 200 ? answer.body.user_info.score : undefined;
}

const repair = 'npx annals rebuild leaderboard';

async function expectLost(cluster: Cluster): Promise<void> {
  const lost = await until('reads that say what is lost', async () => {
    const answer = await read(cluster);
    return answer?.status === 503 && String(answer.body.detail).includes('rebuild')
      ? answer
      : undefined;
  });
  expect(lost.body.detail).toContain(repair);
  const ready = await cluster.apis[0].call('GET /readyz');
  expect(ready).toMatchObject({ status: 200, body: { status: 'degraded' } });
}

async function rebuilt(cluster: Cluster): Promise<void> {
  for (const operation of ['rebuild', 'promote']) {
    const { code, err } = await cluster.annals(operation, 'leaderboard');
    expect({ operation, code, err: code === 0 ? '' : err }).toEqual({
      operation,
      code: 0,
      err: '',
    });
  }
}

const expectScore = (cluster: Cluster, score: number) =>
  until(`a score of ${score}`, async () => ((await scoreIn(cluster)) === score ? true : undefined));

/** The other engine of a suite is shared with other tests, and stays up. */
const others = { redis: await engine('redis'), kafka: await engine('kafka') } as const;

function other(name: 'redis' | 'kafka', context: { skip(reason: string): never }): Engine {
  const answer = others[name];
  if (answer.kind === 'running') return answer.engine;
  if (process.env.ENGINES === 'required') throw new Error(answer.reason);
  return context.skip(answer.reason);
}

const own = { label: 'platform-away' } as const;

await describeOn(
  'redis',
  'Redis is away',
  (redis) => {
    test('wiped while it is read: 503 with the command, which brings all back', async (context) => {
      const cluster = await serving(other('kafka', context), redis);
      expect(await tellRedis(redis, 'FLUSHALL')).toBe('+OK');
      await expectLost(cluster);
      expect(await write(cluster, 11)).toMatchObject({ status: 202, body: { total: null } });
      await rebuilt(cluster);
      await expectScore(cluster, 11);
      expect(await write(cluster, 11)).toMatchObject({ status: 200, body: { duplicate: true } });
      expect(await write(cluster, 12)).toMatchObject({ status: 200, body: { total: 12 } });
    });

    test('paused: reads are 503 and writes are taken, and the first read after it is right', async (context) => {
      const cluster = await serving(other('kafka', context), redis);
      const [api] = cluster.apis;
      await redis.act('pause', 1);
      const detail = expect.stringContaining('(Redis) does not answer');
      const unavailable = { status: 503, body: { code: 'unavailable', detail } };
      expect(await read(cluster)).toMatchObject(unavailable);
      expect(await write(cluster, 11)).toMatchObject({ status: 202, body: { total: null } });
      const erased = await api.call('DELETE /v1/players/bob');
      expect(erased).toMatchObject({ status: 202 });
      await redis.act('resume', 1);
      expect((await read(cluster))?.status).toBe(200);
      await expectScore(cluster, 11);
      expect(await write(cluster, 12)).toMatchObject({ status: 200, body: { total: 12 } });
    });

    test('killed, and empty when it is back: nothing is started again by hand', async (context) => {
      const cluster = await serving(other('kafka', context), redis);
      // What it keeps on disk says so, too: it is empty when it is back.
      expect(await tellRedis(redis, 'FLUSHALL')).toBe('+OK');
      await redis.act('kill', 1);
      await until('reads that say it is away', async () => {
        const answer = await read(cluster);
        return answer?.status === 503 && answer.body.code === 'unavailable' ? true : undefined;
      });
      const stored = await write(cluster, 11);
      expect(stored).toMatchObject({ status: 202, body: { total: null, duplicate: false } });
      const ready = await cluster.apis[0].call('GET /readyz');
      expect(ready).toMatchObject({ status: 200, body: { status: 'degraded' } });
      await redis.act('start', 1);
      await expectLost(cluster);
      await rebuilt(cluster);
      await expectScore(cluster, 11);
      expect(await write(cluster, 12)).toMatchObject({ status: 200, body: { total: 12 } });
    });
  },
  own,
);

await describeOn(
  'kafka',
  'Kafka is away',
  (kafka) => {
    test.for(['kill', 'pause'] as const)(
      '%s: writes are 503 in bounded time, reads go on, and it heals by itself',
      async (action, context) => {
        const cluster = await serving(kafka, other('redis', context));
        await kafka.act(action, 1);
        // `fetch` gives up after five minutes, the test before.
        expect((await write(cluster, 11)).status).toBe(503);
        expect((await write(cluster, 12)).status).toBe(503);
        expect(await scoreIn(cluster)).toBe(10);
        await kafka.act(action === 'kill' ? 'start' : 'resume', 1);
        for (const match of [11, 12]) {
          await until('a write that is taken', async () =>
            (await write(cluster, match)).status === 200 ? true : undefined,
          );
        }
        // What was answered 503 may have been stored: sent again, it counts once.
        expect(await write(cluster, 13)).toMatchObject({ status: 200, body: { total: 13 } });
        await expectScore(cluster, 13);
      },
    );
  },
  own,
);
