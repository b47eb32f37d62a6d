import { alternate, type BenchCase, median } from '../harness.ts';
import { HttpLoad, startBareFastify } from '../processes/http-load.ts';
import type { Loaded } from '../processes/load-process.ts';
import { startService } from '../processes/service.ts';

const connections = 64;
const steadyPerSecond = 2_500;

/**
 * The answer of a POST carries the total that the read model shows at the score's position: it comes
 * when the score can be read, so its latency is that from write to visible. A score that was stored and
 * could not be read in time would be a 202, and that fails the case.
 */
export const httpWrite: BenchCase = {
  name: 'http-write',
  summary: 'POST /v1/scores beside a bare fastify route that parses the same body',
  run: async ({ scale: { longRounds, loadMs, million: players }, prepared }) => {
    const service = await startService(await prepared.service({ players, events: players }));
    const { authorization } = service;
    const bare = await startBareFastify('{}');
    const load = new HttpLoad();
    try {
      const saturating = { authorization, request: 'score', players, connections } as const;
      const measure = (port: number, durationMs: number) =>
        load.run({ ...saturating, port, durationMs });
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
      const steady: Loaded[] = [];
      for (let round = 0; round < longRounds; round += 1) {
        const { port } = service;
        const perSecond = steadyPerSecond;
        steady.push(await load.run({ ...saturating, port, perSecond, durationMs: loadMs }));
      }
      const reached = median(steady.map((one) => one.perSecond));
      return [
        {
          work: `POST /v1/scores, ${connections} connections, durable`,
          ours: { value: measured.ours, unit: 'requests/s' },
          peer: 'bare fastify, parses the same body',
          theirs: { value: measured.theirs, unit: 'requests/s' },
          ratio: measured.ratio,
          reach: '≥ 0.4',
          met: measured.ratio >= 0.4,
          remark: `write to visible: ${latencies(loads)}`,
        },
        {
          work: `POST /v1/scores at a steady ${steadyPerSecond.toLocaleString('en-US')}/s, write to visible`,
          ours: { value: median(steady.map((one) => one.p50Ms)), unit: 'ms p50' },
          peer: '',
          reach: 'stated',
          remark: `${latencies(steady)}; ${reached.toFixed(0)} answers/s`,
        },
      ];
    } finally {
      await load.end();
      await bare.end();
      await service.stop();
    }
  },
};

function latencies(loads: readonly Loaded[]): string {
  const p50 = median(loads.map((one) => one.p50Ms));
  const p99 = median(loads.map((one) => one.p99Ms));
  return `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
}
