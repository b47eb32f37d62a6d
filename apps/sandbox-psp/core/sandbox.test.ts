import { describe, expect, test } from 'vitest';
import { openApi, type TestApi } from '../testing/api.ts';

const card = { amount: '1999', currency: 'usd', payment_method: 'pm_card_visa' };

async function paid(api: TestApi, form: Record<string, string> = {}) {
  const made = await api.post('/v1/payment_intents', { ...card, confirm: 'true', ...form });
  expect(made.status).toBe(200);
  return made.json;
}

describe('requests', () => {
  test('without the key are 401', async () => {
    const { sandbox } = openApi();
    for (const authorization of [undefined, 'Bearer sk_test_2', 'Basic c2tfdGVzdF8yOg==']) {
      const headers = { authorization };
      const begun = sandbox.begin({
        ...{ method: 'GET', path: '/v1/balance' },
        query: '',
        body: '',
        headers,
      });
      expect(begun).toMatchObject({ kind: 'answered', answer: { status: 401 } });
    }
    expect(sandbox.knows(`Basic ${Buffer.from('sk_test_1:').toString('base64')}`)).toBe(true);
  });

  test.each([
    ['/v1/payment_intents', { currency: 'usd' }, 'parameter_missing', 'amount'],
    ['/v1/payment_intents', { ...card, amount: '0' }, 'parameter_invalid', 'amount'],
    ['/v1/payment_intents', { ...card, amount: '-5' }, 'parameter_invalid', 'amount'],
    ['/v1/payment_intents', { ...card, amount: '1.5' }, 'parameter_invalid', 'amount'],
    ['/v1/payment_intents', { ...card, amount: '100000000' }, 'amount_too_large', 'amount'],
    ['/v1/payment_intents', { ...card, currency: 'xyz' }, 'parameter_invalid', 'currency'],
    ['/v1/payment_intents', { ...card, colour: 'red' }, 'parameter_unknown', 'colour'],
    ['/v1/payment_intents', { ...card, 'metadata[a][b]': '1' }, 'parameter_invalid', 'metadata[a]'],
    [
      '/v1/payment_intents',
      { ...card, payment_method: 'pm_nobody' },
      'resource_missing',
      'payment_method',
    ],
    ['/v1/payment_intents', { ...card, customer: 'cus_1' }, 'resource_missing', 'customer'],
    ['/v1/payouts', { ...card, payment_method: '' }, 'parameter_unknown', 'payment_method'],
  ])('%s with %o: %s at %s', async (path, form, code, param) => {
    const api = openApi();
    const { status, json } = await api.post(path, form, 'key');
    expect([400, 404]).toContain(status);
    expect(json.error).toMatchObject({ type: 'invalid_request_error', code, param });
    // Nothing began, so the key is free.
    expect((await api.post('/v1/payment_intents', card, 'key')).status).toBe(200);
  });

  test('to nowhere are 404, too deep ones 400, huge ones 413', async () => {
    const { post } = openApi();
    expect((await post('/v1/subscriptions')).status).toBe(404);
    expect((await post('/v1/payment_intents', { [`a${'[b]'.repeat(20)}`]: '1' })).status).toBe(400);
    expect((await post('/v1/payment_intents', { description: 'x'.repeat(300_000) })).status).toBe(
      413,
    );
  });
});

describe('idempotency keys', () => {
  test('give the first answer again, byte for byte, also after a day less a second', async () => {
    const api = openApi();
    const first = await api.post('/v1/payment_intents', card, 'key');
    api.time.ms += 86_399_000;
    const again = await api.post('/v1/payment_intents', card, 'key');
    expect(again.text).toBe(first.text);
    expect(again.headers).toMatchObject({
      'idempotent-replayed': 'true',
      'original-request': first.headers['request-id'],
    });
    expect(again.headers['request-id']).not.toBe(first.headers['request-id']);
    api.time.ms += 1_000;
    const later = await api.post('/v1/payment_intents', card, 'key');
    expect(later.json.id).not.toBe(first.json.id);
  });

  test('with other parameters, or elsewhere, are an idempotency_error and have no effect', async () => {
    const api = openApi();
    await api.post('/v1/payment_intents', card, 'key');
    const other = await api.post('/v1/payment_intents', { ...card, amount: '2000' }, 'key');
    expect(other).toMatchObject({ status: 400, json: { error: { type: 'idempotency_error' } } });
    expect((await api.post('/v1/topups', { amount: '5', currency: 'usd' }, 'key')).status).toBe(
      400,
    );
    expect((await api.get('/v1/payment_intents')).json.data).toHaveLength(1);
  });

  test('do not care for the order of parameters', async () => {
    const api = openApi();
    const first = await api.post('/v1/payment_intents', card, 'key');
    const turned = Object.fromEntries(Object.entries(card).reverse());
    expect((await api.post('/v1/payment_intents', turned, 'key')).text).toBe(first.text);
  });

  test('in flight are 409', async () => {
    const api = openApi();
    const headers = { authorization: 'Bearer sk_test_1', 'idempotency-key': 'key' };
    const body = new URLSearchParams(card).toString();
    const request = { method: 'POST', path: '/v1/payment_intents', query: '', body, headers };
    const begun = api.sandbox.begin(request);
    if (begun.kind !== 'call') throw new Error('answered');
    const second = await api.post('/v1/payment_intents', card, 'key');
    expect(second).toMatchObject({ status: 409, json: { error: { type: 'idempotency_error' } } });
    api.sandbox.execute(begun.call);
    api.sandbox.end(begun.call);
    expect((await api.post('/v1/payment_intents', card, 'key')).status).toBe(200);
    expect((await api.get('/v1/payment_intents')).json.data).toHaveLength(1);
  });

  test('keep a 500, with its effect or without', async () => {
    for (const [when, effects] of [
      ['before', 0],
      ['after', 1],
    ] as const) {
      const api = openApi();
      api.sandbox.faults.add('f', {
        ...{ operation: 'payment_intents.create', do: 'error', when },
        ...{ ms: 0, times: 1, skip: 0, chance: 1 },
      });
      expect((await api.post('/v1/payment_intents', card, 'key')).status).toBe(500);
      const again = await api.post('/v1/payment_intents', card, 'key');
      expect(again).toMatchObject({ status: 500, headers: { 'idempotent-replayed': 'true' } });
      expect((await api.get('/v1/payment_intents')).json.data).toHaveLength(effects);
    }
  });

  test('keep a decline', async () => {
    const api = openApi();
    const form = { ...card, payment_method: 'pm_card_visa_chargeDeclined', confirm: 'true' };
    const first = await api.post('/v1/payment_intents', form, 'key');
    expect(first).toMatchObject({
      status: 402,
      json: { error: { code: 'card_declined', decline_code: 'generic_decline' } },
    });
    expect((await api.post('/v1/payment_intents', form, 'key')).text).toBe(first.text);
  });
});

