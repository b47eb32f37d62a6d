import { sellerTerms } from '../data/payment-feed.ts';
import { withTemporaryFolder } from '../data/temporary-folder.ts';
import { type BenchCase, median } from '../harness.ts';
import { HttpLoad, startBareFastify } from '../processes/http-load.ts';
import type { Load, Loaded } from '../processes/load-process.ts';
import { type Service, startService } from '../processes/service.ts';

const paymentsPerSecond = 25;
const readsPerSecond = 250;
const connections = 64;
const sellers = 10;
const taken = ['201', '202'];

/**
 * The whole service takes payments at a steady rate, with the sandbox as their provider, while others ask how payments stand.
 * Both are whole processes on the same cores; bare fastify answers the same bytes at the same rate, and nothing else goes on.
 */
export const paymentsStatus: BenchCase = {
  name: 'payments-status',
  summary: 'GET /v1/payments/{id} under a steady load of payments, beside bare fastify',
  run: async ({ scale: { longRounds, loadMs, million }, tell }) =>
    withTemporaryFolder(async (folder) => {
      const known = million / 1_000;
      const service = await startService(folder);
      const { port, authorization } = service;
      const [paying, reading] = [new HttpLoad(), new HttpLoad()];
      try {
        await registerSellers(service);
        const payment = { port, authorization, request: 'payment', players: sellers } as const;
        const paced = { ...payment, perSecond: paymentsPerSecond, connections };
        const firstMs = (known * 1_000) / paymentsPerSecond;
        await paying.run({ ...paced, durationMs: firstMs }, taken);
        const read: Omit<Load, 'port'> = {
          ...{ authorization, request: 'status', players: known, connections },
          ...{ perSecond: readsPerSecond, durationMs: loadMs },
        };
        const { sample } = await reading.run({ ...read, port });
        const bare = await startBareFastify(sample);
        const ours: Loaded[] = [];
        const theirs: Loaded[] = [];
        const payments: Loaded[] = [];
        try {
          for (let round = 0; round < longRounds; round += 1) {
            const [status, paid] = await Promise.all([
              reading.run({ ...read, port }),
              paying.run({ ...paced, durationMs: loadMs }, taken),
            ]);
            ours.push(status);
            payments.push(paid);
            theirs.push(await reading.run({ ...read, port: bare.port }));
            tell(`p99 ${status.p99Ms.toFixed(1)} ms, bare ${theirs.at(-1)?.p99Ms.toFixed(1)} ms`);
          }
        } finally {
          await bare.end();
        }
        const of = (loads: readonly Loaded[], figure: (one: Loaded) => number) =>
          median(loads.map(figure));
        const p50 = (loads: readonly Loaded[]) => `p50 ${of(loads, (one) => one.p50Ms).toFixed(1)}`;
        return [
          {
            work: `GET /v1/payments/{id} at a steady ${readsPerSecond}/s while ${paymentsPerSecond} payments/s are taken`,
            ours: { value: of(ours, (one) => one.p99Ms), unit: 'ms p99' },
            peer: 'bare fastify, the same bytes at the same rate, no payments beside it',
            theirs: { value: of(theirs, (one) => one.p99Ms), unit: 'ms p99' },
            reach: 'stated',
            remark: `${p50(ours)} ms, bare ${p50(theirs)} ms; POST /v1/payments meanwhile: ${p50(payments)} ms, ${of(payments, (one) => one.perSecond).toFixed(0)} a second`,
          },
        ];
      } finally {
        await Promise.all([paying.end(), reading.end()]);
        await service.stop();
      }
    }),
};

async function registerSellers({ port, authorization }: Service): Promise<void> {
  for (let seller = 0; seller < sellers; seller += 1) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/sellers/shop-${seller}`, {
      method: 'PUT',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(sellerTerms),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`a seller was not registered: ${response.status} ${text}`);
  }
}
