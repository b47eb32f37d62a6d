import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { orderInput, pageInput, paymentInput, shopInput } from './testing/example-payment.ts';
import { call, openApi, type TestApi } from './testing/open-api.ts';

/** Payments whose card is given on a page of the provider: the reactors, the real client and adapter, and the sandbox. */

let api: TestApi;
beforeAll(async () => {
  api = await openApi({ pays: true });
  await api.means.payments.putSeller('shop', shopInput);
});
afterAll(() => api.close());

const within = { timeout: 20_000, interval: 20 };
const payment = async (id: string) => (await api.call(`GET /v1/payments/${id}`)).body;
const order = async (id: string) => (await payment(id)).payment_orders[0];
const typesOf = (id: string) => api.log.storage.stream(`checkout-${id}`).map(({ type }) => type);

async function registered(id: string, more: object = {}): Promise<string> {
  const { status, body } = await api.call('POST /v1/payment_pages', { body: pageInput(id, more) });
  expect(status).toBe(201);
  return body.next_action.url;
}

test('the page is asked for by an intent, and the payment rests on what it came to', async () => {
  const page = await registered('c-pays');
  expect(typesOf('c-pays')).toEqual([
    ...['checkout-opened', 'payment-page-requested', 'payment-page-opened'],
  ]);
  expect(await payment('c-pays')).toMatchObject({
    ...{ status: 'open', next_action: { url: page }, payment_page: { state: 'opened' } },
    payment_orders: [{ state: 'not_started' }],
  });
  expect((await api.provider.payAt(page)).href).toBe('https://shop.example/back');
  await expect.poll(() => order('c-pays'), within).toMatchObject({ state: 'captured' });
  const stored = api.log.storage.stream('checkout-c-pays');
  const asked = stored.find(({ type }) => type === 'attempt-requested');
  expect(JSON.parse(asked?.data ?? '{}').authentication_id).toMatch(/^seti_\w+\.cus_\w+\.pm_\w+$/);
  expect(await payment('c-pays')).toMatchObject({ next_action: null });
});

test('without anybody who makes the page the answer is 202, and a later look has it', async () => {
  const idle = await openApi();
  await idle.means.payments.putSeller('shop', shopInput);
  const url = 'POST /v1/payment_pages?wait_seconds=0';
  const answer = await idle.call(url, { body: pageInput('c-later') });
  expect(answer).toMatchObject({
    ...{ status: 202, body: { next_action: null, payment_page: { page_id: null } } },
  });
  await idle.close();
});

test('the first answer comes again byte for byte, from any process, and there is one page', async () => {
  const body = pageInput('c-again');
  const first = await api.call('POST /v1/payment_pages', { body });
  await api.provider.payAt(first.body.next_action.url);
  await expect.poll(() => order('c-again'), within).toMatchObject({ state: 'captured' });
  const other = await api.otherProcess();
  for (const server of [api.server, other]) {
    const again = await call(server, 'POST /v1/payment_pages', { body });
    expect(again).toMatchObject({ status: 201, text: first.text });
    expect(again.headers['idempotent-replayed']).toBe('true');
  }
  await other.stop();
  const changed = pageInput('c-again', { return_url: 'https://other.example' });
  const refused = await api.call('POST /v1/payment_pages', { body: changed });
  expect(refused).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
  const token = await api.call('POST /v1/payments', { body: paymentInput('c-again') });
  expect(token).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
  for (const [route, input] of [
    ['POST /v1/payments', paymentInput('c-again')],
    ['POST /v1/payment_pages', changed],
  ] as const) {
    const headers = { 'idempotency-key': `k-${input === changed ? 'page' : 'token'}` };
    const exists = await api.call(route, { body: input, headers });
    expect(exists).toMatchObject({ status: 409, body: { code: 'checkout-exists' } });
  }
  expect(typesOf('c-again').filter((type) => type === 'payment-page-requested')).toHaveLength(1);
});

test('a request that was cut off after its checkout was opened is carried on by the next', async () => {
  const { payments, clock } = api.means;
  const at = clock.now();
  const command = {
    ...{ checkoutId: 'c-cut', currency: 'USD', capture: 'automatic' as const, buyerInfo: {} },
    orders: [{ paymentOrderId: 'o-1', sellerAccount: 'shop', amount: 100n }],
    ...{ returnUrl: 'https://shop.example/back', at, expiresAt: at + 3_600_000 },
    page: { psp: 'stripe', pageExpiresAt: at + 3_000_000 },
  } as const;
  expect(await payments.open(command)).toMatchObject({ kind: 'changed', events: 2 });
  await expect
    .poll(() => payment('c-cut'), within)
    .toMatchObject({
      ...{ payment_page: { state: 'opened' } },
    });
  expect(await payments.open(command)).toMatchObject({ kind: 'changed', events: 0 });
  const { next_action } = await payment('c-cut');
  await api.provider.payAt(next_action.url);
  await expect.poll(() => order('c-cut'), within).toMatchObject({ state: 'captured' });
  expect(await payments.open(command)).toMatchObject({ kind: 'changed', events: 0 });
});

