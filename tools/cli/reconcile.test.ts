import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { idFromKey, newId } from '@annals/core';
import { checkoutStream, paymentsEvents } from '@annals/payments';
import { embeddedSite, openEmbedded, runSiteProjector } from '@annals/projector';
import { expect, onTestFinished, test, vi } from 'vitest';
import { annals, temporaryFolder } from './testing/cli.ts';

vi.setConfig({ testTimeout: 60_000 });

const dayMs = 86_400_000;
const noon = Math.floor(Date.now() / dayMs) * dayMs - 2.5 * dayMs;
const date = new Date(noon).toISOString().slice(0, 10);
const header =
  'balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,payment_intent_id';
const charge = (fee: string, net: string) =>
  `txn_1,${date} 12:00:00,usd,10.00,${fee},${net},charge,ch_1,pi_1`;

/** A folder with one payment of ten dollars, and a projector at work on it. */
async function paidFolder(): Promise<string> {
  const dataFolder = await temporaryFolder();
  const site = await openEmbedded({ dataFolder });
  const attempt = { checkout_id: 'c-1', payment_order_id: 'o-1', attempt: 1 };
  const event = { occurredAt: noon };
  const amounts = {
    amount: '1000',
    authorized: '0',
    platform_fee: '50',
    net: '950',
    psp_fee: '30',
  };
  const events = [
    {
      type: 'attempt-created' as const,
      ...{ ...event, id: idFromKey('test', 'created') },
      data: { ...attempt, psp: 'stripe', psp_payment_id: 'pi_1' },
    },
    {
      type: 'order-captured' as const,
      ...{ ...event, id: idFromKey('test', 'captured') },
      data: { ...attempt, seller_account: 'shop', currency: 'USD', ...amounts, release_at: noon },
    },
  ] as const;
  const encoded = await paymentsEvents.encode(events, site.cipher);
  if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
  await site.log.append(checkoutStream('c-1'), encoded.events, { expected: 'no-stream' });
  await site.close();
  const stop = new AbortController();
  const projector = await runSiteProjector({
    ...{ site: embeddedSite(dataFolder), holder: `test/${newId()}`, signal: stop.signal },
    onTrouble: () => undefined,
  });
  onTestFinished(async () => {
    stop.abort();
    await projector.done;
  });
  const built = async () => {
    const { code } = await annals([
      'reconcile',
      '--date',
      date,
      '--bank',
      '/nowhere',
      '--data',
      dataFolder,
    ]);
    return code;
  };
  // What is not there yet makes it 5; then it is the file that is missing.
  await expect.poll(built, { timeout: 30_000, interval: 100 }).toBe(2);
  return dataFolder;
}

async function fileIn(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

test('a file that agrees, one that does not, the same again, and files that are none', async () => {
  const folder = await paidFolder();
  const run = (...argv: string[]) =>
    annals(['reconcile', '--date', date, '--data', folder, ...argv], {
      env: {
        ANNALS_PSP_URL: 'https://psp.example',
        ANNALS_PSP_KEY: 'sk_test_key',
        ANNALS_PSP_WEBHOOK_SECRET: 'whsec_test',
      },
    });
  // A byte order mark and CRLF are nobody's fault.
  const other = [`\u{feff}${header}`, charge('0.35', '9.65'), '"txn_2,never closed', ''].join(
    '\r\n',
  );
  const off = await fileIn(folder, 'off.csv', other);
  const first = await run('--file', off);
  expect(first).toMatchObject({ code: 4 });
  expect(first.out).toContain('fee_mismatch 1, unidentified_row 1');
  expect(first.out).toMatch(/unidentified_row\s*│ open\s*│ line 3 .*broken-quotes/);
  expect(first.out).toContain('wallets: 4 balances compared with the ledger, 0 differences');
  const json = await run('--file', off, '--json');
  expect(JSON.parse(json.out)).toMatchObject({
    ...{ date, complete: true, open: 1, wallets: { differences_found: 0 } },
    providers: [{ psp: 'stripe', run: { breaks: { fee_mismatch: 0, unidentified_row: 1 } } }],
  });
  const csv = await run('--file', off, '--csv');
  expect(csv.out.trimEnd().split('\r\n')).toHaveLength(3);
  expect((await run('--file', off, '--html')).out).toContain('<td>line 3</td>');

  const bank = 'booking_date,id,reference,currency,amount\n';
  const statement = await fileIn(folder, 'bank.csv', bank);
  const banked = await run('--file', off, '--bank', statement);
  expect(banked.out).toContain('bank: no break');

  const wrong = await run('--file', await fileIn(folder, 'wrong.csv', 'a,b\n1,2\n'));
  expect(wrong).toMatchObject({ code: 2, out: '' });
  expect(wrong.err).toContain('wrong.csv: ');
  const broken = await run('--bank', await fileIn(folder, 'bank.xml', '<Document><a></Document>'));
  expect(broken).toMatchObject({ code: 2 });
  expect(await run('--file', join(folder, 'nowhere.csv'))).toMatchObject({ code: 2 });
  expect(await run('--csv', '--html')).toMatchObject({ code: 2 });
  expect(await run('--bank', statement, '--bank-format', 'mt940')).toMatchObject({ code: 2 });
});

test('a day that is none, one that is not over, no provider, and read models that are not there', async () => {
  const folder = await temporaryFolder();
  await (await openEmbedded({ dataFolder: folder })).close();
  const file = await fileIn(folder, 'a.csv', `${header}\n`);
  const on = (day: string) =>
    annals(['reconcile', '--date', day, '--data', folder, '--file', file, '--psp', 'stripe']);
  expect(await on('2026-02-30')).toMatchObject({ code: 2 });
  expect(await on('2999-01-01')).toMatchObject({ code: 3 });
  expect(await on(date)).toMatchObject({ code: 5 });
  const none = await annals(['reconcile', '--date', date, '--data', folder], {
    env: { ANNALS_PSP_URL: 'off' },
  });
  expect(none).toMatchObject({ code: 2 });
  expect(none.err).toContain('--file');
});
