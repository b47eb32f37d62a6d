import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { paymentInput, shopInput } from './testing/example-payment.ts';
import { openApi, type TestApi } from './testing/open-api.ts';

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
});
