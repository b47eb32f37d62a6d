import { idFromKey, newId } from '@annals/core';
import { describeEveryRoute } from '@annals/http/testing';
import { webhookQueue } from '@annals/payments/webhooks-out';
import { runReactor } from '@annals/projection';
import { expect, vi } from 'vitest';
import { pageInput, paymentInput, shopInput } from './testing/example-payment.ts';
import { openApi, type TestApi } from './testing/open-api.ts';
import { assess, disputed, told } from './testing/told-by-provider.ts';

const position = '0:0000000000000001';
const headers = { 'min-position': position };
const read = { 'min-position': position };
const order = { checkout_id: 'c-auth', payment_order_id: 'o-1' };
const of = (checkout_id: string) => ({ ...order, checkout_id });
const key = (name: string) => ({ 'idempotency-key': name });
const times = { from: '2026-01-01T00:00:00Z', before: '2099-01-01T00:00:00Z' };
const url = 'https://shop.example/back';

const hook = { endpoint_id: 'hook-1' };
const hookUrl = 'https://shop.example/hooks';
const delivery_id = idFromKey('delivery', 'hook-1', idFromKey('checkout-opened', 'c-auth'));
const cursor = `1.${delivery_id}`;
const entry = {
  currency: 'USD',
  lines: [{ debit: 'losses', credit: 'seller_available:shop', amount: '250' }],
};
/** Where the release of c-out is: the last event of its stream. */
const booked = { stream: 'checkout-c-out', revision: 0 };

const day = { psp: 'stripe', date: '2024-02-01' };
/** What nobody can read in a file, three times: to be asked about, approved and rejected. */
const [toAsk, toApprove, toReject] = ['', '', ''].map((break_id) => ({ ...day, break_id })) as [
  typeof day & { break_id: string },
  typeof day & { break_id: string },
  typeof day & { break_id: string },
];

/** Compares a file of bad lines, and asks for a resolution of two of them. */
async function broken({ server, call, issueKey }: TestApi): Promise<void> {
  const header =
    'balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id';
  const answer = await server.inject({
    ...{ method: 'POST', url: `/v1/reconciliation/${day.psp}/${day.date}/files` },
    headers: {
      authorization: `Bearer ${issueKey(['payments:finance'])}`,
      'content-type': 'text/csv',
    },
    payload: `${header}\none\ntwo\nthree\n`,
  });
  const { report } = answer.json() as { readonly report: { breaks: { break_id: string }[] } };
  for (const [at, one] of [toAsk, toApprove, toReject].entries()) {
    one.break_id = report.breaks[at]?.break_id ?? '';
    const path = `/v1/reconciliation/${day.psp}/${day.date}/breaks/${one.break_id}/resolve`;
    if (at > 0) await call(`POST ${path}`, { body: { reason: 'a page number' } });
  }
}

/** Two entries by hand that somebody else has asked for. */
async function asked({ means, log }: TestApi): Promise<void> {
  const { events } = await log.readStream(booked.stream);
  booked.revision = events.at(-1)?.revision ?? 0;
  for (const id of ['m-1', 'm-2']) {
    const command = { id, entry, corrects: booked, reason: 'charged twice', by: 'somebody' };
    expect(await means.finance?.requestEntry(command)).toMatchObject({ kind: 'changed' });
  }
}

/** Until the delivery log shows that c-auth is to be told. */
async function queued({ means: { log, cipher, clock, webhooks } }: TestApi): Promise<void> {
  const stop = new AbortController();
  const reactor = webhookQueue({ log, cipher, clock });
  const { signal } = stop;
  const run = runReactor({ log, cipher, clock, reactor, signal, runId: newId(), from: {} });
  await vi.waitFor(async () => {
    const found = await webhooks?.deliveries.delivery(hook.endpoint_id, delivery_id);
    expect(found).toMatchObject({ delivery: { state: 'waiting' } });
  }, 10_000);
  stop.abort();
  await run;
}

