import { systemClock } from '@annals/core';
import Stripe from 'stripe';
import { expect, test } from 'vitest';
import type { Psp } from './port.ts';
import { stripePsp } from './stripe.ts';
import { webhookLimits } from './stripe-webhook.ts';

const now = Date.UTC(2026, 0, 2, 3, 4, 5);
const secret = 'whsec_new';
const psp: Psp = stripePsp({
  name: 'stripe',
  url: 'http://127.0.0.1:1',
  key: 'sk_test_1',
  webhookSecrets: [secret, 'whsec_old'],
  returnUrl: 'http://127.0.0.1/back',
  clock: systemClock,
});

function event(type: string, id = 'pi_1') {
  return JSON.stringify({
    id: 'evt_1',
    object: 'event',
    type,
    created: 1_767_225_600,
    data: { object: { id } },
  });
}

function sign(payload: string, { by = secret, at = now } = {}): string {
  const timestamp = Math.floor(at / 1_000);
  return Stripe.webhooks.generateTestHeaderString({ payload, secret: by, timestamp });
}

function parse(payload: string, signature: string | undefined, receivedAt = now) {
  return psp.parseWebhook({ body: Buffer.from(payload), signature, receivedAt });
}

test.each([
  ['payment_intent.succeeded', 'payment'],
  ['payment_intent.requires_action', 'payment'],
  ['refund.updated', 'refund'],
  ['charge.refund.updated', 'refund'],
  ['payout.failed', 'payout'],
  ['charge.dispute.created', 'dispute'],
  ['setup_intent.succeeded', 'authentication'],
])('%s is a hint at a %s', (type, kind) => {
  const payload = event(type);
  expect(parse(payload, sign(payload))).toEqual({
    kind: 'hint',
    hint: {
      psp: 'stripe',
      eventId: 'evt_1',
      type,
      object: { kind, id: 'pi_1' },
      occurredAt: 1_767_225_600_000,
    },
  });
});

test('a genuine event of another kind is ignored', () => {
  const payload = event('customer.created');
  expect(parse(payload, sign(payload))).toEqual({
    kind: 'ignored',
    eventId: 'evt_1',
    type: 'customer.created',
  });
});

test('a secret that is being replaced is still believed', () => {
  const payload = event('payout.paid', 'po_1');
  expect(parse(payload, sign(payload, { by: 'whsec_old' })).kind).toBe('hint');
});

test.each([
  ['signed with another secret', (payload: string) => sign(payload, { by: 'whsec_other' })],
  ['signed for other bytes', (payload: string) => sign(`${payload} `)],
  ['not signed', () => undefined],
  ['signed with nothing', () => ''],
  ['signed in another form', () => 'sha256=abc'],
  ['signed with another scheme', (payload: string) => sign(payload).replace('v1=', 'v0=')],
])('a webhook that is %s is not believed', (_, signature) => {
  const payload = event('payout.paid');
  expect(parse(payload, signature(payload))).toMatchObject({
    kind: 'refused',
    reason: 'wrong_signature',
  });
});

test('a webhook that was signed too long ago is stale, by either secret', () => {
  const payload = event('payout.paid');
  for (const by of [secret, 'whsec_old']) {
    const signature = sign(payload, { by });
    const last = now + webhookLimits.toleranceSeconds * 1_000;
    expect(parse(payload, signature, last).kind).toBe('hint');
    expect(parse(payload, signature, last + 1_000)).toMatchObject({
      kind: 'refused',
      reason: 'stale',
    });
  }
});

test.each(['{', '[]', '{}', 'null', '{"id":"evt_1","type":"payout.paid","created":1,"data":{}}'])(
  'a signed %s is malformed',
  (payload) => {
    expect(parse(payload, sign(payload))).toMatchObject({ kind: 'refused', reason: 'malformed' });
  },
);

test('a huge body is refused before its signature is computed', () => {
  const payload = event('payout.paid').padEnd(webhookLimits.bodyBytesMax + 1);
  expect(parse(payload, sign(payload))).toMatchObject({ kind: 'refused', reason: 'too_large' });
});

test('more secrets than a change of secrets needs are refused', () => {
  const webhookSecrets = Array.from({ length: 9 }, (_, index) => `whsec_${index}`);
  expect(() =>
    stripePsp({
      name: 'stripe',
      url: 'http://127.0.0.1:1',
      key: 'sk',
      webhookSecrets,
      returnUrl: '',
      clock: systemClock,
    }),
  ).toThrow(RangeError);
});
