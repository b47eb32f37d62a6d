import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { issueKey } from '@annals/iam';
import { Payments } from '@annals/payments';
import { openEmbedded, paymentsSettingsOf } from '@annals/projector';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { type OpenPlatform, openPlatform, testConfig } from './testing/open-platform.ts';
import { until } from './testing/until.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let platform: OpenPlatform;
beforeAll(async () => {
  platform = await openPlatform({
    config: { ANNALS_PSP_URL: 'sandbox', ANNALS_WEBHOOKS_ALLOW_PRIVATE: 'yes' },
  });
  await registerShop(platform.folder);
});
afterAll(() => platform.close());

/** Another process of this folder: what the API has no part in. */
async function registerShop(dataFolder: string) {
  const site = await openEmbedded({ dataFolder });
  const wallets = {
    waitFor: async () => 'lost' as const,
    wallets: async () => ({ kind: 'lost' as const }),
  };
  const { cipher, clock } = site;
  const payments = new Payments({ log: site.logOf('payments'), cipher, clock, wallets });
  const usd = { currency: 'USD', fee_basis_points: 500, fee_fixed: '0', payout_minimum: '1' };
  await payments.putSeller('shop', {
    ...{ currencies: [usd], reserve_basis_points: 0, release_after_days: 7 },
    payout_schedule: 'manual',
  });
  await site.close();
}

async function secondPerson(): Promise<string> {
  const site = await openEmbedded({ dataFolder: platform.folder });
  const asked = { name: 'ben', scopes: ['payments:finance'], issuedBy: 'test' } as const;
  const issued = await issueKey(site, asked);
  if (issued.kind !== 'issued') throw new Error(issued.kind);
  await site.close();
  // The server has to hear of it.
  await until('the key of the second person', async () => {
    const answer = await platform.call('GET /v1/finance_requests', { key: issued.token });
    return answer.status === 200 || undefined;
  });
  return issued.token;
}

const pay = (checkout_id: string, card = 'pm_card_visa') =>
  platform.call('POST /v1/payments?wait_seconds=20', {
    body: {
      ...{ checkout_id, credit_card_info: card, buyer_info: { email: 'ann@example.org' } },
      payment_orders: [
        { payment_order_id: 'o-1', seller_account: 'shop', amount: '1999', currency: 'USD' },
      ],
    },
  });

/** How the order stands when it is as it should be. */
const standing = (checkout: string, state: string) =>
  until(`${checkout} ${state}`, async () => {
    const { body } = await platform.call(`GET /v1/payment_orders/${checkout}/o-1`);
    return body.state === state ? body : undefined;
  });

test('a payment is taken at the sandbox PSP that the platform has started, and its webhook arrives', async () => {
  expect((await pay('c-1')).status).toBe(201);
  expect(await standing('c-1', 'captured')).toMatchObject({ state: 'captured' });
  const { sandbox, server } = platform;
  expect(sandbox).toMatchObject({ isElsewhere: false });
  const metrics = await until('the webhook', async () => {
    const { body } = await platform.call('GET /metrics');
    return /route="\/v1\/psp\/webhooks",status="200"/.test(body) || undefined;
  });
  expect(metrics).toBe(true);
  expect((await server.inject('/readyz')).json().status).toBe('ready');
});

test('a declined card ends the order', async () => {
  await pay('c-2', 'pm_card_chargeDeclined');
  expect(await standing('c-2', 'failed')).toMatchObject({ state: 'failed' });
});

test('every order that was accepted is in one stage of the metrics, and the reactors run', async () => {
  await standing('c-2', 'failed');
  const { body } = await platform.call('GET /metrics');
  const figures = (name: string) =>
    [...String(body).matchAll(new RegExp(`^${name}(?:\\{([^}]*)\\})? (\\d+)$`, 'gm'))].map(
      ([, labels = '', value]) => [labels, Number(value)] as const,
    );
  expect(figures('annals_payment_orders_accepted')).toEqual([['', 2]]);
  expect(figures('annals_payment_orders_unaccounted')).toEqual([['', 0]]);
  expect(figures('annals_payment_orders')).toEqual([
    ['stage="in_progress",state="captured"', 1],
    ['stage="done",state="failed"', 1],
  ]);
  expect(figures('annals_payment_calls_dead')).toEqual([['', 0]]);
  expect(figures('annals_reconciliation_breaks')).toEqual([
    ['queue="finance"', 0],
    ['queue="special"', 0],
  ]);
  const running = figures('annals_reactor_state').map(([labels]) => labels);
  expect(running.toSorted()).toEqual([
    'reactor="payments-advance",state="running"',
    'reactor="payments-executor",state="running"',
    'reactor="payments-risk",state="running"',
    'reactor="payout-releases",state="running"',
    'reactor="webhook-queue",state="running"',
  ]);
});

