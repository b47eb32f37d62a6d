import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { orderInput, paymentInput, shopInput } from './testing/example-payment.ts';
import { openApi, type TestApi } from './testing/open-api.ts';

/** The whole way of the money over HTTP, with the reactors, the real adapter and client, and the sandbox. */

let api: TestApi;
beforeAll(async () => {
  api = await openApi({ pays: true });
  const body = { ...shopInput, bank_token: 'btok_us_verified' };
  expect(await api.call('PUT /v1/sellers/shop', { body })).toMatchObject({ status: 200 });
});
afterAll(() => api.close());

const within = { timeout: 20_000, interval: 20 };
const get = async (url: string) => (await api.call(`GET ${url}`)).body;
const wallet = async () => (await get('/v1/wallets/shop')).wallets[0];
const orderState = (id: string) =>
  expect.poll(async () => (await get(`/v1/payment_orders/${id}/o-1`)).state, within);

test('a payment is taken, delivered, refunded and paid out, and the books balance', async () => {
  const taken = await api.call('POST /v1/payments?wait_seconds=20', { body: paymentInput('c-1') });
  const captured = { payment_order_id: 'o-1', state: 'captured' };
  expect(taken).toMatchObject({ status: 201, body: { payment_orders: [captured] } });
  await expect.poll(wallet, within).toMatchObject({ pending: '9500', available: '0' });

  const route = '/v1/payment_orders/c-1/o-1';
  const delivered = await api.call(`POST ${route}/delivered`);
  expect(delivered).toMatchObject({ status: 200, body: { state: 'succeeded' } });
  const refunded = await api.call(`POST ${route}/refunds`, {
    body: { refund_id: 'r-1', amount: '2500' },
  });
  expect(refunded).toMatchObject({ status: 202, body: { refundable: '7500' } });
  const refunds = async () => (await get(route)).refunds;
  await expect
    .poll(refunds, within)
    .toEqual([{ refund_id: 'r-1', amount: '2500', state: 'succeeded' }]);
  expect(await get('/v1/payments/c-1')).toMatchObject({ status: 'succeeded' });
  const asked = `/v1/wallets/shop?min-position=${refunded.body.position}`;
  expect((await get(asked)).wallets).toEqual([
    { currency: 'USD', available: '7000', pending: '0', reserved: '0', disputed: '0' },
  ]);

  await api.provider.topUp(100_000, 'USD');
  const payout = { seller_account: 'shop', payout_id: 'p-1', currency: 'USD' };
  const paid = await api.call('POST /v1/payouts', { body: payout });
  expect(paid).toMatchObject({ status: 202, body: { amount: '7000', currency: 'USD' } });
  const payouts = async () => (await get('/v1/payouts?seller_account=shop')).data;
  await expect.poll(payouts, within).toMatchObject([{ payout_id: 'p-1', state: 'paid' }]);
  const more = await api.call('POST /v1/payouts', { body: { ...payout, payout_id: 'p-2' } });
  expect(more).toMatchObject({ status: 409, body: { code: 'insufficient-funds' } });
  await booksBalance(taken.body.position);
});

async function booksBalance(firstPosition: string): Promise<void> {
  const head = (await get('/v1/wallets/shop')).as_of;
  const balance = await get(`/v1/ledger/trial_balance?min-position=${head}`);
  const sum = (rows: { [column: string]: string }[], column: string) =>
    rows.reduce((total, row) => total + BigInt(row[column] ?? '0'), 0n);
  expect(balance.data.length).toBeGreaterThan(5);
  expect(sum(balance.data, 'posted_debit')).toBe(sum(balance.data, 'posted_credit'));
  const [buyer] = (await get('/v1/ledger/accounts?account=buyer')).data;
  expect(buyer).toMatchObject({ account: 'buyer', currency: 'USD', posted_credit: '10000' });
  // As of the first answer nothing was paid out yet.
  const then = await get(`/v1/ledger/trial_balance?checkpoint=${firstPosition}`);
  expect(then.data.map(({ kind }: { kind: string }) => kind)).not.toContain('payouts_in_transit');
  expect((await get('/v1/ledger/trial_balance?before=2020-01-01T00:00:00Z')).data).toEqual([]);

  const first = await get('/v1/ledger/entries?limit=2');
  expect(first.data).toHaveLength(2);
  const rest = await get(`/v1/ledger/entries?cursor=${first.next_cursor}`);
  expect(rest.next_cursor).toBeNull();
  const ids = [...first.data, ...rest.data].map(({ event_id }: { event_id: string }) => event_id);
  expect(new Set(ids).size).toBe(ids.length);
  const postings = [...first.data, ...rest.data].flatMap((entry) => entry.postings);
  const csv = await api.call('GET /v1/ledger/entries.csv');
  expect(csv.headers['content-type']).toBe('text/csv; charset=utf-8');
  expect(csv.text.trimEnd().split('\r\n')).toHaveLength(1 + postings.length);

  const today = new Date(api.clock.now()).toISOString().slice(0, 10);
  const summary = await get(`/v1/reports/summary?from=${today}&to=${today}&by=day,seller`);
  expect(summary.data).toMatchObject([
    { day: today, seller_account: 'shop', currency: 'USD', gross: '10000', refunds: '2500' },
  ]);
  const [row] = summary.data;
  expect(row.platform_fees).toBe('500');
  expect(BigInt(row.net_revenue)).toBe(500n - BigInt(row.psp_fees));
}

