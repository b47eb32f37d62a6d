import { newId } from '@annals/core';
import { WebhookSender, webhookLimits, webhookQueue } from '@annals/payments/webhooks-out';
import { runReactor } from '@annals/projection';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { paymentInput, shopInput } from './testing/example-payment.ts';
import { openApi, type TestApi } from './testing/open-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
  await api.means.payments.putSeller('shop', shopInput);
});
afterAll(() => api.close());

const url = 'https://shop.example/hooks';
const put = (id: string, body: object = { url, event_types: ['*'] }, headers = {}) =>
  api.call(`PUT /v1/webhook_endpoints/${id}`, { body, headers });

describe('a webhook endpoint', () => {
  test('is made, changed, switched and removed; its secret is shown once', async () => {
    const made = await put('hook-a');
    expect(made).toMatchObject({
      status: 200,
      body: { endpoint_id: 'hook-a', url, event_types: ['*'], enabled: true },
    });
    expect(made.body.secret).toMatch(/^whsec_/);
    const changed = await put('hook-a', { url, event_types: ['payout.paid'] });
    expect(changed.body).toMatchObject({ event_types: ['payout.paid'], secret: null });
    const off = await api.call('PUT /v1/webhook_endpoints/hook-a/enabled', {
      body: { enabled: false, reason: 'we move' },
    });
    expect(off.body).toMatchObject({ enabled: false, switched_because: 'we move' });
    const read = await api.call('GET /v1/webhook_endpoints/hook-a');
    expect(read.body).toEqual(off.body);
    expect(read.text).not.toContain('whsec_');
    expect((await api.call('DELETE /v1/webhook_endpoints/hook-a')).status).toBe(204);
    expect((await api.call('GET /v1/webhook_endpoints/hook-a')).body.code).toBe('unknown-endpoint');
    expect(api.lines.join()).not.toContain('whsec_');
  });

  test('has one secret for each Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'make-b' };
    const made = await put('hook-b', undefined, headers);
    const again = await put('hook-b', undefined, headers);
    expect(again.text).toBe(made.text);
    expect(again.headers['idempotent-replayed']).toBe('true');
    const rotate = (key: string) =>
      api.call('POST /v1/webhook_endpoints/hook-b/secret', {
        body: { keep_old_seconds: 60 },
        headers: { 'idempotency-key': key },
      });
    const first = await rotate('rotate-1');
    expect(first.body.secret).toMatch(/^whsec_/);
    expect(first.body.secret).not.toBe(made.body.secret);
    expect((await rotate('rotate-1')).text).toBe(first.text);
    expect((await rotate('rotate-2')).body.secret).not.toBe(first.body.secret);
  });

  test('is told, shows what it was told, and is told again', async () => {
    await put('hook-c', { url: `${url}/c`, event_types: ['checkout.opened'] });
    const { log, cipher, clock, webhooks } = api.means;
    if (!webhooks) throw new Error('the test API has no webhooks');
    const stop = new AbortController();
    const { signal } = stop;
    const reactor = webhookQueue({ log, cipher, clock });
    const queue = runReactor({ log, cipher, clock, reactor, signal, runId: newId(), from: {} });
    const bodies: string[] = [];
    const sender = new WebhookSender({
      ...{ log, cipher, clock, deliveries: webhooks.deliveries, random: Math.random },
      post: async (request) => {
        if (request.url.endsWith('/c')) bodies.push(request.body);
        return { kind: 'answered', status: 204, excerpt: '' };
      },
      limits: { pollMs: 10 },
    });
    const sending = sender.run(signal);
    for (const checkout_id of ['c-1', 'c-2']) {
      await api.call('POST /v1/payments', { body: { ...paymentInput(), checkout_id } });
    }
    const deliveries = '/v1/webhook_endpoints/hook-c/deliveries';
    const delivered = async (count: number) => {
      const page = await api.call(`GET ${deliveries}?state=delivered`);
      expect(page.body.data).toHaveLength(count);
      return page.body.data as { delivery_id: string; last_status: number; attempts: number }[];
    };
    const [one] = await vi.waitFor(() => delivered(2), 10_000);
    expect(one).toMatchObject({ event_type: 'checkout.opened', last_status: 204, attempts: 1 });
    const first = await api.call(`GET ${deliveries}?limit=1`);
    const rest = await api.call(`GET ${deliveries}?limit=1&cursor=${first.body.next_cursor}`);
    expect(rest.body).toMatchObject({ data: [{ state: 'delivered' }], next_cursor: null });
    const replay = await api.call(`POST ${deliveries}/${one?.delivery_id}/replay`);
    expect(replay).toMatchObject({ status: 202, body: { deliveries: [one?.delivery_id] } });
    await vi.waitFor(() => expect(bodies).toHaveLength(3), 10_000);
    expect(new Set(bodies).size).toBe(2);
    const since = await api.call('POST /v1/webhook_endpoints/hook-c/replay', {
      body: { since: '2026-01-01T00:00:00Z' },
    });
    expect(since).toMatchObject({ status: 202, body: { next_cursor: null } });
    expect(since.body.deliveries).toHaveLength(2);
    await vi.waitFor(() => expect(bodies).toHaveLength(5), 10_000);
    stop.abort();
    await Promise.all([queue, sending]);
  });
});