test('a merchant who has asked for it is told', async () => {
  const told: string[] = [];
  const merchant = createServer(async (request, response) => {
    for await (const chunk of request) told.push(String(chunk));
    response.end();
  });
  await new Promise<void>((resolve) => merchant.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void merchant.close().closeAllConnections());
  const { port } = merchant.address() as AddressInfo;
  const made = await platform.call('PUT /v1/webhook_endpoints/shop-endpoint', {
    body: { url: `http://127.0.0.1:${port}/hooks`, event_types: ['*'] },
  });
  expect(made.status).toBeLessThan(300);
  await pay('c-3');
  await until('the webhook to the merchant', () => told.join().includes('c-3') || undefined);
});

test('nothing of a secret is in what is served about itself', async () => {
  const { body: metrics } = await platform.call('GET /metrics');
  const { body: ready } = await platform.call('GET /readyz');
  const [place] = paymentsSettingsOf(testConfig('x', { ANNALS_PSP_URL: 'sandbox' }))?.psps ?? [];
  for (const secret of [place?.key, place?.webhookSecrets[0]]) {
    expect(secret).toBeTruthy();
    expect(metrics).not.toContain(secret);
    expect(JSON.stringify(ready)).not.toContain(secret);
  }
});

test('a dispute about more than is left waits in the special queue, and is closed by two persons', async () => {
  expect((await pay('c-4')).status).toBe(201);
  await standing('c-4', 'captured');
  const refund = { body: { refund_id: 'r-1', amount: '1999' } };
  await platform.call('POST /v1/payment_orders/c-4/o-1/refunds', refund);
  await until('the refund', async () => {
    const { body } = await platform.call('GET /v1/payment_orders/c-4/o-1');
    return JSON.stringify(body).includes('"state":"succeeded"') || undefined;
  });
  const headers = { authorization: 'Bearer sk_test_sandbox', 'content-type': 'application/json' };
  const sandbox = async (path: string, init: RequestInit = {}) =>
    // biome-ignore lint/suspicious/noExplicitAny: as the sandbox answers.
    (await fetch(`${platform.sandbox?.url}${path}`, { ...init, headers })).json() as any;
  const { data } = await sandbox('/v1/payment_intents?limit=1');
  const amount = { method: 'POST', body: JSON.stringify({ amount: 500 }) };
  const told = await sandbox(`/sandbox/charges/${data[0]?.latest_charge}/dispute`, amount);
  expect(told).toMatchObject({ object: 'dispute', amount: 500 });
  const special = async () =>
    (await platform.call('GET /v1/reconciliation/breaks?queue=special')).body.breaks;
  const [found] = await until('the break', async () => {
    const breaks = await special();
    return breaks.length > 0 ? breaks : undefined;
  });
  expect(found).toMatchObject({ psp: 'sandbox', class: 'unidentified_row', key: told.id });
  expect(found.detail).toMatch(
    /sandbox says needs_response, 500 USD; checkout-c-4: above-captured/,
  );
  expect((await platform.call('GET /metrics')).body).toContain(
    'annals_reconciliation_breaks{queue="special"} 1',
  );
  const at = `/v1/reconciliation/sandbox/${found.date}/breaks/${found.break_id}`;
  const body = { reason: 'the bank has taken it back' };
  expect((await platform.call(`POST ${at}/resolve`, { body })).status).toBe(200);
  const closed = await platform.call(`POST ${at}/approve`, { key: await secondPerson() });
  expect(closed.body).toMatchObject({ breaks: [{ state: 'resolved' }] });
  await until('the queue to be empty', async () => (await special()).length === 0 || undefined);
});
