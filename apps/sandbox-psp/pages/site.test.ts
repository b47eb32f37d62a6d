import { describe, expect, test } from 'vitest';
import { cards } from '../core/test-tokens.ts';
import { openApi, type TestApi } from '../testing/api.ts';
import { siteAnswer } from './site.ts';

function visit(api: TestApi, method: string, url: string, body = '', key?: string) {
  const [path = '', query = ''] = url.split('?');
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const answer = siteAnswer(api.sandbox, { method, path, query, body, headers });
  if (!answer) throw new Error(`${url} is no page`);
  return { ...answer, body: String(answer.body) };
}

const page =
  '/sandbox/pay?return_url=http%3A%2F%2Fshop.test%2Fback%3Fa%3D1&amount=19.99%20USD&reference=c-1';
const form = (number: string, expiry = '12/34', cvc = '123') =>
  new URLSearchParams({ number, expiry, cvc }).toString();

describe('the page of test tokens', () => {
  test('lists every card with its number, and says that it is a sandbox', () => {
    const { body, headers } = visit(openApi(), 'GET', '/sandbox/tokens');
    for (const { token, number, says } of cards) {
      expect(body).toContain(token);
      expect(body).toContain(number ?? token);
      expect(body).toContain(says);
    }
    expect(body).toContain('Sandbox.');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
  });
});

