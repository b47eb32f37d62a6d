import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { decimalOf } from './core/reports.ts';
import { writeSettlementFiles } from './settlement-files.ts';
import { openApi } from './testing/api.ts';

const folder = mkdtempSync(join(tmpdir(), 'annals-settlement-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('each day that is over has a file, written once; its lines are what moved the balance', async () => {
  const api = openApi();
  const write = () => writeSettlementFiles(api.sandbox.storage, folder, api.time.ms);
  expect(await write()).toEqual([]);
  const made = await api.post('/v1/payment_intents', {
    ...{ amount: '1999', currency: 'usd', payment_method: 'pm_card_visa', confirm: 'true' },
  });
  expect(await write()).toEqual([]);
  api.time.ms = Date.UTC(2026, 0, 17, 1);
  await api.post('/v1/topups', { amount: '5', currency: 'jpy' });
  const names = ['settlement-2026-01-15.csv', 'settlement-2026-01-16.csv'];
  expect(await write()).toEqual(names);
  expect(await write()).toEqual([]);
  expect(readdirSync(folder).sort()).toEqual(names);
  const [header, line, ...more] = readFileSync(join(folder, names[0]!), 'utf8').split('\n');
  expect(header).toBe(
    'balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,reporting_category,' +
      'source_id,charge_id,payment_intent_id,description',
  );
  const charge = made.json.latest_charge;
  expect(line).toMatch(
    new RegExp(
      `^txn_\\w+,2026-01-15 12:00:00,2026-01-15 12:00:00,usd,19.99,0.88,19.11,charge,${charge},${charge},${made.json.id},$`,
    ),
  );
  expect(more).toEqual(['']);
  expect(readFileSync(join(folder, names[1]!), 'utf8').split('\n')).toHaveLength(2);
});

test.each([
  [-1_234, 'usd', '-12.34'],
  [5, 'usd', '0.05'],
  [0, 'usd', '0.00'],
  [500, 'jpy', '500'],
  [-1_230, 'kwd', '-1.230'],
])('%d %s is %s', (amount, currency, text) => {
  expect(decimalOf(amount, currency)).toBe(text);
});
