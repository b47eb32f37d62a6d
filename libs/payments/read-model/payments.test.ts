import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { paymentsProjection } from '../projections/payments.ts';
import { describePaymentLists, walkOf } from '../testing/describe-payment-lists.ts';
import { fedStore } from '../testing/fed-store.ts';
import { paymentsSql, sqlitePaymentsReadModel } from './payments.ts';

describePaymentLists({
  seeds: [1, 2, 3, 4, 5, 6],
  stepCount: 400,
  payments: async (log, cipher) =>
    sqlitePaymentsReadModel(await fedStore(paymentsProjection, log, cipher)),
});

test('nothing that a buyer said is in the read model, and no list scans a table', async () => {
  const { walk, log } = await walkOf(6, 100);
  const file = await fedStore(paymentsProjection, log, walk.cipher);
  const database = new DatabaseSync(file.path, { readOnly: true });
  const text = ['checkouts', 'orders', 'sellers', 'payouts']
    .flatMap((table) => database.prepare(`SELECT * FROM ${table}`).all())
    .map((row) => JSON.stringify(row))
    .join();
  expect(text).not.toMatch(/ann@example|tok_1|btok_1/);
  const scanned = Object.entries(paymentsSql).filter(([, sql]) => {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    return plan.some(({ detail }) => /^SCAN|TEMP/.test(detail));
  });
  database.close();
  expect(scanned).toEqual([]);
});
