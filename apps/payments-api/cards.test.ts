import { afterAll, beforeAll, expect, test } from 'vitest';
import { orderInput, pageInput, paymentInput, shopInput } from './testing/example-payment.ts';
import { openApi, type TestApi } from './testing/open-api.ts';

/** A card number that comes by mistake is refused, and stays nowhere. */

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
  await api.means.payments.putSeller('shop', shopInput);
});
afterAll(() => api.close());

const numbers = ['4242424242424242', '4242 4242 4242 4242', '3782-822463-10005'];

const places: readonly (readonly [
  route: string,
  field: string,
  bodyOf: (pan: string) => object,
])[] = [
  [
    'POST /v1/payments',
    'credit_card_info',
    (pan) => paymentInput('c-1', { credit_card_info: pan }),
  ],
  [
    'POST /v1/payments',
    'credit_card_info',
    (pan) => paymentInput('c-1', { credit_card_info: `card_${pan.replaceAll(' ', '-')}` }),
  ],
  ['POST /v1/payments', 'buyer_info.note', (note) => paymentInput('c-1', { buyer_info: { note } })],
  [
    'POST /v1/payments',
    'payment_orders.0.description',
    (description) =>
      paymentInput('c-1', {
        payment_orders: [{ ...orderInput(), description: `for ${description}` }],
      }),
  ],
  [
    'POST /v1/payments',
    'return_url',
    (pan) =>
      paymentInput('c-1', { return_url: `https://shop.example/?card=${pan.replaceAll(' ', '-')}` }),
  ],
  ['POST /v1/payments', 'checkout_id', (checkout_id) => ({ ...paymentInput(), checkout_id })],
  [
    'POST /v1/payments',
    'payment_orders.0.payment_order_id',
    (id) => paymentInput('c-1', { payment_orders: [orderInput(id)] }),
  ],
  [
    'POST /v1/payment_pages',
    'buyer_info.note',
    (note) => pageInput('c-1', { buyer_info: { note } }),
  ],
  [
    'POST /v1/payment_pages',
    'return_url',
    (pan) =>
      pageInput('c-1', { return_url: `https://shop.example/?card=${pan.replaceAll(' ', '-')}` }),
  ],
  ['POST /v1/payment_pages', 'checkout_id', (checkout_id) => ({ ...pageInput(), checkout_id })],
  ['PUT /v1/sellers/shop-2', 'bank_token', (bank_token) => ({ ...shopInput, bank_token })],
  ['PUT /v1/sellers/shop-2', 'bank_token', (pan) => ({ ...shopInput, bank_token: `ba_${pan}` })],
];

test.each(places)('%s: %s', async (route, field, bodyOf) => {
  const before = await api.log.head();
  for (const pan of numbers) {
    const answer = await api.call(route, { body: bodyOf(pan) });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-input' } });
    expect(answer.body.errors[0]).toMatchObject({ in: 'body', field });
    for (const text of [answer.text, ...api.lines]) expect(text).not.toContain(pan);
  }
  expect(await api.log.head()).toEqual(before);
  expect(api.lines.length).toBeGreaterThan(0);
});

test('as the name of a buyer’s field it is refused, too', async () => {
  const before = await api.log.head();
  const buyer_info = { [numbers[0] as string]: 'x' };
  const answer = await api.call('POST /v1/payments', { body: paymentInput('c-1', { buyer_info }) });
  expect(answer).toMatchObject({ status: 400, body: { errors: [{ field: 'buyer_info' }] } });
  expect(answer.text).not.toContain(numbers[0]);
  expect(await api.log.head()).toEqual(before);
});

test('numbers that are none of a card are taken', async () => {
  const buyer_info = { phone: '+49 30 1234567', reference: '4242424242424241' };
  const answer = await api.call('POST /v1/payments', { body: paymentInput('c-2', { buyer_info }) });
  expect(answer.status).toBe(202);
});
