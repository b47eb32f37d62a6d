import { type Clock, newId, systemClock } from '@annals/core';
import { memoryEventLog } from '@annals/event-log';
import { runReactor } from '@annals/projection';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { Webhook } from 'standardwebhooks';
import { expect, onTestFinished, test, vi } from 'vitest';
import { changeStream } from '../change.ts';
import { sellerEvent } from '../decide/decide.ts';
import type { SellerEvent } from '../events.ts';
import { sellerStreams } from '../known-streams.ts';
import { sellerStream } from '../streams.ts';
import { webhookEndpointsStream } from './events.ts';
import { webhookLimits } from './limits.ts';
import type { WebhookRequest, WebhookResponse } from './post.ts';
import { webhookQueue } from './queue-reactor.ts';
import { WebhookSender } from './sender.ts';
import { Webhooks } from './service.ts';
import { naiveDeliveryLog } from './testing/naive-delivery-log.ts';

const by = 'key-1';
const terms = {
  currencies: [{ currency: 'EUR', fee_basis_points: 0, fee_fixed: '0', payout_minimum: '1' }],
  ...{ reserve_basis_points: 0, release_after_days: 1, payout_schedule: 'manual' as const },
};

/** Endpoints, the reactor that queues, and a sender whose passes the test makes. */
class Site {
  now = Date.parse('2026-11-24T12:00:00Z');
  readonly clock: Clock = {
    now: () => this.now,
    sleep: (ms, signal) => systemClock.sleep(ms, signal),
  };
  readonly log = memoryEventLog({ clock: this.clock });
  readonly cipher = subjectCipher(memorySubjectKeyStore());
  readonly deliveries = naiveDeliveryLog(this.log, this.cipher);
  readonly webhooks = new Webhooks({ ...this, allowPrivate: false });
  readonly posted: (WebhookRequest & { readonly at: number })[] = [];
  readonly stop = new AbortController();
  answers: (request: WebhookRequest) => WebhookResponse | Promise<WebhookResponse> = () => ok;
  #sender = this.#newSender();
  #reactor: Promise<unknown> | undefined;
  #stopReactor = new AbortController();

  constructor() {
    onTestFinished(async () => {
      this.stop.abort();
      await this.stopQueue();
    });
  }

  /** A process that begins anew: nothing in its memory. */
  restart(): void {
    this.#sender = this.#newSender();
  }

  #newSender(): WebhookSender {
    const { log, cipher, clock, deliveries } = this;
    const post = async (request: WebhookRequest) => {
      this.posted.push({ ...request, at: this.now });
      return this.answers(request);
    };
    return new WebhookSender({ log, cipher, clock, deliveries, post, random: () => 0.99 });
  }

  startQueue(from: 'head' | Record<never, never> = {}): void {
    const { log, cipher, clock } = this;
    this.#stopReactor = new AbortController();
    const { signal } = this.#stopReactor;
    const reactor = webhookQueue({ log, cipher, clock });
    this.#reactor = runReactor({ log, cipher, clock, reactor, signal, runId: newId(), from });
  }

  async stopQueue(): Promise<void> {
    this.#stopReactor.abort();
    await this.#reactor;
  }

  async pass(): Promise<void> {
    await this.#sender.pass(this.stop.signal);
    await this.#sender.settled();
  }

  /** Passes without waiting for what is under way. */
  async begin(): Promise<void> {
    await this.#sender.pass(this.stop.signal);
  }

  put(id: string, eventTypes: readonly string[] = ['*']) {
    return this.webhooks.put(id, { url: `https://${id}.example/`, eventTypes, by });
  }

  async sellers(account: string, ...events: readonly SellerEvent[]): Promise<void> {
    const { log, cipher } = this;
    await changeStream({ log, cipher }, sellerStreams, sellerStream(account), () => ({
      ...{ kind: 'decided', events },
    }));
  }

  async register(account: string): Promise<void> {
    const data = { seller_account: account, terms };
    await this.sellers(account, sellerEvent('seller-registered', [], this.now, data));
  }

  /** Something that is told: of the reserve of this amount. */
  async happens(account: string, amount: number): Promise<void> {
    const data = { seller_account: account, amount: String(amount), currency: 'EUR' };
    await this.sellers(account, sellerEvent('reserve-released', [amount], this.now, data));
  }

  async logged(endpointId: string) {
    const page = await this.deliveries.deliveries({ endpointId, limit: 100 });
    return page.kind === 'answer' ? page.deliveries : [];
  }

  /** Until so many deliveries are queued. */
  async queued(endpointId: string, count: number): Promise<void> {
    await vi.waitFor(async () => expect(await this.logged(endpointId)).toHaveLength(count), 5_000);
  }

  amounts(endpointId: string): readonly string[] {
    return this.posted
      .filter(({ url }) => url.includes(endpointId))
      .map(({ body }) => JSON.parse(body).data.amount);
  }
}

