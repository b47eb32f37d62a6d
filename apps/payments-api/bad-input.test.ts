import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { orderInput, pageInput, paymentInput, shopInput } from './testing/example-payment.ts';
import { openApi, type TestApi } from './testing/open-api.ts';
import { told } from './testing/told-by-provider.ts';

/** What is wrong with a request is said by name, and nothing is written: neither to the log nor to the store of keys. */

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
  await api.means.payments.putSeller('shop', shopInput);
  await api.call('POST /v1/payments', { body: paymentInput('c-1') });
  await told(api, 'c-1', 'captured');
});
afterAll(() => api.close());

let before: unknown;
beforeEach(async () => {
  before = await api.log.head();
});

async function refused(route: string, body: unknown, field: string, status = 400) {
  const answer = await api.call(route, { body, headers: { 'idempotency-key': 'k-1' } });
  expect(answer).toMatchObject({ status });
  const fields = answer.body.errors.map((one: { readonly field: string }) => one.field);
  expect(fields).toContain(field);
  expect(await api.log.head()).toEqual(before);
  return answer.body;
}

const badAmounts: readonly (readonly [what: string, amount: unknown])[] = [
  ['a number', 1999],
  ['a number with a fraction', 19.99],
  ['below zero', '-1'],
  ['zero', '0'],
  ['of 19 digits', '1'.repeat(19)],
  ['of 40 digits', '9'.repeat(40)],
  ['with another exponent than minor units', '19.99'],
  ['with a power of ten', '1e3'],
  ['with leading zeros', '0199'],
  ['with a sign', '+5'],
  ['with blanks', ' 5'],
  ['grouped', '1,000'],
  ['of other digits', '١٩٩'],
  ['empty', ''],
  ['null', null],
];

const seller = (fee: object) => ({
  ...shopInput,
  currencies: [{ ...shopInput.currencies[0], ...fee }],
});

const amountFields: readonly (readonly [
  route: string,
  field: string,
  body: (amount: unknown) => object,
])[] = [
  [
    'POST /v1/payments',
    'payment_orders.0.amount',
    (amount) => paymentInput('c-2', { payment_orders: [{ ...orderInput(), amount }] }),
  ],
  [
    'POST /v1/payment_pages',
    'payment_orders.0.amount',
    (amount) => pageInput('c-2', { payment_orders: [{ ...orderInput(), amount }] }),
  ],
  ['POST /v1/payment_orders/c-1/o-1/capture', 'amount', (amount) => ({ amount })],
  ['POST /v1/payment_orders/c-1/o-1/refunds', 'amount', (amount) => ({ amount })],
  ['POST /v1/payouts', 'amount', (amount) => ({ seller_account: 'shop', currency: 'USD', amount })],
  [
    'PUT /v1/sellers/shop-2',
    'currencies.0.payout_minimum',
    (payout_minimum) => seller({ payout_minimum }),
  ],
];

describe.each(amountFields)('%s: %s', (route, field, bodyOf) => {
  test.each(badAmounts)('%s', async (_, amount) => {
    await refused(route, bodyOf(amount), field);
  });
});

const currencyFields: readonly (readonly [string, string, (currency: unknown) => object])[] = [
  [
    'POST /v1/payments',
    'payment_orders.0.currency',
    (currency) => paymentInput('c-2', { payment_orders: [{ ...orderInput(), currency }] }),
  ],
  ['POST /v1/payouts', 'currency', (currency) => ({ seller_account: 'shop', currency })],
  ['PUT /v1/sellers/shop-2', 'currencies.0.currency', (currency) => seller({ currency })],
];

describe.each(currencyFields)('%s: %s', (route, field, bodyOf) => {
  test.each(['XYZ', 'usd', 'US', '', 'USDT', 840, null])('%j', async (currency) => {
    await refused(route, bodyOf(currency), field);
  });
});

const orders = (count: number) => Array.from({ length: count }, (_, at) => orderInput(`o-${at}`));
const manyFields = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`f${at}`, 'x']));

