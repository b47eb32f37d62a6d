import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type OpenPlatform, openPlatform } from './testing/open-platform.ts';
import { until } from './testing/until.ts';

/** The hosted page over real HTTP: register, go to the page, give a card, come back; the webhook tells the platform. */

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let platform: OpenPlatform;
beforeAll(async () => {
  platform = await openPlatform({ config: { ANNALS_PSP_URL: 'sandbox' } });
  const usd = { currency: 'USD', fee_basis_points: 500, fee_fixed: '0', payout_minimum: '1' };
  const terms = { currencies: [usd], reserve_basis_points: 0, release_after_days: 7 };
  const body = { ...terms, payout_schedule: 'manual' };
  expect((await platform.call('PUT /v1/sellers/shop', { body })).status).toBe(200);
});
afterAll(() => platform.close());

const return_url = 'https://shop.example/back?cart=7';

async function registered(checkout_id: string, orders = 1) {
  const payment_orders = Array.from({ length: orders }, (_, at) => {
    const order = { payment_order_id: `o-${at + 1}`, seller_account: 'shop' };
    return { ...order, amount: '1999', currency: 'USD' };
  });
  const { status, body } = await platform.call('POST /v1/payment_pages', {
    body: { checkout_id, buyer_info: { email: 'ann@example.org' }, payment_orders, return_url },
  });
  expect(status).toBe(201);
  expect(body).toMatchObject({
    status: 'open',
    next_action: { type: 'redirect', return_url },
    payment_page: { state: 'opened', page_id: expect.stringMatching(/^cs_test_/) },
  });
  return body.next_action.url as string;
}

/** What the browser does there; where it is led. */
async function post(url: string, form: Record<string, string>): Promise<string> {
  const body = new URLSearchParams(form);
  const answer = await fetch(url, { method: 'POST', body, redirect: 'manual' });
  expect(answer.status).toBe(303);
  return answer.headers.get('location') ?? '';
}
const card = (number: string) => ({ number, expiry: '12/49', cvc: '123' });

const captured = (checkout: string, orders: number) =>
  until(`${checkout} captured`, async () => {
    const { body } = await platform.call(`GET /v1/payments/${checkout}`);
    const states = body.payment_orders.map(({ state }: { state: string }) => state);
    return states.every((state: string) => state === 'captured') && states.length === orders
      ? body
      : undefined;
  });

test('a card that is given on the page pays, and the browser is led back', async () => {
  const page = await registered('c-1');
  const shown = await fetch(page);
  expect(await shown.text()).toContain('shop.example');
  expect(await post(page, card('4242424242424242'))).toBe(return_url);
  expect(await captured('c-1', 1)).toMatchObject({
    ...{ next_action: null, payment_page: { state: 'completed' } },
  });
  // The page is over: it leads back, and takes no other card.
  expect(await post(page, card('5555555555554444'))).toBe(return_url);
});

test('3-D Secure is asked for on the way, once for all orders of the checkout', async () => {
  const page = await registered('c-2', 3);
  const bank = await post(page, card('4000000000003220'));
  expect(bank).toContain('/sandbox/3ds/seti_');
  const again = await post(bank, { outcome: 'succeeded' });
  const back = await fetch(again, { redirect: 'manual' });
  expect(back.headers.get('location')).toBe(return_url);
  await captured('c-2', 3);
});