describe('the payment page', () => {
  test('leads back to the shop with a token that pays', async () => {
    const api = openApi();
    expect(visit(api, 'GET', page).body).toContain('19.99 USD for c-1');
    const { status, headers } = visit(api, 'POST', page, form('4242 4242 4242 4242'));
    expect(status).toBe(303);
    const back = new URL(headers.location!);
    expect(back.origin + back.pathname).toBe('http://shop.test/back');
    expect(back.searchParams.get('a')).toBe('1');
    expect(back.searchParams.get('reference')).toBe('c-1');
    const token = back.searchParams.get('token')!;
    const made = await api.post('/v1/payment_intents', {
      ...{ amount: '100', currency: 'usd', payment_method: token, confirm: 'true' },
    });
    expect(made.json.status).toBe('succeeded');
  });

  test.each([
    ['a number that is no test card', form('4111 1111 1111 1111')],
    ['no number', form('')],
    ['a date that is over', form('4242424242424242', '12/25')],
    ['a date that is none', form('4242424242424242', '13/34')],
    ['a CVC that is none', form('4242424242424242', '12/34', 'abc')],
    ['nothing', ''],
  ])('%s shows the page again, without the number', (_, body) => {
    const api = openApi();
    const shown = visit(api, 'POST', page, body);
    expect(shown.status).toBe(400);
    expect(shown.body).toContain('role="alert"');
    expect(shown.body).not.toMatch(/value="4/);
    expect(shown.body).not.toContain('4111');
  });

  test.each(['', '?return_url=javascript%3Aalert(1)', '?return_url=shop', '?colour=red'])(
    'with %s there is no page',
    (query) => {
      expect(visit(openApi(), 'GET', `/sandbox/pay${query}`).status).toBe(400);
    },
  );

  test('what the shop says is shown as text', () => {
    const query = '?return_url=http%3A%2F%2Fshop.test&reference=%3Cscript%3E';
    const { body } = visit(openApi(), 'GET', `/sandbox/pay${query}`);
    expect(body).not.toContain('<script>');
    expect(body).toContain('&lt;script&gt;');
  });
});

describe('the page of a checkout session', () => {
  async function session(api: TestApi) {
    const customer = (await api.post('/v1/customers', {})).json.id as string;
    const made = await api.post('/v1/checkout/sessions', {
      ...{ mode: 'setup', currency: 'usd', customer, success_url: 'http://shop.test/back' },
    });
    expect(made.json).toMatchObject({ object: 'checkout.session', status: 'open' });
    return { id: made.json.id as string, path: new URL(made.json.url).pathname };
  }

  test('says whose it is, takes a card and leads back; then it only leads back', async () => {
    const api = openApi();
    const { id, path } = await session(api);
    expect(visit(api, 'GET', path).body).toContain('shop.test');
    const { status, headers } = visit(api, 'POST', path, form('4242 4242 4242 4242'));
    expect([status, headers.location]).toEqual([303, 'http://shop.test/back']);
    expect((await api.get(`/v1/checkout/sessions/${id}`)).json).toMatchObject({
      ...{ status: 'complete', url: null, setup_intent: expect.stringMatching(/^seti_/) },
    });
    expect(visit(api, 'GET', path).headers.location).toBe('http://shop.test/back');
  });

  test.each([
    ['a number that is no test card', form('4111 1111 1111 1111')],
    ['a date that is over', form('4242424242424242', '12/25')],
    ['a card that is declined', form('4000000000000002')],
    ['nothing', ''],
  ])('%s shows the page again, without the number', async (_, body) => {
    const api = openApi();
    const { id, path } = await session(api);
    const shown = visit(api, 'POST', path, body);
    expect(shown.status).toBe(400);
    expect(shown.body).toContain('role="alert"');
    expect(shown.body).not.toMatch(/value="4/);
    expect(visit(api, 'GET', path).status).toBe(200);
    expect((await api.get(`/v1/checkout/sessions/${id}`)).json.status).toBe('open');
  });

  test('that was closed by its shop, or never made, takes no card', async () => {
    const api = openApi();
    const { id, path } = await session(api);
    const ended = await api.post(`/v1/checkout/sessions/${id}/expire`, {});
    expect(ended.json).toMatchObject({ status: 'expired', url: null });
    expect((await api.post(`/v1/checkout/sessions/${id}/expire`, {})).status).toBe(400);
    expect(visit(api, 'GET', path).body).toContain('This page is closed');
    for (const over of [path, '/sandbox/checkout/cs_test_none']) {
      expect(visit(api, 'GET', over).status).toBe(404);
      expect(visit(api, 'POST', over, form('4242424242424242')).status).toBe(404);
    }
  });
});

describe('the 3-D Secure page', () => {
  async function asked(api: TestApi, token = 'pm_card_threeDSecure2Required') {
    const { json } = await api.post('/v1/payment_intents', {
      ...{ amount: '100', currency: 'usd', payment_method: token, confirm: 'true' },
      return_url: 'http://shop.test/back',
    });
    expect(json.status).toBe('requires_action');
    return { id: json.id, url: new URL(json.next_action.redirect_to_url.url).pathname };
  }

  test.each([
    ['succeeded', 'succeeded'],
    ['failed', 'requires_payment_method'],
  ])('the answer %s leads back, and the payment is %s', async (outcome, status) => {
    const api = openApi();
    const { id, url } = await asked(api);
    expect(visit(api, 'GET', url).body).toContain('Yes, it is me');
    const { headers } = visit(api, 'POST', url, `outcome=${outcome}`);
    const back = new URL(headers.location!);
    expect(back.searchParams.get('payment_intent')).toBe(id);
    expect(back.searchParams.get('redirect_status')).toBe(outcome);
    expect((await api.get(`/v1/payment_intents/${id}`)).json.status).toBe(status);
    // Nobody is asked twice.
    expect(visit(api, 'POST', url, 'outcome=succeeded').status).toBe(404);
  });

  test('an answer that is none asks again', async () => {
    const api = openApi();
    const { id, url } = await asked(api);
    expect(visit(api, 'POST', url, 'outcome=maybe').body).toContain('Yes, it is me');
    expect((await api.get(`/v1/payment_intents/${id}`)).json.status).toBe('requires_action');
  });

  test('a payment that nobody asks about has no page', () => {
    expect(visit(openApi(), 'GET', '/sandbox/3ds/pi_1').status).toBe(404);
  });
});

describe("operators' requests", () => {
  test('need the key', () => {
    expect(visit(openApi(), 'GET', '/sandbox/faults').status).toBe(401);
    expect(visit(openApi(), 'DELETE', '/sandbox/faults', '', 'sk_test_2').status).toBe(401);
  });

  test('faults are added, listed and cleared', () => {
    const api = openApi();
    const operate = (method: string, body = '') =>
      visit(api, method, '/sandbox/faults', body, 'sk_test_1');
    const fault = { operation: 'refunds.*', do: 'cut', when: 'after', times: 2 };
    expect(operate('POST', JSON.stringify(fault)).status).toBe(200);
    expect(JSON.parse(operate('GET').body).faults).toMatchObject([fault]);
    expect(JSON.parse(operate('DELETE').body).faults).toEqual([]);
    for (const wrong of [
      '{',
      '{}',
      '{"operation":"x","do":"explode"}',
      '{"event":"x","do":"cut"}',
    ]) {
      expect(operate('POST', wrong).status).toBe(400);
    }
  });

  test('a charge is disputed once, and a payout fails', async () => {
    const api = openApi();
    const { json } = await api.post('/v1/payment_intents', {
      ...{ amount: '100', currency: 'usd', payment_method: 'pm_card_visa', confirm: 'true' },
    });
    const dispute = () =>
      visit(api, 'POST', `/sandbox/charges/${json.latest_charge}/dispute`, '{}', 'sk_test_1');
    expect(dispute().status).toBe(200);
    expect(dispute().status).toBe(409);
    await api.post('/v1/topups', { amount: '5000', currency: 'usd' });
    const payout = (await api.post('/v1/payouts', { amount: '10', currency: 'usd' })).json;
    const failed = visit(api, 'POST', `/sandbox/payouts/${payout.id}/fail`, '{}', 'sk_test_1');
    expect(JSON.parse(failed.body).status).toBe('failed');
    expect(visit(api, 'POST', '/sandbox/payouts/po_1/fail', '{}', 'sk_test_1').status).toBe(404);
  });
});
