import { playerId } from '../data/score-feed.ts';
import { alternate, type BenchCase } from '../harness.ts';
import { HttpLoad, startBareFastify } from '../processes/http-load.ts';
import type { Loaded } from '../processes/load-process.ts';
import { startService } from '../processes/service.ts';

const connections = 64;

export const httpRead: BenchCase = {
  name: 'http-read',
  summary: 'GET /v1/scores/{id} beside a bare fastify route of the same bytes',
  run: async ({ scale: { longRounds, loadMs, million: players }, prepared }) => {
    const service = await startService(await prepared.service({ players, events: players }));
    const { authorization } = service;
    const bare = await startBareFastify(await answerFor(service));
    const load = new HttpLoad();
    try {
      const measure = (port: number, durationMs: number) =>
        load.run({ port, authorization, request: 'standing', players, connections, durationMs });
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
      return [
        {
          work: `GET /v1/scores/{id}, ${connections} connections`,
          ours: { value: measured.ours, unit: 'requests/s' },
          peer: 'bare fastify, the same bytes',
          theirs: { value: measured.theirs, unit: 'requests/s' },
          ratio: measured.ratio,
          reach: '≥ 0.6',
          met: measured.ratio >= 0.6,
          remark: `${players.toLocaleString('en-US')} players; p50 ${last?.p50Ms.toFixed(1)} ms, p99 ${last?.p99Ms.toFixed(1)} ms`,
        },
      ];
    } finally {
      await load.end();
      await bare.end();
      await service.stop();
    }
  },
};

async function answerFor(service: { port: number; authorization: string }): Promise<string> {
  const url = `http://127.0.0.1:${service.port}/v1/scores/${playerId(0)}`;
  const response = await fetch(url, { headers: { authorization: service.authorization } });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.text();
}