test('a card is typed at the page of the provider, which leads back with its token', async () => {
  const back = 'https://shop.example/back?cart=7';
  const landed = await api.provider.payAtPage({ return_url: back, reference: 'c-page' });
  expect(landed.href).toContain('https://shop.example/back?cart=7&');
  expect(landed.searchParams.get('reference')).toBe('c-page');
  const token = landed.searchParams.get('token');
  const body = paymentInput('c-page', { credit_card_info: token, return_url: back });
  const taken = await api.call('POST /v1/payments?wait_seconds=20', { body });
  expect(taken).toMatchObject({ status: 201, body: { payment_orders: [{ state: 'captured' }] } });
  expect(api.lines.join('')).not.toContain('4242424242424242');
});

describe('the buyer', () => {
  test.each([
    ['succeeded', 'captured'],
    ['failed', 'failed'],
  ] as const)('is asked at the page of the provider, and says: %s', async (outcome, state) => {
    const id = `c-asks-${outcome}`;
    const body = paymentInput(id, {
      credit_card_info: 'pm_card_threeDSecure2Required',
      return_url: 'https://shop.example/back',
    });
    const taken = await api.call('POST /v1/payments?wait_seconds=20', { body });
    const { next_action } = taken.body;
    expect(next_action).toMatchObject({
      type: 'redirect',
      return_url: 'https://shop.example/back',
    });
    const read = await get(`/v1/payments/${id}?min-position=${taken.body.position}`);
    await orderState(id).toBe('requires_action');
    expect((await get(`/v1/payments/${id}`)).next_action).toEqual(next_action);
    expect(read.checkout_id).toBe(id);
    await api.provider.answerAction(next_action.url, outcome);
    await orderState(id).toBe(state);
    expect((await get(`/v1/payments/${id}`)).next_action).toBeNull();
  });
});

test('an order is authorized, and a part of it is captured', async () => {
  const body = paymentInput('c-part', { capture: 'manual' });
  const taken = await api.call('POST /v1/payments?wait_seconds=20', { body });
  expect(taken.body.payment_orders).toMatchObject([{ state: 'authorized' }]);
  const route = '/v1/payment_orders/c-part/o-1';
  const tooMuch = await api.call(`POST ${route}/capture`, { body: { amount: '10001' } });
  expect(tooMuch).toMatchObject({ status: 409, body: { code: 'above-authorized' } });
  await api.call(`POST ${route}/capture`, { body: { amount: '4000' } });
  await orderState('c-part').toBe('captured');
  expect(await get(route)).toMatchObject({ amount: '10000', captured: '4000', authorized: '0' });
  const late = await api.call(`POST ${route}/cancel`);
  expect(late).toMatchObject({ status: 409, body: { code: 'already-captured' } });
});

test('one authorization is let go, and the other order of the checkout stands', async () => {
  const body = paymentInput('c-two', {
    capture: 'manual',
    payment_orders: [orderInput('o-1', '700'), orderInput('o-2', '800')],
  });
  const taken = await api.call('POST /v1/payments?wait_seconds=20', { body });
  expect(taken).toMatchObject({ status: 201, body: { amount: '1500' } });
  await api.call('POST /v1/payment_orders/c-two/o-1/cancel');
  await orderState('c-two').toBe('canceled');
  const { payment_orders } = await get('/v1/payments/c-two');
  expect(payment_orders).toMatchObject([{ state: 'canceled' }, { state: 'authorized' }]);
});

test('a declined card says so', async () => {
  const body = paymentInput('c-lost', { credit_card_info: 'pm_card_visa_chargeDeclinedLostCard' });
  const taken = await api.call('POST /v1/payments?wait_seconds=20', { body });
  expect(taken).toMatchObject({ status: 201, body: { status: 'failed' } });
  await orderState('c-lost').toBe('failed');
  const { failure } = await get('/v1/payment_orders/c-lost/o-1');
  expect(failure.reason).toBeTruthy();
});

test('lists of orders come in pages, and a cursor belongs to one list', async () => {
  const list = '/v1/payment_orders?seller_account=shop';
  const all = (await get(list)).data;
  expect(all.length).toBeGreaterThan(3);
  const names = [];
  for (let next = ''; next !== null; ) {
    const page = await get(`${list}&limit=2${next && `&cursor=${next}`}`);
    names.push(...page.data.map((one: { checkout_id: string }) => one.checkout_id));
    if (page.next_cursor) {
      const other = `/v1/payment_orders?seller_account=nobody&cursor=${page.next_cursor}`;
      expect(await get(other)).toMatchObject({ code: 'invalid-cursor' });
    }
    next = page.next_cursor;
  }
  expect(names).toEqual(all.map((one: { checkout_id: string }) => one.checkout_id));
});
