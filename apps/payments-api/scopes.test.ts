import { scopes as known } from '@annals/iam';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { paymentsRoutes, scopes } from './index.ts';
import { openApi, type TestApi } from './testing/open-api.ts';

/** Who may call what. A route that is not here fails the first test. */
const table: { readonly [route: string]: keyof typeof scopes } = {
  'POST /v1/payments': 'pay',
  'POST /v1/payment_pages': 'pay',
  'GET /v1/payments/:checkout_id': 'read',
  'GET /v1/payment_orders/:checkout_id/:payment_order_id': 'read',
  'POST /v1/payment_orders/:checkout_id/:payment_order_id/capture': 'sell',
  'POST /v1/payment_orders/:checkout_id/:payment_order_id/cancel': 'sell',
  'POST /v1/payment_orders/:checkout_id/:payment_order_id/delivered': 'sell',
  'POST /v1/payment_orders/:checkout_id/:payment_order_id/refunds': 'sell',
  'POST /v1/payment_orders/:checkout_id/:payment_order_id/disputes/:dispute_id/evidence': 'sell',
  'POST /v1/payment_orders/:checkout_id/:payment_order_id/review': 'finance',
  'GET /v1/payment_orders': 'sell',
  'GET /v1/reviews': 'finance',
  'PUT /v1/sellers/:seller_account': 'admin',
  'GET /v1/sellers/:seller_account': 'finance',
  'GET /v1/wallets/:seller_account': 'finance',
  'POST /v1/payouts': 'finance',
  'GET /v1/payouts': 'finance',
  'GET /v1/ledger/accounts': 'finance',
  'GET /v1/ledger/entries': 'finance',
  'GET /v1/ledger/entries.csv': 'finance',
  'GET /v1/ledger/trial_balance': 'finance',
  'GET /v1/reports/summary': 'finance',
  'GET /v1/payments/:checkout_id/history': 'read',
  'POST /v1/deny_list': 'finance',
  'POST /v1/deny_list/lift': 'finance',
  'GET /v1/deny_list': 'finance',
  'GET /v1/finance_requests': 'finance',
  'GET /v1/finance_requests/:request_id': 'finance',
  'PUT /v1/manual_entries/:request_id': 'finance',
  'POST /v1/finance_requests/:request_id/approve': 'finance',
  'POST /v1/finance_requests/:request_id/reject': 'finance',
  'POST /v1/reconciliation/:psp/:date/files': 'finance',
  'GET /v1/reconciliation/:psp/:date': 'finance',
  'GET /v1/reconciliation/breaks': 'finance',
  'POST /v1/reconciliation/:psp/:date/breaks/:break_id/assign': 'finance',
  'POST /v1/reconciliation/:psp/:date/breaks/:break_id/comments': 'finance',
  'POST /v1/reconciliation/:psp/:date/breaks/:break_id/resolve': 'finance',
  'POST /v1/reconciliation/:psp/:date/breaks/:break_id/approve': 'finance',
  'POST /v1/reconciliation/:psp/:date/breaks/:break_id/reject': 'finance',
  'GET /v1/webhook_endpoints': 'sell',
  'GET /v1/webhook_endpoints/:endpoint_id': 'sell',
  'PUT /v1/webhook_endpoints/:endpoint_id': 'admin',
  'POST /v1/webhook_endpoints/:endpoint_id/secret': 'admin',
  'PUT /v1/webhook_endpoints/:endpoint_id/enabled': 'admin',
  'DELETE /v1/webhook_endpoints/:endpoint_id': 'admin',
  'GET /v1/webhook_endpoints/:endpoint_id/deliveries': 'sell',
  'POST /v1/webhook_endpoints/:endpoint_id/deliveries/:delivery_id/replay': 'sell',
  'POST /v1/webhook_endpoints/:endpoint_id/replay': 'sell',
};

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api.close());

test('every route has a scope of the table, which keys can be issued with', () => {
  const routes = paymentsRoutes(api.means).map(({ method, url, scope }) => [
    `${method} ${url}`,
    scope,
  ]);
  expect(Object.fromEntries(routes)).toEqual(
    Object.fromEntries(Object.entries(table).map(([route, name]) => [route, scopes[name]])),
  );
  for (const scope of Object.values(scopes)) expect(Object.keys(known)).toContain(scope);
});

describe.each(Object.entries(scopes))('a key of %s', (name, scope) => {
  test('is let in where it may be, and nowhere else', async () => {
    const key = api.issueKey([scope]);
    for (const [route, needed] of Object.entries(table)) {
      const path = route.replace(/:\w+/g, 'x-1');
      // Whoever is let in is told of what is wrong with this, or gets an answer.
      const { status, body } = await api.call(path, { key });
      const isLetIn = needed === name || needed === 'read';
      expect([route, status === 403]).toEqual([route, !isLetIn]);
      if (!isLetIn)
        expect(body).toMatchObject({ code: 'insufficient-scope', scope: scopes[needed] });
    }
  });
});