describeEveryRoute('payments', {
  open: async () => {
    const api = await openApi();
    await api.means.payments.putSeller('shop', shopInput);
    await api.means.payments.putBank('shop', 'ba_1');
    await api.means.webhooks?.put(hook.endpoint_id, { url: hookUrl, eventTypes: ['*'], by: 'ann' });
    for (const id of ['c-auth', 'c-new', 'c-paid', 'c-out', 'c-disputed', 'c-review']) {
      await api.call('POST /v1/payments', { body: paymentInput(id) });
    }
    await told(api, 'c-auth', 'authorized');
    for (const id of ['c-paid', 'c-out', 'c-disputed']) await told(api, id, 'captured');
    await disputed(api, 'c-disputed', 'dp_1');
    await assess(api, 'c-review', 'review');
    const { body } = await api.call('POST /v1/payment_orders/c-out/o-1/delivered');
    const wallet = await api.call(`GET /v1/wallets/shop?min-position=${body.position}`);
    expect(wallet.body.wallets).toMatchObject([{ currency: 'USD', available: '9500' }]);
    await asked(api);
    await queued(api);
    await broken(api);
    return {
      ...api,
      // What tells of keys is no part of what is stored of payments.
      stored: () => api.log.head(),
    };
  },
  // Any scope of payments lets payments be read: scopes.test.ts has who may call what.
  outsiderScope: 'scores:read',
  // Its body is a file, and no JSON: reconciliation.test.ts has what it refuses.
  covers: (route) => route !== 'POST /v1/reconciliation/{psp}/{date}/files',
  examples: {
    'POST /v1/payments': {
      headers: key('k-1'),
      query: { wait_seconds: 0 },
      body: paymentInput('c-1', {
        payment_orders: [
          {
            ...{ payment_order_id: 'o-1', seller_account: 'shop', amount: '100', currency: 'USD' },
            description: 'a book',
          },
        ],
        capture: 'manual',
        return_url: url,
      }),
    },
    'POST /v1/payment_pages': {
      ...{ headers: key('k-page'), query: { wait_seconds: 0 } },
      body: pageInput('c-page', { capture: 'manual' }),
    },
    'GET /v1/payments/{checkout_id}': { params: { checkout_id: 'c-1' }, query: read, headers },
    'GET /v1/payment_orders/{checkout_id}/{payment_order_id}': {
      ...{ params: order, query: read, headers },
    },
    'POST /v1/payment_orders/{checkout_id}/{payment_order_id}/capture': {
      ...{ params: order, headers: key('k-2'), body: { amount: '7000' } },
    },
    'POST /v1/payment_orders/{checkout_id}/{payment_order_id}/cancel': {
      ...{ params: of('c-new'), headers: key('k-3') },
    },
    'POST /v1/payment_orders/{checkout_id}/{payment_order_id}/delivered': {
      ...{ params: of('c-paid'), headers: key('k-4') },
    },
    'POST /v1/payment_orders/{checkout_id}/{payment_order_id}/refunds': {
      ...{ params: of('c-paid'), headers: key('k-5') },
      body: { refund_id: 'r-1', amount: '100' },
    },
    'POST /v1/payment_orders/{checkout_id}/{payment_order_id}/disputes/{dispute_id}/evidence': {
      ...{ params: { ...of('c-disputed'), dispute_id: 'dp_1' }, headers: key('k-6') },
      body: { evidence: { statement: 'it was delivered', shipping_carrier: 'post' } },
    },
    'POST /v1/payment_orders/{checkout_id}/{payment_order_id}/review': {
      ...{ params: of('c-review'), headers: key('k-7'), body: { verdict: 'approved' } },
    },
    'GET /v1/payment_orders': {
      query: { seller_account: 'shop', limit: 2, ...read },
      headers,
    },
    'GET /v1/reviews': { query: { limit: 2, ...read }, headers },
    'PUT /v1/sellers/{seller_account}': {
      params: { seller_account: 'shop-2' },
      body: { ...shopInput, payout_schedule: 'weekly', payout_day: 2, bank_token: 'ba_2' },
    },
    'GET /v1/sellers/{seller_account}': {
      ...{ params: { seller_account: 'shop' }, query: read, headers },
    },
    'GET /v1/wallets/{seller_account}': {
      ...{ params: { seller_account: 'shop' }, query: read, headers },
    },
    'POST /v1/payouts': {
      headers: key('k-8'),
      body: { seller_account: 'shop', payout_id: 'p-1', currency: 'USD', amount: '1000' },
    },
    'GET /v1/payouts': { query: { seller_account: 'shop', limit: 2, ...read }, headers },
    'GET /v1/ledger/accounts': { query: { account: 'buyer', limit: 2, ...read }, headers },
    'GET /v1/ledger/entries': { query: { account: 'buyer', ...times, limit: 2, ...read }, headers },
    'GET /v1/ledger/entries.csv': { query: { account: 'buyer', ...times, ...read }, headers },
    'GET /v1/ledger/trial_balance': {
      query: { before: '2099-01-01T00:00:00Z', ...read },
      headers,
    },
    'GET /v1/reports/summary': {
      query: {
        ...{ from: '2026-01-01', to: '2026-12-31', currency: 'USD', seller_account: 'shop' },
        ...{ by: 'day', ...read },
      },
      headers,
    },
    'GET /v1/payments/{checkout_id}/history': {
      ...{ params: { checkout_id: 'c-out' }, query: { from: 1, limit: 2 } },
    },
    'POST /v1/deny_list': {
      ...{
        headers: key('k-deny'),
        body: { list: 'card', checkout_id: 'c-paid', reason: 'stolen' },
      },
    },
    'POST /v1/deny_list/lift': {
      headers: key('k-lift'),
      body: { list: 'buyer', value: 'bob@example.org', reason: 'a mistake' },
    },
    'GET /v1/deny_list': { query: { limit: 10 } },
    'GET /v1/finance_requests': { query: { state: 'requested' } },
    'GET /v1/finance_requests/{request_id}': { params: { request_id: 'm-1' } },
    'PUT /v1/manual_entries/{request_id}': {
      params: { request_id: 'm-3' },
      body: { entry, corrects: booked, reason: 'charged twice' },
    },
    'POST /v1/finance_requests/{request_id}/approve': { params: { request_id: 'm-1' } },
    'POST /v1/finance_requests/{request_id}/reject': {
      ...{ params: { request_id: 'm-2' }, body: { reason: 'not so' } },
    },
    'GET /v1/reconciliation/{psp}/{date}': { params: day, query: { format: 'json' } },
    'GET /v1/reconciliation/breaks': {
      query: { queue: 'special', state: 'open', after: `1~${delivery_id}`, limit: 2 },
    },
    'POST /v1/reconciliation/{psp}/{date}/breaks/{break_id}/assign': {
      ...{ params: toAsk, body: { to: 'ben' } },
    },
    'POST /v1/reconciliation/{psp}/{date}/breaks/{break_id}/comments': {
      ...{ params: toAsk, body: { comment: 'the provider was asked' } },
    },
    'POST /v1/reconciliation/{psp}/{date}/breaks/{break_id}/resolve': {
      params: toAsk,
      body: {
        ...{ reason: 'looked into' },
        entry: {
          ...{ currency: 'USD' },
          lines: [{ debit: 'losses', credit: 'suspense', amount: '250' }],
        },
      },
    },
    'POST /v1/reconciliation/{psp}/{date}/breaks/{break_id}/approve': { params: toApprove },
    'POST /v1/reconciliation/{psp}/{date}/breaks/{break_id}/reject': {
      ...{ params: toReject, body: { reason: 'not so' } },
    },
    'GET /v1/webhook_endpoints': {},
    'GET /v1/webhook_endpoints/{endpoint_id}': { params: hook },
    'PUT /v1/webhook_endpoints/{endpoint_id}': {
      ...{ params: { endpoint_id: 'hook-2' }, headers: key('k-20') },
      body: { url: hookUrl, event_types: ['payout.paid'] },
    },
    'POST /v1/webhook_endpoints/{endpoint_id}/secret': {
      ...{ params: hook, headers: key('k-21'), body: { keep_old_seconds: 60 } },
    },
    'PUT /v1/webhook_endpoints/{endpoint_id}/enabled': {
      ...{ params: hook, body: { enabled: false, reason: 'we move' } },
    },
    'DELETE /v1/webhook_endpoints/{endpoint_id}': { params: { endpoint_id: 'hook-2' } },
    'GET /v1/webhook_endpoints/{endpoint_id}/deliveries': {
      params: hook,
      query: { state: 'waiting', since: times.from, cursor, limit: 2 },
    },
    'POST /v1/webhook_endpoints/{endpoint_id}/deliveries/{delivery_id}/replay': {
      params: { ...hook, delivery_id },
    },
    'POST /v1/webhook_endpoints/{endpoint_id}/replay': {
      ...{ params: hook, body: { since: times.from, cursor } },
    },
  },
});
