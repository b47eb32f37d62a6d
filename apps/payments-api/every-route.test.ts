import { describeEveryRoute } from '@annals/http/testing';
import { expect } from 'vitest';
import { paymentInput, shopInput } from './testing/example-payment.ts';
import { openApi } from './testing/open-api.ts';
import { assess, disputed, told } from './testing/told-by-provider.ts';

const position = '0:0000000000000001';
const headers = { 'min-position': position };
const read = { 'min-position': position };
const order = { checkout_id: 'c-auth', payment_order_id: 'o-1' };
const of = (checkout_id: string) => ({ ...order, checkout_id });
const key = (name: string) => ({ 'idempotency-key': name });
const times = { from: '2026-01-01T00:00:00Z', before: '2099-01-01T00:00:00Z' };
const url = 'https://shop.example/back';

describeEveryRoute('payments', {
  open: async () => {
    const api = await openApi();
    await api.means.payments.putSeller('shop', shopInput);
    await api.means.payments.putBank('shop', 'ba_1');
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
    return {
      ...api,
      // What tells of keys is no part of what is stored of payments.
      stored: () => api.log.head(),
    };
  },
  // Any scope of payments lets payments be read: scopes.test.ts has who may call what.
  outsiderScope: 'scores:read',
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
    },
    'POST /v1/payment_orders/{checkout_id}/{payment_order_id}/review': {
      ...{ params: of('c-review'), headers: key('k-7'), body: { verdict: 'approved' } },
    },
    'GET /v1/payment_orders': {
      query: { seller_account: 'shop', limit: 2, ...read },
      headers,
    },
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
  },
});