const badPayments: readonly (readonly [string, string, object, status?: number])[] = [
  ['no orders', 'payment_orders', { payment_orders: [] }],
  ['1,001 orders', 'payment_orders', { payment_orders: orders(1_001) }],
  [
    'two orders of one id',
    'payment_orders.1.payment_order_id',
    { payment_orders: [orderInput('o-1'), orderInput('o-1', '5')] },
  ],
  [
    'mixed currencies',
    'payment_orders.1.currency',
    { payment_orders: [orderInput('o-1'), { ...orderInput('o-2'), currency: 'JPY' }] },
  ],
  [
    'an unknown seller',
    'payment_orders.1.seller_account',
    { payment_orders: [orderInput('o-1'), { ...orderInput('o-2'), seller_account: 'nobody' }] },
    404,
  ],
  [
    'a currency that the seller does not sell in',
    'payment_orders.0.currency',
    { payment_orders: [{ ...orderInput(), currency: 'KWD' }] },
    409,
  ],
  [
    'a value of the buyer that is too long',
    'buyer_info.note',
    { buyer_info: { note: 'x'.repeat(513) } },
  ],
  ['too many fields of the buyer', 'buyer_info', { buyer_info: manyFields }],
  ['a number said of the buyer', 'buyer_info.age', { buyer_info: { age: 7 } }],
  [
    'orders that are too large together',
    'payment_orders',
    { payment_orders: orders(1_000).map((one) => ({ ...one, description: 'x'.repeat(255) })) },
  ],
  ['an id without a letter', 'checkout_id', { checkout_id: '4242424242424242' }],
  [
    'an order id without a letter',
    'payment_orders.0.payment_order_id',
    { payment_orders: [orderInput('12-34')] },
  ],
  ['an id with a slash', 'checkout_id', { checkout_id: 'a/b' }],
  ['a card token that is a number', 'credit_card_info', { credit_card_info: '123456' }],
  ['an address that is no web address', 'return_url', { return_url: 'javascript:alert(1)' }],
  ['an unknown capture', 'capture', { capture: 'later' }],
];

describe('POST /v1/payment_pages', () => {
  const rows = badPayments
    .filter(([, field]) => field !== 'credit_card_info')
    .map(([what, field, more, status = 400]) => ({ what, field, more, status }));
  test.each(rows)('$what', async ({ field, more, status }) => {
    await refused('POST /v1/payment_pages', pageInput('c-2', more), field, status);
  });

  test('no place to lead back to', async () => {
    await refused(
      'POST /v1/payment_pages',
      pageInput('c-2', { return_url: undefined }),
      'return_url',
    );
  });

  test('a token, too, is not taken: it belongs to the other route', async () => {
    const body = pageInput('c-2', { credit_card_info: 'pm_card_visa' });
    const answer = await api.call('POST /v1/payment_pages', { body });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-input' } });
    expect(answer.text).toContain('credit_card_info');
    expect(await api.log.head()).toEqual(before);
  });

  test('a payment that no provider takes', async () => {
    const payment_orders = [{ ...orderInput(), currency: 'JPY' }];
    const answer = await api.call('POST /v1/payment_pages', {
      body: pageInput('c-2', { payment_orders }),
    });
    expect(answer).toMatchObject({ status: 422, body: { code: 'no-provider' } });
    expect(await api.log.head()).toEqual(before);
  });
});

describe('POST /v1/payments', () => {
  const rows = badPayments.map(([what, field, more, status = 400]) => {
    return { what, field, more, status };
  });
  test.each(rows)('$what', async ({ field, more, status }) => {
    await refused('POST /v1/payments', paymentInput('c-2', more), field, status);
  });

  test('is refused whole, and its key is free after that', async () => {
    const bad = paymentInput('c-free', { payment_orders: [{ ...orderInput(), amount: '0' }] });
    await refused('POST /v1/payments', bad, 'payment_orders.0.amount');
    const good = await api.call('POST /v1/payments', { body: paymentInput('c-free') });
    expect(good.status).toBe(202);
  });

  test('1,000 orders with the longest ids fit, and so does the answer that is kept', async () => {
    const many = orders(1_000).map((one, at) => {
      return { ...one, payment_order_id: `o-${at}`.padEnd(64, 'x') };
    });
    const body = paymentInput('c-many', { payment_orders: many });
    const taken = await api.call('POST /v1/payments', { body });
    expect(taken).toMatchObject({ status: 202, body: { amount: '10000000' } });
    const again = await api.call('POST /v1/payments', { body });
    expect(again.text).toBe(taken.text);
    const read = await api.call(`GET /v1/payments/c-many?min-position=${taken.body.position}`);
    expect(read.body.payment_orders).toHaveLength(1_000);
  });
});

