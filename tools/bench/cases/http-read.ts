import { playerId } from '../data/score-feed.ts';
import { alternate, type BenchCase, type Comparison } from '../harness.ts';
import { HttpLoad, startBareFastify } from '../processes/http-load.ts';
import type { Loaded } from '../processes/load-process.ts';
import { type Service, startService } from '../processes/service.ts';

const connections = 64;

export const httpRead: BenchCase = {
  name: 'http-read',
  summary: 'GET /v1/scores/{id} and the top 10 beside bare fastify routes of the same bytes',
  run: async ({ scale: { longRounds, loadMs, million: players }, prepared }) => {
    const service = await startService(await prepared.service({ players, events: players }));
    const load = new HttpLoad();
    const rows: Comparison[] = [];
    try {
      for (const read of reads)
        rows.push(await compare(service, load, read, { players, longRounds, loadMs }));
      return rows;
    } finally {
      await load.end();
      await service.stop();
    }
  },
};

const reads = [
  {
    work: 'GET /v1/scores/{id}',
    request: 'standing',
    path: `/v1/scores/${playerId(0)}`,
    atLeast: 0.6,
  },
  { work: 'GET /v1/scores, the top 10', request: 'top', path: '/v1/scores', atLeast: undefined },
] as const;

async function compare(
  service: Service,
  load: HttpLoad,
  { work, request, path, atLeast }: (typeof reads)[number],
  { players, longRounds, loadMs }: { players: number; longRounds: number; loadMs: number },
): Promise<Comparison> {
  const { authorization } = service;
  const bare = await startBareFastify(await answerOf(service, path));
  try {
    const measure = (port: number, durationMs: number) =>
      load.run({ port, authorization, request, players, connections, durationMs });
    for (const { port } of [service, bare]) await measure(port, loadMs / 2);
    const loads: Loaded[] = [];
    const measured = await alternate(
      longRounds,
      async () => {
        const loaded = await measure(service.port, loadMs);
        loads.push(loaded);
        return loaded.perSecond;
      },
      async () => (await measure(bare.port, loadMs)).perSecond,
    );
    const last = loads.at(-1);
    return {
      work: `${work}, ${connections} connections`,
      ours: { value: measured.ours, unit: 'requests/s' },
      peer: 'bare fastify, the same bytes',
      theirs: { value: measured.theirs, unit: 'requests/s' },
      ratio: measured.ratio,
      ...(atLeast === undefined
        ? { reach: 'stated' }
        : { reach: `≥ ${atLeast}`, met: measured.ratio >= atLeast }),
      remark: `${players.toLocaleString('en-US')} players; p50 ${last?.p50Ms.toFixed(1)} ms, p99 ${last?.p99Ms.toFixed(1)} ms`,
    };
  } finally {
    await bare.end();
  }
}

async function answerOf(service: Service, path: string): Promise<string> {
  const url = `http://127.0.0.1:${service.port}${path}`;
  const response = await fetch(url, { headers: { authorization: service.authorization } });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.text();
}