const ok: WebhookResponse = { kind: 'answered', status: 200, excerpt: '' };
const broken: WebhookResponse = { kind: 'answered', status: 500, excerpt: 'oops' };

async function siteWith(...endpoints: readonly string[]): Promise<Site> {
  const site = new Site();
  await site.register('shop');
  for (const id of endpoints) await site.put(id);
  site.startQueue();
  return site;
}

test('an event is told once, signed so that the library of Standard Webhooks verifies it', async () => {
  const site = new Site();
  site.now = Date.now();
  await site.register('shop');
  await site.happens('shop', 1);
  site.now += 1_000;
  const made = await site.put('hook');
  if (made.kind !== 'changed' || !made.secret) throw new Error(made.kind);
  site.startQueue();
  await site.happens('shop', 2);
  await site.queued('hook', 1);
  await site.pass();
  await site.pass();
  expect(site.amounts('hook')).toEqual(['2']);
  const [request] = site.posted;
  if (!request) throw new Error('nothing was posted');
  const verified = new Webhook(made.secret).verify(request.body, request.headers);
  expect(verified).toMatchObject({ type: 'reserve.released', data: { seller_account: 'shop' } });
  expect((verified as { id: string }).id).toBe(request.headers['webhook-id']);
  expect(() =>
    new Webhook(made.secret ?? '').verify(`${request.body} `, request.headers),
  ).toThrow();
  expect(await site.logged('hook')).toMatchObject([
    { state: 'delivered', attempts: 1, status: 200, eventType: 'reserve.released' },
  ]);
});

