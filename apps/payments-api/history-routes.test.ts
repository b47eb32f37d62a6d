import { afterAll, beforeAll, expect, test } from 'vitest';
import { paymentInput, shopInput } from './testing/example-payment.ts';
import { openApi, type TestApi } from './testing/open-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
  await api.means.payments.putSeller('shop', shopInput);
  await api.call('POST /v1/payments', { body: paymentInput() });
  await api.means.payments.as('key-7').cancel('c-1', 'o-1');
});
afterAll(() => api.close());

test('a history tells what happened, when, and who asked, in parts', async () => {
  const { body } = await api.call('GET /v1/payments/c-1/history');
  expect(body).toMatchObject({
    checkout_id: 'c-1',
    events: [
      { type: 'checkout-opened', text: expect.stringContaining('100.00 USD in all') },
      {
        type: 'order-ended',
        text: expect.stringMatching(/^Order o-1 has been canceled/),
        by: 'key-7',
      },
    ],
    next: null,
  });
  expect(Date.parse(body.events[0].at)).toBeGreaterThan(0);
  const first = await api.call('GET /v1/payments/c-1/history?limit=1');
  expect(first.body).toMatchObject({ events: [body.events[0]], next: 1 });
  const rest = await api.call('GET /v1/payments/c-1/history?from=1');
  expect(rest.body).toMatchObject({ events: [body.events[1]], next: null });
});

test.each([
  ['GET /v1/payments/none/history', 404, 'unknown-checkout'],
  ['GET /v1/payments/123/history', 400, 'invalid-input'],
  ['GET /v1/payments/c-1/history?limit=0', 400, 'invalid-input'],
  ['GET /v1/payments/c-1/history?limit=1001', 400, 'invalid-input'],
  ['GET /v1/payments/c-1/history?from=-1', 400, 'invalid-input'],
  ['GET /v1/payments/c-1/history?form=1', 400, 'invalid-input'],
])('%s is answered %i', async (route, status, code) => {
  expect(await api.call(route)).toMatchObject({ status, body: { code } });
});
