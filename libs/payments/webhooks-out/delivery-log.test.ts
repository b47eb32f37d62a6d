import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { describeDeliveryLog, sampledDeliveries } from '../testing/describe-delivery-log.ts';
import { fedStore } from '../testing/fed-store.ts';
import { webhooksProjection } from './deliveries.ts';
import { deliveriesSql, sqliteDeliveryLog } from './delivery-log.ts';

describeDeliveryLog({
  seeds: [1, 2, 3],
  deliveries: async (log, cipher) =>
    sqliteDeliveryLog(await fedStore(webhooksProjection, log, cipher)),
});

test('no list scans a table', async () => {
  const { log, cipher } = await sampledDeliveries(4);
  const file = await fedStore(webhooksProjection, log, cipher);
  const database = new DatabaseSync(file.path, { readOnly: true });
  const scanned = Object.values(deliveriesSql).filter((sql) => {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    return plan.some(({ detail }) => /^SCAN|TEMP/.test(detail));
  });
  database.close();
  expect(scanned).toEqual([]);
});
