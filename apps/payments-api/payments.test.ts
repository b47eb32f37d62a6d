import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { paymentInput, shopInput } from './testing/example-payment.ts';
import { call, openApi, type TestApi } from './testing/open-api.ts';
import { captureRefused, told } from './testing/told-by-provider.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
  await api.means.payments.putSeller('shop', shopInput);
});
afterAll(() => api.close());

describe('a payment', () => {
  test('is taken, and is read at the position that was answered', async () => {
    const taken = await api.call('POST /v1/payments', { body: paymentInput() });
    expect(taken).toMatchObject({
      status: 202,
      body: {
        ...{ checkout_id: 'c-1', status: 'open', currency: 'USD', amount: '10000' },
        next_action: null,
        payment_orders: [{ payment_order_id: 'o-1', state: 'not_started' }],
      },
    });
    const { position } = taken.body;
    const read = await api.call(`GET /v1/payments/c-1?min-position=${position}`);
    const order = { payment_order_id: 'o-1', seller_account: 'shop', state: 'not_started' };
    expect(read).toMatchObject({ status: 200, body: { status: 'open', payment_orders: [order] } });
    const one = await api.call('GET /v1/payment_orders/c-1/o-1', {
      headers: { 'min-position': position },
    });
    expect(one).toMatchObject({ status: 200, body: { checkout_id: 'c-1', ...order } });
    expect(one.body.as_of).toBeTruthy();
  });

  test('is read from its own stream where the read model is lost; lists say how to repair it', async () => {
    const { paymentsRead } = api.means;
    const lost = async () => ({ kind: 'lost' }) as const;
    const other = await api.otherProcess({
      paymentsRead: { ...paymentsRead, checkout: lost, ordersOfSeller: lost },
    });
    const taken = await api.call('POST /v1/payments', { body: paymentInput('c-2') });
    const read = await call(other, 'GET /v1/payments/c-2', {});
    expect(read).toMatchObject({ status: 200, body: { checkout_id: 'c-2' } });
    expect(read.body.as_of).toBe(taken.body.position);
    expect((await call(other, 'GET /v1/payments/c-none', {})).status).toBe(404);
    const list = await call(other, 'GET /v1/payment_orders?seller_account=shop', {});
    expect(list).toMatchObject({ status: 503, body: { code: 'read-model-lost' } });
    expect(list.body.command).toContain('npx annals rebuild payments');
    await other.stop();
  });

  test('is there at once, also while the read model lags; what only that has waits, and says so', async () => {
    const late = async () => 'late' as const;
    const { paymentsRead, wallets } = api.means;
    const checkout: typeof paymentsRead.checkout = async () => {
      return { kind: 'answer', asOf: {}, checkout: undefined };
    };
    const other = await api.otherProcess({
      paymentsRead: { ...paymentsRead, checkout, waitFor: late },
      wallets: { ...wallets, waitFor: late },
    });
    const taken = await api.call('POST /v1/payments', { body: paymentInput('c-3') });
    const at = `min-position=${taken.body.position}`;
    expect((await call(other, `GET /v1/payments/c-3?${at}`, {})).status).toBe(200);
    expect((await call(other, 'GET /v1/payments/c-3', {})).status).toBe(200);
    const wallet = await call(other, `GET /v1/wallets/shop?${at}`, {});
    expect(wallet).toMatchObject({ status: 503, body: { code: 'not-there-yet' } });
    expect(wallet.headers['retry-after']).toBe('1');
    const ahead = await call(other, 'GET /v1/payments/c-3?min-position=0:9999999999999999', {});
    expect(ahead).toMatchObject({ status: 409, body: { code: 'position-ahead' } });
    await other.stop();
  });
});

test('a capture that the provider refused is shown with its reason, until it is asked for again', async () => {
  const body = { ...paymentInput('c-4'), capture: 'manual' };
  await api.call('POST /v1/payments', { body });
  await told(api, 'c-4', 'authorized');
  const order = 'POST /v1/payment_orders/c-4/o-1';
  const capture = (key: string, amount: string) =>
    api.call(`${order}/capture`, { body: { amount }, headers: { 'idempotency-key': key } });
  const shown = async (position: string) => {
    const read = await api.call(`GET /v1/payment_orders/c-4/o-1?min-position=${position}`);
    return read.body;
  };
  const first = await capture('capture-1', '1999');
  expect(first).toMatchObject({ status: 202, body: { state: 'authorized' } });
  expect((await shown(first.body.position)).refused).toBeNull();
  expect(await capture('capture-2', '2000')).toMatchObject({ body: { code: 'in-progress' } });
  await captureRefused(api, 'c-4');
  const refused = { call: 'capture', reason: 'invalid_request', detail: 'Too little.' };
  await expect
    .poll(() => shown(first.body.position), { timeout: 5_000 })
    .toMatchObject({ state: 'authorized', authorized: '10000', refused });
  const second = await capture('capture-3', '2000');
  expect(second).toMatchObject({ status: 202 });
  expect((await shown(second.body.position)).refused).toBeNull();
});

test('the OpenAPI document has each route with its scope, and an export as what it is', async () => {
  const { body } = await api.call('GET /openapi.json');
  const take = body.paths['/v1/payments'].post;
  expect(take.security).toEqual([{ bearer: ['payments:buyer'] }]);
  expect(take.responses['409'].description).toContain('request-in-flight');
  const csv = body.paths['/v1/ledger/entries.csv'].get;
  expect(Object.keys(csv.responses['200'].content)).toEqual(['text/csv']);
});
