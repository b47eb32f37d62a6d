import { describeOn } from '@annals/core/testing';
import { openEmbedded } from '@annals/projector';
import { expect, onTestFinished, test, vi } from 'vitest';
import { cassandraPlace } from './testing/cassandra-place.ts';
import {
  bankIsServed,
  comparedByItself,
  dayBefore,
  deliveriesAreServed,
} from './testing/night-story.ts';
import { startProcess } from './testing/platform-process.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

vi.setConfig({ testTimeout: 300_000 });

test('a running process reconciles the day that is over by itself, once, also over a restart', async () => {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  const env = { ANNALS_PSP_URL: 'sandbox' };
  const running = await startProcess(folder.path, env);
  onTestFinished(async () => {
    await running.kill('SIGKILL');
  });
  const report = await comparedByItself(running);
  expect(report).toMatchObject({ psp: 'sandbox', date: dayBefore(1), open: 0, breaks: [] });
  await bankIsServed(running);
  await running.kill('SIGKILL');

  const again = await startProcess(folder.path, env);
  onTestFinished(async () => {
    await again.kill('SIGTERM');
  });
  expect(await comparedByItself(again)).toEqual(report);
  await again.kill('SIGTERM');
  const site = await openEmbedded({ dataFolder: folder.path });
  const { events } = await site.logOf('payments').readStream('paymentdays-reconcile');
  await site.close();
  // Where the work began: what is later is made up for.
  expect(events.map(({ data }) => JSON.parse(data))).toEqual([
    { work: 'reconcile', day: dayBefore(2) },
    { work: 'reconcile', day: dayBefore(1) },
  ]);
});

await describeOn('cassandra', 'The platform with its payments in Cassandra', (engine) => {
  test('reconciles by itself, takes statements, and shows queues and deliveries', async () => {
    const place = cassandraPlace(engine.url);
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const running = await startProcess(folder.path, {
      ANNALS_PSP_URL: 'sandbox',
      ANNALS_MASTER_KEY: 'ab'.repeat(32),
      ANNALS_PAYMENTS_STORE: `${place}&buckets=4&order-shards=2`,
    });
    onTestFinished(async () => {
      await running.kill('SIGTERM');
    });
    expect(await comparedByItself(running)).toMatchObject({ open: 0, breaks: [] });
    await bankIsServed(running);
    await deliveriesAreServed(running);
  });
});
