import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@annals/core';
import { stripePsp } from '@annals/payments/psp';
import { Market } from '../data/market.ts';
import { withTemporaryFolder } from '../data/temporary-folder.ts';
import { alternate, type BenchCase } from '../harness.ts';
import { callsOfPayment, RawStripe } from '../peers/raw-stripe.ts';
import { Child } from '../processes/child.ts';
import type { FromSandbox } from '../processes/sandbox-process.ts';

const script = join(import.meta.dirname, '../processes/sandbox-process.ts');
/** The sandbox's own, unless it is told another. */
const key = 'sk_test_sandbox';
const webhookSecrets = ['whsec_sandbox'];
const returnUrl = 'https://shop.test/back';
const clients = 64;
const reach = 0.5;

/** No webhooks: the answers to the calls say all that happens to these payments. */
export const paymentsStripe: BenchCase = {
  name: 'payments-stripe',
  summary: 'payments over HTTP to the sandbox in its own process, beside the client alone',
  run: async ({ scale: { longRounds, loadMs: stretchMs, million }, tell }) =>
    withTemporaryFolder(async (folder) => {
      const sellers = million / 1_000;
      const sandbox = new Child<FromSandbox>(script, [join(folder, 'sandbox')]);
      const { url } = await sandbox.next();
      const named = { name: 'stripe', clock: systemClock, url, key, webhookSecrets, returnUrl };
      const ours = join(folder, 'ours');
      await mkdir(ours);
      const market = await Market.start(ours, stripePsp(named));
      const raw = new RawStripe({ url, key });
      try {
        await market.register(sellers);
        const said = (who: string, perSecond: number) => {
          tell(`${who}: ${perSecond.toFixed(0)} payments/s`);
          return perSecond;
        };
        const measured = await alternate(
          longRounds,
          async () => said('ours', await market.load({ clients, sellers, stretchMs })),
          async () => said('the client alone', await raw.load({ clients, stretchMs })),
        );
        return [
          {
            work: `payments through the stripe client and the sandbox in its own process: accepted, captured, visible in the wallet, ${clients} clients`,
            ours: { value: measured.ours, unit: 'payments/s' },
            peer: `the stripe client alone: its calls a second divided by the ${callsOfPayment} that a payment needs`,
            theirs: { value: measured.theirs, unit: 'payments/s' },
            ratio: measured.ratio,
            reach: `≥ ${reach}`,
            met: measured.ratio >= reach,
          },
        ];
      } finally {
        await market.stop();
        await sandbox.end();
      }
    }),
};
