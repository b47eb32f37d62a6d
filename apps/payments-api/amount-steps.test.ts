import { afterAll, beforeAll, expect, test } from 'vitest';
import { pageInput, paymentInput, shopInput } from './testing/example-payment.ts';
import { openApi, type TestApi } from './testing/open-api.ts';

/** Dinars of Kuwait have three decimals, and the provider takes them in tens. */

let api: TestApi;
beforeAll(async () => {
  api = await openApi({ pays: true });
  const [usd] = shopInput.currencies;
  const kwd = { ...usd, currency: 'KWD', fee_basis_points: 503 } as NonNullable<typeof usd>;
  await api.means.payments.putSeller('shop', { ...shopInput, currencies: [kwd] });
  await api.means.payments.putBank('shop', 'ba_sandbox');
});
afterAll(() => api.close());

function order(amount: string) {
  const orders = [{ payment_order_id: 'o-1', seller_account: 'shop', amount, currency: 'KWD' }];
  return { payment_orders: orders };
}

const route = '/v1/payment_orders/c-1/o-1';
const within = { timeout: 20_000, interval: 20 };

async function get(path: string) {
  return (await api.call(`GET ${path}`)).body;
}

async function refused(what: string, body: object, field = 'amount') {
  const answer = await api.call(what, { body, headers: { 'idempotency-key': 'k-refused' } });
  expect(answer).toMatchObject({
    status: 400,
    body: {
      code: 'amount-step',
      errors: [{ in: 'body', field, message: expect.stringContaining('multiple of 10 minor') }],
    },
  });
}

test('what the provider takes in tens only is refused with the field and the step, and nothing is written', async () => {
  const before = await api.log.head();
  const first = 'payment_orders.0.amount';
  await refused('POST /v1/payments', paymentInput('c-0', order('1999')), first);
  await refused('POST /v1/payment_pages', pageInput('c-0', order('1999')), first);
  expect(await api.log.head()).toEqual(before);
  const body = paymentInput('c-1', { ...order('10000'), capture: 'manual' });
  const taken = await api.call('POST /v1/payments?wait_seconds=20', { body });
  expect(taken.body.payment_orders).toMatchObject([{ state: 'authorized' }]);
  await refused(`POST ${route}/capture`, { amount: '1999' });
  const capture = await api.call(`POST ${route}/capture`, { body: {} });
  expect(capture.status).toBe(202);
  await expect.poll(async () => (await get(route)).state, within).toBe('captured');
  await refused(`POST ${route}/refunds`, { refund_id: 'r-1', amount: '5' });
});

test('a payout takes as many tens as are available, and the rest stays', async () => {
  await api.provider.topUp(10_000, 'KWD');
  await api.call(`POST ${route}/delivered`);
  const available = async () => (await get('/v1/wallets/shop')).wallets[0]?.available;
  // 5.03 % of 10.000 KWD is 0.503.
  await expect.poll(available, within).toBe('9497');
  const asked = { seller_account: 'shop', payout_id: 'p-1', currency: 'KWD' };
  await refused('POST /v1/payouts', { ...asked, amount: '9497' });
  const paid = await api.call('POST /v1/payouts', { body: asked });
  expect(paid).toMatchObject({ status: 202, body: { amount: '9490' } });
  const state = async () => (await get('/v1/payouts?seller_account=shop')).data[0]?.state;
  await expect.poll(state, within).toBe('paid');
  expect(await available()).toBe('7');
});
