import { createServer, type HttpServer } from '@annals/http';
import { type Psp, stripePsp } from '@annals/payments/psp';
import type { Observed } from '@annals/payments/reactors';
import Stripe from 'stripe';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { paymentsErrors } from './errors.ts';
import { pspWebhookLimits, pspWebhookRoutes } from './psp-webhook-routes.ts';

const now = Date.parse('2026-11-24T12:00:00Z');
const seconds = Math.floor(now / 1_000);

/** The provider: what was asked of it, and whether it answers. */
const asked: string[] = [];
const observed: Observed[] = [];
let answers = true;
let server: HttpServer;

async function retrieve(kind: string, id: string) {
  asked.push(`${kind} ${id}`);
  return answers
    ? { kind: 'answered', value: { id, status: 'captured' } }
    : { kind: 'unknown', reason: 'timeout', detail: 'nobody answers' };
}

beforeEach(async () => {
  asked.length = 0;
  observed.length = 0;
  answers = true;
  const clock = { now: () => now, sleep: async () => undefined };
  const stripe = stripePsp({
    ...{ name: 'one', url: 'http://psp.test', key: 'sk_test_1', clock },
    ...{ webhookSecrets: ['whsec_new_1', 'whsec_old_1'], returnUrl: 'http://shop.test' },
  });
  const parseWebhook = stripe.parseWebhook.bind(stripe);
  const psp = { name: stripe.name, terms: stripe.terms, parseWebhook, retrieve } as unknown as Psp;
  const observe = async (object: Observed) => {
    observed.push(object);
    return 'changed' as const;
  };
  const observer = { psp: () => psp, observe };
  server = await createServer({
    api: { title: 'Webhooks', version: '1' },
    routes: pspWebhookRoutes({ psps: [psp], observer, clock }),
    errors: [paymentsErrors],
    authenticator: { authenticate: () => ({ kind: 'rejected', reason: 'unknown' }) },
    log: { level: 'silent' },
    checkResponses: true,
  });
});
afterEach(() => server.stop());

const event = (id = 'evt_1', type = 'payment_intent.succeeded') =>
  JSON.stringify({ id, object: 'event', type, created: seconds, data: { object: { id: 'pi_1' } } });

function signed(payload: string, secret = 'whsec_new_1', timestamp = seconds): string {
  return new Stripe('sk_test_1').webhooks.generateTestHeaderString({ payload, secret, timestamp });
}

async function post(payload: string, signature: string | undefined = signed(payload)) {
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    ...(signature === '' ? {} : { 'stripe-signature': signature }),
  };
  const answer = await server.inject({ method: 'POST', url: '/v1/psp/webhooks', payload, headers });
  return { status: answer.statusCode, ...answer.json<{ code?: string; received?: string }>() };
}

test('a webhook is a hint: the object is fetched, and the same event again costs nothing', async () => {
  expect(await post(event())).toEqual({ status: 200, received: 'changed' });
  expect(observed).toMatchObject([{ kind: 'payment', value: { id: 'pi_1', status: 'captured' } }]);
  expect(await post(event())).toEqual({ status: 200, received: 'duplicate' });
  expect(asked).toHaveLength(1);
});

test('either of two secrets is good, while one is being replaced', async () => {
  const body = event();
  expect((await post(body, signed(body, 'whsec_old_1'))).status).toBe(200);
});

test.each([
  ['no signature', event(), ''],
  ['a signature of another secret', event(), signed(event(), 'whsec_other')],
  ['a signature of another body', event('evt_2'), signed(event('evt_1'))],
  ['one byte more', `${event()} `, signed(event())],
  ['one that is too old', event(), signed(event(), 'whsec_new_1', seconds - 301)],
  ['no JSON', 'hello', signed('hello')],
  ['no event', '{"id":"evt_1"}', signed('{"id":"evt_1"}')],
  ['an empty body', '', signed('')],
])('%s is refused, and nothing is asked of the provider', async (_, body, signature) => {
  expect(await post(body, signature)).toMatchObject({ status: 400, code: 'webhook-not-believed' });
  expect(asked).toEqual([]);
});

test('a huge one is refused before it is looked at', async () => {
  const body = `{"x":"${'x'.repeat(pspWebhookLimits.bodyBytesMax)}"}`;
  expect(await post(body)).toMatchObject({ status: 413 });
});

test('an event that nobody follows is taken, and nothing is asked', async () => {
  const body = event('evt_3', 'customer.created');
  expect(await post(body)).toEqual({ status: 200, received: 'ignored' });
  expect(asked).toEqual([]);
});

test('where the provider does not answer the event is to be sent again, and is no duplicate then', async () => {
  answers = false;
  expect(await post(event())).toMatchObject({ status: 503, code: 'provider-not-answering' });
  answers = true;
  expect(await post(event())).toEqual({ status: 200, received: 'changed' });
});