describe('bad input', () => {
  test.each([
    ['a private address', { url: 'http://127.0.0.1/', event_types: ['*'] }, 'url'],
    ['a file', { url: 'file:///etc/passwd', event_types: ['*'] }, 'url'],
    ['a card number', { url: 'https://a.example/4242424242424242', event_types: ['*'] }, 'url'],
    ['a long URL', { url: `https://a.example/${'x'.repeat(2_048)}`, event_types: ['*'] }, 'url'],
    ['a number', { url: 5, event_types: ['*'] }, 'url'],
    ['an unknown type', { url, event_types: ['payout.stolen'] }, 'event_types.0'],
    ['no type', { url, event_types: [] }, 'event_types'],
    ['an unknown field', { url, event_types: ['*'], secret: 'whsec_mine' }, 'secret'],
  ])('%s is refused by its field, and nothing is written', async (_, body, field) => {
    const head = await api.log.head();
    const answer = await put('hook-x', body, { 'idempotency-key': 'k-x' });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ field }] } });
    expect(await api.log.head()).toEqual(head);
    expect((await api.call('GET /v1/webhook_endpoints/hook-x')).status).toBe(404);
  });

  test.each([
    ['GET /v1/webhook_endpoints/none/deliveries', 404],
    ['POST /v1/webhook_endpoints/none/secret', 404, {}],
    ['POST /v1/webhook_endpoints/none/replay', 404, { since: '2026-01-01T00:00:00Z' }],
    ['POST /v1/webhook_endpoints/none/replay', 400, { since: 'yesterday' }],
    ['POST /v1/webhook_endpoints/none/replay', 400, { since: 0 }],
    ['PUT /v1/webhook_endpoints/none/enabled', 404, { enabled: true, reason: 'x' }],
    ['PUT /v1/webhook_endpoints/none/enabled', 400, { enabled: 'yes', reason: 'x' }],
    ['PUT /v1/webhook_endpoints/none/enabled', 400, { enabled: true, reason: '4242424242424242' }],
    ['DELETE /v1/webhook_endpoints/none', 404],
    ['GET /v1/webhook_endpoints/12345', 400],
    ['GET /v1/webhook_endpoints/hook-b/deliveries?limit=0', 400],
    [
      `GET /v1/webhook_endpoints/hook-b/deliveries?limit=${webhookLimits.pageDeliveriesMax + 1}`,
      400,
    ],
    ['GET /v1/webhook_endpoints/hook-b/deliveries?cursor=me', 400],
    ['GET /v1/webhook_endpoints/hook-b/deliveries?state=lost', 400],
    ['POST /v1/webhook_endpoints/hook-b/deliveries/1/replay', 400],
    [`POST /v1/webhook_endpoints/hook-b/deliveries/${newId()}/replay`, 404],
    ['POST /v1/webhook_endpoints/hook-b/secret', 400, { keep_old_seconds: -1 }],
    ['POST /v1/webhook_endpoints/hook-b/secret', 400, { keep_old_seconds: 1e9 }],
  ] as const)('%s is answered %i', async (route, status, body?: object) => {
    expect((await api.call(route, body ? { body } : {})).status).toBe(status);
  });

  test('a key needs the scope: a shop that takes payments neither sees nor makes endpoints', async () => {
    const buyer = api.issueKey(['payments:buyer']);
    const merchant = api.issueKey(['payments:merchant']);
    const body = { url, event_types: ['*'] };
    expect((await api.call('GET /v1/webhook_endpoints', { key: buyer })).status).toBe(403);
    expect((await api.call('GET /v1/webhook_endpoints', { key: merchant })).status).toBe(200);
    const made = await api.call('PUT /v1/webhook_endpoints/hook-m', { key: merchant, body });
    expect(made.status).toBe(403);
  });
});
