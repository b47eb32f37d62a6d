import { issueKey } from '@annals/iam';
import { openEmbedded, paymentsSettingsOf } from '@annals/projector';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { configSchema } from './config.ts';
import { type OpenPlatform, openPlatform, testConfig } from './testing/open-platform.ts';
import { until } from './testing/until.ts';

// Platforms start slowly on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

/** A platform with a shop that has 95.00 dollars available, and two persons of finance. */
let platform: OpenPlatform;
let ann: string;
let ben: string;

beforeAll(async () => {
  const { ANNALS_PAYOUT_RELEASE_ABOVE } = configSchema.parse({
    ANNALS_PAYOUT_RELEASE_ABOVE: 'USD:2000',
  });
  platform = await openPlatform({
    config: { ANNALS_PSP_URL: 'sandbox', ANNALS_PAYOUT_RELEASE_ABOVE },
  });
  [ann, ben] = await financeKeys(platform.folder);
  await sell();
});
afterAll(() => platform.close());

async function financeKeys(dataFolder: string): Promise<[string, string]> {
  const site = await openEmbedded({ dataFolder });
  const issue = async (name: string) => {
    const issued = await issueKey(site, { name, scopes: ['payments:finance'], issuedBy: 'test' });
    if (issued.kind !== 'issued') throw new Error(issued.kind);
    return issued.token;
  };
  const keys: [string, string] = [await issue('ann'), await issue('ben')];
  await site.close();
  return keys;
}

async function sell(): Promise<void> {
  const usd = { currency: 'USD', fee_basis_points: 500, fee_fixed: '0', payout_minimum: '1' };
  const shop = {
    ...{ currencies: [usd], reserve_basis_points: 0, release_after_days: 7 },
    ...{ payout_schedule: 'manual', bank_token: 'ba_sandbox' },
  };
  await platform.call('PUT /v1/sellers/shop', { body: shop });
  const body = {
    ...{ checkout_id: 'c-1', credit_card_info: 'pm_card_visa', buyer_info: {} },
    payment_orders: [
      { payment_order_id: 'o-1', seller_account: 'shop', amount: '10000', currency: 'USD' },
    ],
  };
  expect((await platform.call('POST /v1/payments', { body })).status).toBe(202);
  await until('the goods to be paid', async () => {
    const delivered = await platform.call('POST /v1/payment_orders/c-1/o-1/delivered');
    return delivered.status === 200 || undefined;
  });
  await until('the money', async () => {
    const { body: wallet } = await platform.call('GET /v1/wallets/shop');
    return wallet.wallets?.[0]?.available === '9500' || undefined;
  });
}

const ask = (payout_id: string, amount: string) => {
  const body = { seller_account: 'shop', payout_id, currency: 'USD', amount };
  return platform.call('POST /v1/payouts', { key: ann, body });
};

const requestOf = async (payoutId: string) => {
  const { body } = await platform.call('GET /v1/finance_requests', { key: ben });
  type Listed = { readonly request_id: string; readonly payout: { readonly payout_id: string } };
  const found = (body.data as Listed[]).find(({ payout }) => payout.payout_id === payoutId);
  return found?.request_id ?? 'none';
};

const decide = (id: string, verdict: 'approve' | 'reject', key: string, body?: object) =>
  platform.call(`POST /v1/finance_requests/${id}/${verdict}`, { key, body });

const payouts = async (): Promise<{ readonly [id: string]: string }> => {
  const { body } = await platform.call('GET /v1/payouts?seller_account=shop');
  type Listed = { readonly payout_id: string; readonly amount: string; readonly state: string };
  return Object.fromEntries(
    (body.data as Listed[]).map(({ payout_id, amount, state }) => [
      payout_id,
      `${amount} ${state}`,
    ]),
  );
};

/** What the provider was asked to pay. */
async function atProvider(): Promise<readonly number[]> {
  const [place] = paymentsSettingsOf(testConfig('x', { ANNALS_PSP_URL: 'sandbox' }))?.psps ?? [];
  const headers = { authorization: `Bearer ${place?.key}` };
  const response = await fetch(`${platform.sandbox?.url}/v1/payouts?limit=100`, { headers });
  const { data } = (await response.json()) as { data: { amount: number }[] };
  return data.map(({ amount }) => amount);
}

test('a payout above the limit is paid when a second person has released it, once', async () => {
  const held = await ask('p-1', '5000');
  expect(held).toMatchObject({ status: 409, body: { code: 'needs-release' } });
  const id = await requestOf('p-1');
  const alone = await decide(id, 'approve', ann);
  expect(alone).toMatchObject({ status: 409, body: { code: 'same-person' } });
  expect(await atProvider()).toEqual([]);

  const approved = await decide(id, 'approve', ben);
  expect(approved).toMatchObject({ status: 200, body: { state: 'approved' } });
  const paid = { 'p-1': '5000 paid' };
  await until('the payout', async () => ((await payouts())['p-1'] === paid['p-1'] ? 1 : undefined));
  expect((await decide(id, 'approve', ben)).status).toBe(200);
  expect((await ask('p-1', '5000')).status).toBe(202);
  expect(await atProvider()).toEqual([5_000]);
  const { body: history } = await platform.call('GET /v1/ledger/accounts?account=bank');
  expect(history.data).toMatchObject([{ posted_credit: '5000' }]);
});

test('one that is rejected is never paid, also where it is asked for again', async () => {
  await ask('p-2', '3000');
  const id = await requestOf('p-2');
  const rejected = await decide(id, 'reject', ben, { reason: 'not this week' });
  expect(rejected).toMatchObject({ status: 200, body: { state: 'rejected' } });
  expect((await decide(id, 'approve', ben)).body.code).toBe('request-closed');
  expect((await ask('p-2', '3000')).status).toBe(409);
  expect(Object.keys(await payouts())).not.toContain('p-2');
});

test('of two that are released for the same money one is paid, and the other refused', async () => {
  const ids: string[] = [];
  for (const payout of ['p-3', 'p-4']) {
    expect((await ask(payout, '4000')).body.code).toBe('needs-release');
    ids.push(await requestOf(payout));
  }
  await Promise.all(ids.map((id) => decide(id, 'approve', ben)));
  const states = await until('both to be decided', async () => {
    const requests = await Promise.all(
      ids.map((id) => platform.call(`GET /v1/finance_requests/${id}`, { key: ann })),
    );
    const found = requests.map(({ body }) => String(body.state));
    return found.includes('refused') ? found : undefined;
  });
  expect(states.toSorted()).toEqual(['approved', 'refused']);
  await until('one to be paid', async () => {
    const all = Object.values(await payouts());
    return all.filter((state) => state === '4000 paid').length === 1 ? all : undefined;
  });
  expect((await atProvider()).toSorted((a, b) => a - b)).toEqual([4_000, 5_000]);
  const { body: wallet } = await platform.call('GET /v1/wallets/shop');
  expect(wallet.wallets).toMatchObject([{ available: '500' }]);
});

test('one up to the limit needs nobody', async () => {
  expect((await ask('p-5', '500')).status).toBe(202);
});