describe('what is not there', () => {
  test.each([
    ['GET /v1/payments/nobody', 'unknown-checkout'],
    ['GET /v1/payment_orders/nobody/o-1', 'unknown-checkout'],
    ['GET /v1/payment_orders/c-1/nobody', 'unknown-order'],
    ['POST /v1/payment_orders/nobody/o-1/cancel', 'unknown-checkout'],
    ['POST /v1/payment_orders/c-1/nobody/delivered', 'unknown-order'],
    ['GET /v1/sellers/nobody', 'unknown-seller'],
    ['GET /v1/wallets/nobody', 'unknown-seller'],
  ])('%s: 404 %s', async (route, code) => {
    const answer = await api.call(route, { headers: { 'idempotency-key': 'k-2' } });
    expect(answer).toMatchObject({ status: 404, body: { code } });
    expect(await api.log.head()).toEqual(before);
  });

  test('a payout to nobody writes nothing', async () => {
    const body = { seller_account: 'nobody', payout_id: 'p-1', currency: 'USD' };
    const answer = await api.call('POST /v1/payouts', { body });
    expect(answer).toMatchObject({ status: 404, body: { code: 'unknown-seller' } });
    expect(await api.log.head()).toEqual(before);
  });
});

describe('lists and reports', () => {
  test.each([
    ['/v1/payment_orders', 400, 'invalid-input'],
    ['/v1/payment_orders?seller_account=shop&state=captured', 400, 'invalid-input'],
    ['/v1/payment_orders?seller_account=shop&cursor=abc', 400, 'invalid-cursor'],
    ['/v1/payouts?seller_account=shop&cursor=W10', 400, 'invalid-cursor'],
    ['/v1/ledger/entries?cursor=W10', 400, 'invalid-cursor'],
    ['/v1/ledger/trial_balance?checkpoint=nonsense', 400, 'invalid-position'],
    ['/v1/ledger/trial_balance?min-position=nonsense', 400, 'invalid-position'],
    ['/v1/ledger/trial_balance?checkpoint=0:9999999999999999', 409, 'position-ahead'],
    ['/v1/reports/summary?from=2026-01-02&to=2026-01-01', 400, 'invalid-input'],
    ['/v1/reports/summary?from=2026-02-30&to=2026-03-01', 400, 'invalid-input'],
    ['/v1/reports/summary?from=0001-01-01&to=9999-12-31', 400, 'invalid-input'],
    ['/v1/reports/summary?from=2025-01-01&to=2026-01-02', 400, 'invalid-input'],
    ['/v1/reports/summary?from=2026-01-01&to=2026-02-01&by=day,seller', 400, 'invalid-input'],
    ['/v1/reviews?cursor=W10', 400, 'invalid-cursor'],
  ])('GET %s: %i %s', async (url, status, code) => {
    expect(await api.call(`GET ${url}`)).toMatchObject({ status, body: { code } });
  });

  test('a seller has each currency once, and a day that its schedule knows', async () => {
    const [usd] = shopInput.currencies;
    const twice = { ...shopInput, currencies: [usd, usd] };
    await refused('PUT /v1/sellers/shop-2', twice, 'currencies.1.currency');
    const weekly = { ...shopInput, payout_schedule: 'weekly', payout_day: 8 };
    await refused('PUT /v1/sellers/shop-2', weekly, 'payout_day');
    await refused('PUT /v1/sellers/shop-2', { ...shopInput, payout_day: 1 }, 'payout_day');
  });
});
