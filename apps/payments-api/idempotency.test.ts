import { Payments } from '@annals/payments';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { paymentInput, shopInput } from './testing/example-payment.ts';
import { call, openApi, type TestApi } from './testing/open-api.ts';
import { told } from './testing/told-by-provider.ts';

/** One effect and one answer for each key. */

let api: TestApi;
beforeAll(async () => {
  api = await openApi({ holdMs: 30_000 });
  await api.means.payments.putSeller('shop', shopInput);
});
afterAll(() => api.close());

const opened = (id: string) =>
  api.log.storage.stream(`checkout-${id}`).filter(({ type }) => type === 'checkout-opened');
const keyed = (name: string) => ({ 'idempotency-key': name });

test('the first answer is given again byte for byte, by any process', async () => {
  const body = paymentInput('c-again');
  const first = await api.call('POST /v1/payments', { body });
  expect(first.headers['idempotent-replayed']).toBeUndefined();
  await told(api, 'c-again', 'captured');
  const other = await api.otherProcess();
  for (const server of [api.server, other]) {
    const again = await call(server, 'POST /v1/payments', { body });
    expect(again).toMatchObject({ status: first.status, text: first.text });
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.headers['content-type']).toBe(first.headers['content-type']);
  }
  await other.stop();
  expect(opened('c-again')).toHaveLength(1);
});

test('members in another order are the same request, other values are another one', async () => {
  const body = paymentInput('c-other');
  const first = await api.call('POST /v1/payments', { body });
  const turned = Object.fromEntries(Object.entries(body).reverse());
  expect((await api.call('POST /v1/payments', { body: turned })).text).toBe(first.text);
  const changed = { ...body, credit_card_info: 'pm_card_mastercard' };
  const refused = await api.call('POST /v1/payments', { body: changed });
  expect(refused).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
  expect(opened('c-other')).toHaveLength(1);
});

test('a key is its caller’s own, and a checkout everybody’s', async () => {
  const body = paymentInput('c-callers');
  await api.call('POST /v1/payments', { body });
  const key = api.issueKey(['payments:buyer']);
  const other = await api.call('POST /v1/payments', { body, key });
  expect(other).toMatchObject({ status: 409, body: { code: 'checkout-exists' } });
  expect(opened('c-callers')).toHaveLength(1);
});

test('of requests that come at once one is carried out; the others are told to ask again', async () => {
  const body = paymentInput('c-race');
  const other = await api.otherProcess();
  const url = 'POST /v1/payments?wait_seconds=1';
  const answers = await Promise.all(
    [api.server, other, api.server, other].map((server) => call(server, url, { body })),
  );
  await other.stop();
  const statuses = answers.map(({ status }) => status).sort();
  expect(statuses).toEqual([202, 409, 409, 409]);
  const inFlight = answers.find(({ status }) => status === 409);
  expect(inFlight?.body.code).toBe('request-in-flight');
  expect(inFlight?.headers['retry-after']).toBe('1');
  expect(opened('c-race')).toHaveLength(1);
});

test('a request whose process died after its effect is taken over: one effect, one answer', async () => {
  const body = paymentInput('c-crash');
  const { log, cipher, clock, wallets } = api.means;
  class Dies extends Payments {
    override as(): Payments {
      return this;
    }
    override async open(command: Parameters<Payments['open']>[0]): Promise<never> {
      await super.open(command);
      throw new Error('the process was killed');
    }
  }
  const dying = await api.otherProcess({ payments: new Dies({ log, cipher, clock, wallets }) });
  expect((await call(dying, 'POST /v1/payments', { body })).status).toBe(500);
  await dying.stop();
  expect(opened('c-crash')).toHaveLength(1);
  expect((await api.call('POST /v1/payments', { body })).body.code).toBe('request-in-flight');
  api.clock.aheadMs += 30_001;
  const taken = await api.call('POST /v1/payments', { body });
  expect(taken).toMatchObject({ status: 202, body: { checkout_id: 'c-crash' } });
  expect((await api.call('POST /v1/payments', { body })).text).toBe(taken.text);
  expect(opened('c-crash')).toHaveLength(1);
});

test('what is wrong with a request is not kept: it can be corrected', async () => {
  const order = { payment_order_id: 'o-1', seller_account: 'late', amount: '5', currency: 'USD' };
  const body = paymentInput('c-late', { payment_orders: [order] });
  const refused = await api.call('POST /v1/payments', { body });
  expect(refused).toMatchObject({ status: 404, body: { code: 'unknown-seller' } });
  await api.call('PUT /v1/sellers/late', { body: shopInput });
  expect((await api.call('POST /v1/payments', { body })).status).toBe(202);
});