test('what fails is tried again later and later, under the same id, and is dead in the end', async () => {
  const site = await siteWith('hook');
  await site.happens('shop', 1);
  await site.queued('hook', 1);
  site.answers = () => broken;
  const begun = site.now;
  for (let pass = 0; pass < 200; pass += 1) {
    await site.pass();
    const [delivery] = await site.logged('hook');
    if (delivery?.dueAt === undefined) break;
    site.now = delivery.dueAt;
  }
  const [dead] = await site.logged('hook');
  expect(dead).toMatchObject({ state: 'dead', status: 500, detail: 'oops' });
  expect(dead?.attempts).toBe(site.posted.length);
  expect(new Set(site.posted.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect(new Set(site.posted.map(({ body }) => body)).size).toBe(1);
  const times = site.posted.map(({ at }) => at - begun);
  const waits = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  expect(waits).toEqual(waits.toSorted((a, b) => a - b));
  expect(Math.max(...waits)).toBeLessThanOrEqual(webhookLimits.retryAfterMsMax);
  expect(times.at(-1)).toBeGreaterThan(webhookLimits.giveUpAfterMs / 2);
  expect(times.at(-1)).toBeLessThanOrEqual(webhookLimits.giveUpAfterMs);
  // Dead until somebody asks for it.
  site.now += 10 * webhookLimits.giveUpAfterMs;
  site.answers = () => ok;
  await site.pass();
  expect(await site.logged('hook')).toMatchObject([{ state: 'dead' }]);
  expect(await site.webhooks.replay('hook', dead?.deliveryId ?? '', { by })).toMatchObject({
    kind: 'replayed',
  });
  await site.pass();
  expect(await site.logged('hook')).toMatchObject([{ state: 'delivered' }]);
});

test('one stream is told in its order: what failed holds up the later ones, and no other stream', async () => {
  const site = await siteWith('hook');
  await site.register('other');
  await site.happens('shop', 1);
  await site.happens('shop', 2);
  await site.happens('other', 3);
  await site.queued('hook', 3);
  site.answers = ({ body }) => (body.includes('"amount":"1"') ? broken : ok);
  await site.pass();
  expect(site.amounts('hook').toSorted()).toEqual(['1', '3']);
  site.answers = () => ok;
  site.now += webhookLimits.retryAfterMs;
  await site.pass();
  expect(site.amounts('hook').slice(-2)).toEqual(['1', '2']);
});

test('an endpoint that never answers holds up no other endpoint', async () => {
  const site = await siteWith('silent', 'hook');
  const { attemptsPerEndpointMax } = webhookLimits;
  const accounts = Array.from({ length: attemptsPerEndpointMax + 2 }, (_, n) => `seller-${n}`);
  for (const account of accounts) {
    await site.register(account);
    await site.happens(account, 1);
  }
  await site.queued('silent', accounts.length);
  await site.queued('hook', accounts.length);
  let release: (answer: WebhookResponse) => void = () => undefined;
  const never = new Promise<WebhookResponse>((resolve) => {
    release = resolve;
  });
  site.answers = ({ url }) => (url.includes('silent') ? never : ok);
  await vi.waitFor(async () => {
    await site.begin();
    expect(site.amounts('hook')).toHaveLength(accounts.length);
  }, 5_000);
  expect(site.amounts('silent')).toHaveLength(attemptsPerEndpointMax);
  release(broken);
});

test('both secrets sign after a rotation, for as long as was said; a third drops the first', async () => {
  const site = new Site();
  site.now = Date.now();
  await site.register('shop');
  const first = await site.put('hook');
  const second = await site.webhooks.rotate('hook', { by, keepOldMs: 60_000 });
  if (first.kind !== 'changed' || second.kind !== 'changed') throw new Error('not changed');
  site.startQueue();
  const verifies = (secret = '') => {
    const request = site.posted.at(-1);
    if (!request) throw new Error('nothing was posted');
    try {
      return new Webhook(secret).verify(request.body, request.headers) !== undefined;
    } catch {
      return false;
    }
  };
  await site.happens('shop', 1);
  await site.queued('hook', 1);
  await site.pass();
  expect([first, second].map(({ secret }) => verifies(secret))).toEqual([true, true]);
  site.now += 60_000;
  await site.happens('shop', 2);
  await site.queued('hook', 2);
  await site.pass();
  expect([first, second].map(({ secret }) => verifies(secret))).toEqual([false, true]);
  await site.webhooks.rotate('hook', { by });
  await site.webhooks.rotate('hook', { by });
  await site.happens('shop', 3);
  await site.queued('hook', 3);
  await site.pass();
  expect(verifies(second.secret)).toBe(false);
  expect(site.posted.at(-1)?.headers['webhook-signature']?.split(' ')).toHaveLength(2);
});

test('what an endpoint missed while it was off is written down, and told when asked for', async () => {
  const site = await siteWith('hook');
  const since = site.now;
  await site.webhooks.switch('hook', { by, enabled: false, reason: 'we move' });
  await site.happens('shop', 1);
  await site.happens('shop', 2);
  await site.queued('hook', 2);
  await site.pass();
  expect(site.posted).toEqual([]);
  expect(await site.logged('hook')).toMatchObject([{ state: 'skipped' }, { state: 'skipped' }]);
  await site.webhooks.switch('hook', { by, enabled: true, reason: 'moved' });
  const first = await site.webhooks.replaySince('hook', { since, by, limit: 1 });
  if (first.kind !== 'replayed' || !first.next) throw new Error(first.kind);
  const rest = await site.webhooks.replaySince('hook', { since, by, after: first.next });
  expect(rest).toMatchObject({ kind: 'replayed', next: undefined });
  // Asked for once more while it waits: still one.
  await site.webhooks.replaySince('hook', { since, by });
  await site.pass();
  expect(site.amounts('hook').toSorted()).toEqual(['1', '2']);
  const later = await site.webhooks.replaySince('hook', { since: site.now + 1, by });
  expect(later).toEqual({ kind: 'replayed', deliveries: [], next: undefined });
});

test('an endpoint that answers 410 is switched off, and says why', async () => {
  const site = await siteWith('hook');
  await site.happens('shop', 1);
  await site.queued('hook', 1);
  site.answers = () => ({ kind: 'answered', status: 410, excerpt: '' });
  await site.pass();
  expect(await site.webhooks.endpoint('hook')).toMatchObject({
    enabled: false,
    switchedBecause: 'it answered 410 Gone',
  });
  expect(await site.logged('hook')).toMatchObject([{ state: 'dead', status: 410 }]);
});

test('a process that begins anew sends what waits, and nothing that was told; a reactor without progress sends nothing', async () => {
  const site = await siteWith('hook');
  await site.happens('shop', 1);
  await site.queued('hook', 1);
  await site.pass();
  await site.stopQueue();
  site.restart();
  site.startQueue();
  await site.happens('shop', 2);
  await site.queued('hook', 2);
  await site.pass();
  expect(site.amounts('hook')).toEqual(['1', '2']);
});

test('an endpoint is told only of what it subscribed to', async () => {
  const site = new Site();
  await site.register('shop');
  await site.put('payouts', ['payout.paid']);
  await site.put('reserves', ['reserve.released', 'reserve.released']);
  site.startQueue();
  await site.happens('shop', 1);
  await site.queued('reserves', 1);
  expect(await site.logged('payouts')).toEqual([]);
  expect(await site.webhooks.endpoint('reserves')).toMatchObject({
    eventTypes: ['reserve.released'],
  });
});

test('the secret is sealed in the log, shown once, and the key that asked is named', async () => {
  const site = new Site();
  const made = await site.put('hook');
  if (made.kind !== 'changed' || !made.secret) throw new Error(made.kind);
  expect(made.secret).toMatch(/^whsec_[\w+/]{43}=$/);
  const again = await site.put('hook');
  expect(again.kind === 'changed' && again.secret).toBeUndefined();
  const { events } = await site.log.readStream(webhookEndpointsStream);
  expect(events).toHaveLength(2);
  expect(JSON.stringify(events)).not.toContain(made.secret.slice(6));
  expect(events.map(({ metadata }) => metadata.actor)).toEqual([by, by]);
});

test.each([
  ['a private URL', { url: 'http://10.0.0.1/', eventTypes: ['*'] }, 'invalid-url'],
  ['an unknown type', { url: 'https://a.example/', eventTypes: ['no'] }, 'unknown-event-type'],
])('%s is refused, and nothing is written', async (_, command, reason) => {
  const site = new Site();
  expect(await site.webhooks.put('hook', { ...command, by })).toMatchObject({ reason });
  expect(await site.log.head()).toEqual({});
});

test('what is not there is refused, and there is room for so many endpoints', async () => {
  const site = new Site();
  const none = { kind: 'refused', reason: 'unknown-endpoint' };
  expect(await site.webhooks.rotate('no', { by })).toMatchObject(none);
  expect(await site.webhooks.switch('no', { by, enabled: false, reason: '' })).toMatchObject(none);
  expect(await site.webhooks.remove('no', { by })).toMatchObject(none);
  expect(await site.webhooks.replay('no', 'd', { by })).toMatchObject(none);
  for (let n = 0; n < webhookLimits.endpointsMax; n += 1) await site.put(`hook-${n}`);
  expect(await site.put('one-more')).toMatchObject({ reason: 'too-many-endpoints' });
  expect(await site.webhooks.remove('hook-7', { by })).toEqual({ kind: 'removed' });
  expect(await site.put('one-more')).toMatchObject({ kind: 'changed' });
  expect(await site.webhooks.replay('hook-1', 'd', { by })).toMatchObject({
    reason: 'unknown-delivery',
  });
});
