import { cp } from 'node:fs/promises';
import { withTemporaryFolder } from '../data/temporary-folder.ts';
import { alternate, type BenchCase, type Comparison, type Scale } from '../harness.ts';
import { fillSortedSet, type RedisPeer, startRedis, usedBytes } from '../peers/redis.ts';
import { HttpLoad, startZrevrankFastify } from '../processes/http-load.ts';
import type { Loaded } from '../processes/load-process.ts';
import { startService } from '../processes/service.ts';

const connections = 64;
const key = 'plain:month';
const peer = 'bare fastify with one ZREVRANK';
const reaches = [
  { shards: 1, scheme: 'hash', atLeast: 0.6 },
  { shards: 8, scheme: 'hash', atLeast: 0.4 },
  { shards: 8, scheme: 'range', atLeast: 0.4 },
] as const;

/** What is said of shards; those by hash are what they are unless told. */
const byScore = { hash: '', range: ' by score' } as const;

export const redisRead: BenchCase = {
  name: 'redis-read',
  summary: 'GET /v1/scores/{id} on Redis beside a bare fastify route with one ZREVRANK',
  run: async ({ scale, prepared, tell }) => {
    const redis = await startRedis();
    if (!redis) {
      const remark = 'redis-server is not installed here';
      return [{ work: 'GET /v1/scores/{id} on Redis', peer, reach: '≥ 0.6', remark }];
    }
    try {
      const players = scale.million;
      const folder = await prepared.log({ players, events: players });
      await fillSortedSet(redis.client, key, players);
      const rows: Comparison[] = [];
      for (const reach of reaches) {
        // A copy for each: which generation is live is said in the log, and others use the prepared one.
        rows.push(
          ...(await withTemporaryFolder(async (copy) => {
            await cp(folder, copy, { recursive: true });
            return compare(redis, copy, scale, reach, tell);
          })),
        );
      }
      return rows;
    } finally {
      await redis.stop();
    }
  },
};

async function compare(
  redis: RedisPeer,
  folder: string,
  { longRounds, loadMs, million: players }: Scale,
  { shards, scheme, atLeast }: (typeof reaches)[number],
  tell: (line: string) => void,
): Promise<Comparison[]> {
  const began = performance.now();
  const store = `redis://127.0.0.1:${redis.port}?shards=${shards}&scheme=${scheme}&prefix=bench${shards}${scheme}`;
  const bytesBefore = await usedBytes(redis);
  const service = await startService(folder, { ANNALS_LEADERBOARD_STORE: store });
  const dealt = shards === 1 ? 'one shard' : `${shards} shards${byScore[scheme]}`;
  tell(`${dealt}: filled and ready after ${Math.round(performance.now() - began)} ms`);
  const { authorization } = service;
  const bare = await startZrevrankFastify(redis.port, key);
  const load = new HttpLoad();
  const measure = (port: number, query: string, durationMs: number) =>
    load.run({
      ...{ port, authorization, request: 'standing', query },
      ...{ players, connections, durationMs },
    });
  try {
    for (const { port } of [service, bare]) await measure(port, '', loadMs / 2);
    const perPlayer = ((await usedBytes(redis)) - bytesBefore) / players;
    const rows: Comparison[] = [memoryRow(players, dealt, perPlayer)];
    for (const around of [0, 4]) {
      const loads: Loaded[] = [];
      const measured = await alternate(
        longRounds,
        async () => {
          const loaded = await measure(service.port, `?around=${around}`, loadMs);
          loads.push(loaded);
          return loaded.perSecond;
        },
        async () => (await measure(bare.port, '', loadMs)).perSecond,
      );
      const last = loads.at(-1);
      const place = `${dealt} of one server`;
      const shown = around === 0 ? 'rank alone' : 'with four neighbours on either side';
      rows.push({
        work: `rank over HTTP on Redis, ${place}, ${shown}, ${connections} connections`,
        ours: { value: measured.ours, unit: 'requests/s' },
        peer,
        theirs: { value: measured.theirs, unit: 'requests/s' },
        ratio: measured.ratio,
        reach: `≥ ${atLeast}`,
        met: measured.ratio >= atLeast,
        remark: `${players.toLocaleString('en-US')} players; p50 ${last?.p50Ms.toFixed(1)} ms, p99 ${last?.p99Ms.toFixed(1)} ms`,
      });
    }
    return rows;
  } finally {
    await load.end();
    await bare.end();
    await service.stop();
  }
}

const playersMany = 25_000_000;

function memoryRow(players: number, dealt: string, perPlayer: number): Comparison {
  const gib = (2 * perPlayer * playersMany) / 2 ** 30;
  return {
    work: `memory of Redis, ${players.toLocaleString('en-US')} players, one score each, ${dealt}`,
    ours: { value: perPlayer, unit: 'bytes a player' },
    peer: '',
    reach: 'stated',
    remark: `with the entry of each score; 25 M players with twice the headroom: ${gib.toFixed(1)} GiB`,
  };
}