test('an answer is given again also where the request would be wrong by now', async () => {
  await api.call('PUT /v1/sellers/leaves', { body: shopInput });
  const order = { payment_order_id: 'o-1', seller_account: 'leaves', amount: '5', currency: 'JPY' };
  const body = paymentInput('c-leaves', { payment_orders: [order] });
  const first = await api.call('POST /v1/payments', { body });
  const usd = { ...shopInput, currencies: shopInput.currencies.slice(0, 1) };
  const { position } = (await api.call('PUT /v1/sellers/leaves', { body: usd })).body;
  await api.call(`GET /v1/sellers/leaves?min-position=${position}`);
  const again = await api.call('POST /v1/payments', { body });
  expect(again).toMatchObject({ status: 202, text: first.text });
  const other = { ...body, checkout_id: 'c-leaves-2' };
  expect((await api.call('POST /v1/payments', { body: other })).body.code).toBe(
    'currency-not-sold',
  );
});

test('a decision about how things stood is kept, until another key asks', async () => {
  await api.call('POST /v1/payments', { body: paymentInput('c-kept', { capture: 'manual' }) });
  const route = 'POST /v1/payment_orders/c-kept/o-1/capture';
  const early = await api.call(route, { body: {}, headers: keyed('k-early') });
  expect(early).toMatchObject({ status: 409, body: { code: 'not-authorized' } });
  await told(api, 'c-kept', 'authorized');
  const again = await api.call(route, { body: {}, headers: keyed('k-early') });
  expect(again).toMatchObject({ status: 409, text: early.text });
  expect(again.headers['content-type']).toBe(early.headers['content-type']);
  const later = await api.call(route, { body: {}, headers: keyed('k-later') });
  expect(later).toMatchObject({ status: 202, body: { state: 'authorized', authorized: '10000' } });
});

test('a refund is told from another by its key, or by its id', async () => {
  await api.call('POST /v1/payments', { body: paymentInput('c-back') });
  await told(api, 'c-back', 'captured');
  const route = 'POST /v1/payment_orders/c-back/o-1/refunds';
  const body = { amount: '100' };
  const nameless = await api.call(route, { body });
  expect(nameless).toMatchObject({ status: 400, body: { errors: [{ field: 'refund_id' }] } });
  const first = await api.call(route, { body, headers: keyed('k-back') });
  const again = await api.call(route, { body, headers: keyed('k-back') });
  expect(again.text).toBe(first.text);
  const named = { refund_id: 'r-1', ...body };
  await api.call(route, { body: named });
  const last = await api.call(route, { body: named });
  expect(last.body).toMatchObject({ refund_id: 'r-1', refundable: '9800' });
  const other = await api.call(route, { body: { ...named, amount: '7' } });
  expect(other).toMatchObject({ status: 409, body: { code: 'refund-exists' } });
});

test('stored answers are personal data: with the buyer they are gone', async () => {
  const body = paymentInput('c-erased');
  await api.call('POST /v1/payments', { body });
  const stored = api.log.storage.log(0).map(({ data }) => data);
  expect(stored.join('')).not.toContain('ann@example.org');
  await api.keys.destroy(['buyer:c-erased']);
  const again = await api.call('POST /v1/payments', { body });
  expect(again).toMatchObject({ status: 409, body: { code: 'subject-erased' } });
});

test('orders of a buyer who was erased are refunded under a key as before', async () => {
  await api.call('POST /v1/payments', { body: paymentInput('c-gone') });
  await told(api, 'c-gone', 'captured');
  const route = 'POST /v1/payment_orders/c-gone/o-1/refunds';
  const refund = (key: string, amount: string) =>
    api.call(route, { body: { amount }, headers: keyed(key) });
  await refund('k-before', '100');
  await api.keys.destroy(['buyer:c-gone']);
  const first = await refund('k-after', '200');
  expect(first).toMatchObject({ status: 202, body: { refundable: '9700' } });
  const again = await refund('k-after', '200');
  expect(again).toMatchObject({ status: 202, text: first.text });
  expect(again.headers['idempotent-replayed']).toBe('true');
  const other = await refund('k-after', '300');
  expect(other).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
  // What was answered before went with the buyer.
  expect(await refund('k-before', '100')).toMatchObject({
    status: 409,
    body: { code: 'subject-erased' },
  });
});

test('each event of a request names the key that asked', async () => {
  const key = api.issueKey(['payments:buyer']);
  await api.call('POST /v1/payments', { body: paymentInput('c-actor'), key });
  expect(opened('c-actor')[0]?.metadata).toEqual({ actor: key.slice('key-'.length) });
});