describe('what the buyer does there', () => {
  test('3-D Secure on the page serves every order', async () => {
    const page = await registered('c-3ds', {
      payment_orders: [orderInput('o-1'), orderInput('o-2', '200')],
    });
    const bank = await api.provider.payAt(page, '4000000000003220');
    await api.provider.answerAction(bank.href, 'succeeded');
    const states = async () =>
      (await payment('c-3ds')).payment_orders.map(({ state }: { state: string }) => state);
    await expect.poll(states, within).toEqual(['captured', 'captured']);
    expect(typesOf('c-3ds')).not.toContain('authentication-requested');
  });

  test.each([
    ['succeeded', 'captured'],
    ['failed', 'failed'],
  ] as const)('a bank that asks at every payment asks again, and %s is %s', async (says, comes) => {
    const id = `c-asks-${says}`;
    const page = await registered(id);
    const bank = await api.provider.payAt(page, '4000002760003184');
    await api.provider.answerAction(bank.href, 'succeeded');
    await expect.poll(() => order(id), within).toMatchObject({ state: 'requires_action' });
    const { next_action } = await payment(id);
    expect(next_action).toMatchObject({ return_url: 'https://shop.example/back' });
    await api.provider.answerAction(next_action.url, says);
    await expect.poll(() => order(id), within).toMatchObject({ state: comes });
    expect(typesOf(id).filter((type) => type === 'attempt-requested')).toHaveLength(2);
  });

  test('a card that does not do leaves the page to another one', async () => {
    const page = await registered('c-second');
    for (const number of ['4000000000000002', '4111111111111111']) {
      await expect(api.provider.payAt(page, number)).rejects.toThrow();
    }
    const bank = await api.provider.payAt(page, '4000000000003220');
    await api.provider.answerAction(bank.href, 'failed');
    expect(await payment('c-second')).toMatchObject({ payment_page: { state: 'opened' } });
    await api.provider.payAt(page);
    await expect.poll(() => order('c-second'), within).toMatchObject({ state: 'captured' });
  });

  test('a card that is declined when it is charged fails the order', async () => {
    const page = await registered('c-poor');
    const bank = await api.provider.payAt(page, '4000008260003178');
    await api.provider.answerAction(bank.href, 'succeeded');
    await expect
      .poll(() => order('c-poor'), within)
      .toMatchObject({
        ...{ state: 'failed', failure: { reason: 'insufficient_funds' } },
      });
  });

  test('an order that was canceled meanwhile closes the page, and is not charged', async () => {
    const page = await registered('c-canceled');
    await api.call('POST /v1/payment_orders/c-canceled/o-1/cancel');
    expect(await payment('c-canceled')).toMatchObject({ next_action: null });
    await expect
      .poll(() => payment('c-canceled'), within)
      .toMatchObject({ payment_page: { state: 'closed' } });
    await expect(api.provider.payAt(page)).rejects.toThrow();
    expect(await order('c-canceled')).toMatchObject({ state: 'canceled' });
    expect(typesOf('c-canceled')).not.toContain('attempt-requested');
  });

  test('a buyer who was erased is not charged, and nothing of the card is kept', async () => {
    const page = await registered('c-erased');
    await api.keys.destroy(['buyer:c-erased']);
    const before = typesOf('c-erased');
    await api.provider.payAt(page);
    // What comes after its webhook has been followed.
    await api.provider.payAt(await registered('c-after-erased'));
    await expect.poll(() => order('c-after-erased'), within).toMatchObject({ state: 'captured' });
    expect(typesOf('c-erased')).toEqual(before);
  });

  test('the token and the fingerprint of the card are personal data', async () => {
    const page = await registered('c-sealed');
    await api.provider.payAt(page);
    await expect.poll(() => order('c-sealed'), within).toMatchObject({ state: 'captured' });
    const { state } = await api.means.payments.checkout('c-sealed');
    expect(state?.method).toMatch(/^pm_/);
    const given = api.log.storage
      .stream('checkout-c-sealed')
      .find(({ type }) => type === 'payment-page-completed');
    expect(JSON.parse(given?.data ?? '{}')).toMatchObject({
      $personal: { subject: 'buyer:c-sealed' },
    });
    expect(given?.data).not.toContain('"method"');
    expect(given?.data).not.toContain('"fingerprint"');
    await api.keys.destroy(['buyer:c-sealed']);
    expect((await api.means.payments.checkout('c-sealed')).state?.method).toBeUndefined();
  });
});

test('a page that nobody used expires, and the checkout with it', async () => {
  const own = await openApi({ pays: true });
  await own.means.payments.putSeller('shop', shopInput);
  const body = pageInput('c-idle');
  const { next_action } = (await own.call('POST /v1/payment_pages', { body })).body;
  own.clock.aheadMs = 23 * 3_600_000 + 60_000;
  const stands = async () => (await own.call('GET /v1/payments/c-idle')).body;
  await expect.poll(stands, within).toMatchObject({
    ...{ status: 'expired', next_action: null, payment_page: { state: 'expired' } },
    payment_orders: [{ state: 'expired' }],
  });
  await expect(own.provider.payAt(next_action.url)).rejects.toThrow();
  await own.close();
});