describe('lists', () => {
  test('come newest first, in pages either way', async () => {
    const api = openApi();
    for (let number = 0; number < 7; number += 1) {
      await api.post('/v1/topups', { amount: String(number + 1), currency: 'usd' });
    }
    const all = (await api.get('/v1/balance_transactions')).json;
    const ids: string[] = all.data.map(({ id }: { id: string }) => id);
    expect(all.data.map(({ amount }: { amount: number }) => amount)).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(all.has_more).toBe(false);
    const page = (query: string) => api.get(`/v1/balance_transactions?limit=3&${query}`);
    const second = (await page(`starting_after=${ids[2]}`)).json;
    expect(second.data.map(({ id }: { id: string }) => id)).toEqual(ids.slice(3, 6));
    expect(second.has_more).toBe(true);
    const before = (await page(`ending_before=${ids[5]}`)).json;
    expect(before.data.map(({ id }: { id: string }) => id)).toEqual(ids.slice(2, 5));
    expect(before.has_more).toBe(true);
    expect((await api.get('/v1/balance_transactions?limit=101')).status).toBe(400);
  });
});

describe('money', () => {
  test('the balance is the sum of its transactions, through charge, refund, dispute and payout', async () => {
    const api = openApi();
    const intent = await paid(api);
    await api.post('/v1/refunds', { payment_intent: intent.id, amount: '500' });
    await paid(api, { payment_method: 'pm_card_createDispute' });
    await api.post('/v1/topups', { amount: '5000', currency: 'usd' });
    await api.post('/v1/payouts', {
      ...{ amount: '1000', currency: 'usd', destination: 'ba_sandbox_fails_after_paid' },
    });
    api.pass(60_000);
    const { data } = (await api.get('/v1/balance_transactions?limit=100')).json;
    const types = data.map(({ type }: { type: string }) => type).sort();
    expect(types).toEqual([
      'adjustment',
      'charge',
      'charge',
      'payout',
      'payout_failure',
      'refund',
      'topup',
    ]);
    const sum = data.reduce((total: number, { net }: { net: number }) => total + net, 0);
    const balance = (await api.get('/v1/balance')).json.available[0].amount;
    expect(balance).toBe(sum);
    // 19.99 twice less their fees of 0.88, less 5.00, less a dispute of 19.99 and its fee of 15.00, and 50.00.
    expect(balance).toBe(2 * (1_999 - 88) - 500 - 1_999 - 1_500 + 5_000);
  });

  test('a payout that the balance does not cover is refused', async () => {
    const api = openApi();
    const payout = await api.post('/v1/payouts', { amount: '1', currency: 'usd' });
    expect(payout).toMatchObject({
      status: 400,
      json: { error: { code: 'balance_insufficient' } },
    });
  });

  test('an authorization that nobody captures is let go after its time', async () => {
    const api = openApi({ pace: { authorizationMs: 5_000 } });
    const { id } = await paid(api, { capture_method: 'manual' });
    api.pass(5_000);
    expect((await api.get(`/v1/payment_intents/${id}`)).json.status).toBe('canceled');
    expect((await api.get('/v1/balance')).json.available).toEqual([]);
  });

  test('what a capture leaves is counted as refunded, and can not be refunded again', async () => {
    const api = openApi();
    const { id } = await paid(api, { capture_method: 'manual' });
    const captured = await api.post(`/v1/payment_intents/${id}/capture`, {
      ...{ amount_to_capture: '1500', 'expand[0]': 'latest_charge' },
    });
    expect(captured.json.latest_charge).toMatchObject({
      ...{ amount: 1_999, amount_captured: 1_500, amount_refunded: 499 },
    });
    const refund = (amount: string) => api.post('/v1/refunds', { payment_intent: id, amount });
    expect((await refund('1501')).status).toBe(400);
    expect((await refund('1500')).status).toBe(200);
    expect((await refund('1')).json.error.code).toBe('charge_already_refunded');
  });
});

test('the same requests and the same random numbers make the same books', async () => {
  const run = async () => {
    const api = openApi();
    await paid(api, { payment_method: 'pm_card_createDispute' });
    await api.post('/v1/topups', { amount: '5000', currency: 'usd' });
    api.pass(10_000);
    return (await api.get('/v1/events?limit=100')).text;
  };
  expect(await run()).toBe(await run());
});
