import { openRisk, type RiskScreen } from '@annals/payments/risk';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { paymentInput, shopInput } from './testing/example-payment.ts';
import { openApi, type TestApi } from './testing/open-api.ts';

let api: TestApi;
let finance: string;
let screen: RiskScreen;
const stop = new AbortController();
beforeAll(async () => {
  api = await openApi();
  finance = api.issueKey(['payments:finance']);
  await api.means.payments.putSeller('shop', shopInput);
  const { log, cipher, clock } = api.means;
  const rules = { signal: stop.signal, rules: {}, onTrouble: () => undefined };
  screen = await openRisk({ log, cipher, clock, ...rules });
});
afterAll(() => {
  stop.abort();
  return api.close();
});

const post = (route: string, body: object, headers = {}) =>
  api.call(`POST /v1/deny_list${route}`, { body, headers, key: finance });
const deny = (body: object, headers = {}) => post('', { reason: 'chargebacks', ...body }, headers);
const lift = (body: object) => post('/lift', { reason: 'a mistake', ...body });
const list = (query = '') => api.call(`GET /v1/deny_list${query}`, { key: finance });
const take = (id: string, email: string) =>
  api.call('POST /v1/payments', {
    body: paymentInput(id, { buyer_info: { email, country: 'DE' } }),
  });

/** What every process that assesses orders says of one. */
async function rulesFor(order: { buyer?: string; fingerprint?: string; country?: string }) {
  const asked = { checkoutId: 'c', orderId: 'o', seller: 'shop', buyer: 'b', fingerprint: 'f' };
  const amount = { amount: 1n, currency: 'USD' };
  return (await screen.assess({ ...asked, ...order, amount, at: 0 })).rules;
}

describe('the deny lists', () => {
  test('turn a buyer away from then on, until they are taken off', async () => {
    const denied = await deny({ list: 'buyer', value: 'Eve@example.org' });
    expect(denied).toMatchObject({ status: 200, body: { list: 'buyer', denied: true } });
    await vi.waitFor(async () => {
      expect(await rulesFor({ buyer: 'eve@example.org' })).toEqual(['deny-list:buyer']);
    });
    expect(await rulesFor({ buyer: 'ann@example.org' })).toEqual([]);
    expect((await lift({ list: 'buyer', value: 'eve@example.org' })).body.denied).toBe(false);
    await vi.waitFor(async () => expect(await rulesFor({ buyer: 'eve@example.org' })).toEqual([]));
  });

  test('take whoever paid a checkout: the card as the provider knows it, the buyer, the country', async () => {
    await take('c-eve', 'mallory@example.org');
    const card = await deny({ list: 'card', checkout_id: 'c-eve' });
    expect(card.status).toBe(200);
    expect((await deny({ list: 'buyer', checkout_id: 'c-eve' })).status).toBe(200);
    expect((await deny({ list: 'country', checkout_id: 'c-eve' })).status).toBe(200);
    const { body } = await api.call('GET /v1/payments/c-eve');
    expect(body.checkout_id).toBe('c-eve');
    const fingerprint = `fp-of-${paymentInput().credit_card_info}`;
    await vi.waitFor(async () => {
      const all = { buyer: 'mallory@example.org', fingerprint, country: 'DE' };
      expect(await rulesFor(all)).toEqual([
        'deny-list:buyer',
        'deny-list:card',
        'deny-list:country',
      ]);
    });
    const own = await deny({ list: 'card', value: fingerprint });
    expect(own.body.value_hash).toBe(card.body.value_hash);
    for (const name of ['card', 'buyer', 'country']) {
      expect((await lift({ list: name, checkout_id: 'c-eve' })).body.denied).toBe(false);
    }
  });

  test('know nothing of a checkout that there is not, or whose buyer was erased', async () => {
    await take('c-gone', 'zoe@example.org');
    await api.keys.destroy(['buyer:c-gone']);
    for (const checkout_id of ['c-gone', 'c-none']) {
      expect(await deny({ list: 'buyer', checkout_id })).toMatchObject({
        status: 409,
        body: { code: 'nothing-known' },
      });
    }
  });

  test('change once for a key, and once where it is so already', async () => {
    const of = { list: 'seller', value: 'dodgy' };
    const first = await deny(of, { 'idempotency-key': 'k-1' });
    const again = await deny(of, { 'idempotency-key': 'k-1' });
    expect(again.text).toBe(first.text);
    const before = await list();
    await deny(of);
    expect((await list()).body).toEqual(before.body);
  });

  test('tell who did what and why, in pages, and name nobody', async () => {
    const all = await list('?limit=200');
    expect(all.body.data[0]).toMatchObject({
      ...{ list: 'seller', denied: true, reason: 'chargebacks' },
      decided_by: finance.slice('key-'.length),
    });
    expect(all.body.next_cursor).toBeNull();
    const paged: unknown[] = [];
    for (let cursor = ''; ; ) {
      const { body } = await list(`?limit=2${cursor}`);
      paged.push(...body.data);
      if (body.next_cursor === null) break;
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(paged).toEqual(all.body.data);
    const stored = api.log.storage.log(0).map(({ stream, data }) => `${stream} ${data}`);
    const own = stored.filter((text) => text.startsWith('risk-deny-list'));
    expect(own.length).toBeGreaterThan(0);
    expect(own.join()).not.toMatch(/eve@|mallory|fp-of/);
  });

  test.each([
    [{ list: 'buyer' }, 'value'],
    [{ list: 'buyer', value: 'x', checkout_id: 'c-1' }, 'value'],
    [{ list: 'seller', checkout_id: 'c-1' }, 'value'],
    [{ list: 'planet', value: 'x' }, 'list'],
    [{ list: 'card', value: '4242424242424242' }, 'value'],
    [{ list: 'card', value: '' }, 'value'],
    [{ list: 'card', value: 'x', reason: '' }, 'reason'],
  ])('refuse %j and store nothing', async (body, field) => {
    const head = JSON.stringify(await api.log.head());
    const refused = await deny(body);
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ field }] } });
    expect(JSON.stringify(await api.log.head())).toBe(head);
  });
});
