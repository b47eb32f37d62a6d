import { idFromKey } from '@annals/core';
import { paymentsProjection, sqlitePaymentsReadModel } from '@annals/payments';
import { fedStore } from '@annals/payments/contract';
import { providerEventsLimits, providerEventsStep } from '@annals/payments/runtime';
import { describe, expect, test } from 'vitest';
import { openImpatientMarket } from './testing/impatient-market.ts';
import type { Market } from './testing/market.ts';

/** Checkouts whose card is given on a page of the provider, with everything that may be lost on the way. */

const within = { timeout: 20_000, interval: 20 };
const hourMs = 3_600_000;
const visa = '4242424242424242';
const screen = { name: 'none', assess: async () => ({ verdict: 'accepted', rules: [] }) as const };

const openMarket = () => openImpatientMarket({ screen });

const typesOf = async ({ log }: Market, id = 'c-1') =>
  (await log.readStream(`checkout-${id}`)).events.map(({ type }) => type);
const stateOf = async (market: Market, order = 'order-1') =>
  (await market.order('c-1', order)).state;
const captured = (market: Market) => expect.poll(() => stateOf(market), within).toBe('captured');

/** The provider's events, as the schedule asks for them; in a process that remembers nothing. */
async function askForEvents(market: Market) {
  const { log, cipher, clock, routing } = market;
  const step = providerEventsStep({ log, cipher, clock, routing, observer: market.observer() });
  return step.run(new AbortController().signal);
}

describe('a webhook', () => {
  test.each([
    ['once', <T>(all: readonly T[]) => all],
    ['twice', <T>(all: readonly T[]) => all.flatMap((one) => [one, one])],
    ['backwards', <T>(all: readonly T[]) => all.toReversed()],
  ])('that comes %s tells of the card, and the payment goes on', async (_, turn) => {
    const { market, site } = await openMarket();
    await market.register('c-1', { orders: 2 });
    await site.giveCard(await market.pageUrl('c-1'), visa);
    await site.pass(1);
    await market.followWebhooks(turn);
    await captured(market);
    await expect.poll(() => stateOf(market, 'order-2'), within).toBe('captured');
    const types = await typesOf(market);
    expect(types.filter((type) => type === 'payment-page-completed')).toHaveLength(1);
    expect(await site.count('payment')).toBe(2);
    expect(market.contradictions).toEqual([]);
  });

  test('that is lost is made up for by asking for events, and changes nothing when it comes late', async () => {
    const { market, site } = await openMarket();
    await site.inject({ event: 'checkout.session.*', do: 'delay', ms: 6 * hourMs, times: 100 });
    await market.register('c-1');
    await site.giveCard(await market.pageUrl('c-1'), visa);
    await site.pass(2 * 60_000);
    await market.followWebhooks();
    expect(await stateOf(market)).toBe('not_started');
    expect(await askForEvents(market)).toBe('done');
    await captured(market);
    const before = await typesOf(market);
    await site.pass(6 * hourMs);
    await market.followWebhooks();
    await askForEvents(market);
    expect(await typesOf(market)).toEqual(before);
    expect(market.contradictions).toEqual([]);
  });

  test('that is lost is made up for within a minute of the card', async () => {
    const { market, site } = await openMarket();
    await site.inject({ event: 'checkout.session.*', do: 'lose', times: 100 });
    await market.register('c-1');
    await site.giveCard(await market.pageUrl('c-1'), visa);
    const { everyMs, quietMs } = providerEventsLimits;
    // The schedule asks a moment too early, and then in its own time.
    await site.pass(quietMs - 1_000);
    await askForEvents(market);
    expect(await stateOf(market)).toBe('not_started');
    await site.pass(everyMs);
    expect(quietMs + everyMs).toBeLessThanOrEqual(60_000);
    expect(await askForEvents(market)).toBe('done');
    await captured(market);
  });

  test('that is lost of a page that expired is made up for, too', async () => {
    const { market, site } = await openMarket();
    await site.inject({ event: 'checkout.session.*', do: 'lose', times: 100 });
    await market.register('c-1', { orders: 2 });
    await market.pageUrl('c-1');
    await site.pass(hourMs + 2 * 60_000);
    expect(await askForEvents(market)).toBe('done');
    expect((await market.checkout('c-1')).page?.state).toBe('expired');
    expect([await stateOf(market), await stateOf(market, 'order-2')]).toEqual([
      ...['expired', 'expired'],
    ]);
  });

  test('may come before the answer to the call that made the page', async () => {
    const { market, site } = await openMarket();
    await site.inject({ operation: 'checkout.sessions.create', do: 'cut', when: 'after' });
    await market.stop();
    await market.register('c-1');
    // Somebody else makes it with the same key, and the buyer is quick.
    const key = idFromKey('payment-page-requested', 'c-1');
    const { page } = await market.checkout('c-1');
    const request = {
      ...{ key, reference: 'h~c-1', currency: 'USD', returnUrl: 'http://shop.test/back' },
      expiresAt: page?.expiresAt ?? 0,
    };
    expect((await site.psp.openPage(request)).kind).toBe('unknown');
    const made = await site.psp.openPage(request);
    if (made.kind !== 'answered') throw new Error(made.kind);
    await site.giveCard(made.value.url ?? '', visa);
    await site.pass(1);
    await market.followWebhooks();
    expect(await typesOf(market)).toEqual([
      ...['checkout-opened', 'payment-page-requested', 'payment-page-opened'],
      'payment-page-completed',
    ]);
    market.start({ screen });
    await captured(market);
    expect(await site.count('page')).toBe(1);
  });
});

describe('the call that makes the page', () => {
  test.each([
    ['a cut before', { do: 'cut', when: 'before' }],
    ['a cut after', { do: 'cut', when: 'after' }],
    ['a 500 after', { do: 'error', when: 'after' }],
  ] as const)('through %s makes one page, which pays', async (_, fault) => {
    const { market, site } = await openMarket();
    await site.inject({ ...fault, operation: 'checkout.sessions.create' });
    await market.register('c-1');
    await site.giveCard(await market.pageUrl('c-1'), visa);
    await site.pass(1);
    await market.followWebhooks();
    await captured(market);
    expect(await site.count('page')).toBe(1);
  });

  test('where the provider surely makes none the orders fail', async () => {
    const { market, site } = await openMarket();
    await site.inject({ operation: 'checkout.sessions.create', do: 'error', when: 'before' });
    await market.register('c-1', { orders: 2 });
    await expect.poll(() => stateOf(market), within).toBe('failed');
    const checkout = await market.checkout('c-1');
    expect(checkout.page?.state).toBe('refused');
    expect([...checkout.orders.values()].map(({ ended }) => ended)).toEqual([
      ...['page-refused', 'page-refused'],
    ]);
  });
});

describe('a page that nothing is left to pay on', () => {
  const opened = async ({ orders = 1, start = true } = {}) => {
    const { market, site } = await openMarket();
    await market.register('c-1', { orders });
    const url = await market.pageUrl('c-1');
    if (!start) await market.stop();
    const state = async () => (await market.checkout('c-1')).page?.state;
    return { market, site, url, state };
  };

  test('is closed at the provider, and takes no card', async () => {
    const { market, site, url, state } = await opened({ orders: 2 });
    await market.cancel('c-1');
    expect(await typesOf(market)).not.toContain('payment-page-close-requested');
    await market.cancel('c-1', 'order-2');
    await expect.poll(state, within).toBe('closed');
    expect(await site.giveCard(url, visa)).toBe('');
    await site.pass(1);
    const before = await typesOf(market);
    await market.followWebhooks();
    await askForEvents(market);
    expect(await typesOf(market)).toEqual(before);
    expect(market.contradictions).toEqual([]);
  });

  test.each([
    ['a cut before', { do: 'cut', when: 'before' }],
    ['a cut after', { do: 'cut', when: 'after' }],
    ['a gateway that fails after', { do: 'gateway_error', when: 'after' }],
    ['a 500 before', { do: 'error', when: 'before' }],
    ['a 500 after', { do: 'error', when: 'after' }],
  ] as const)('through %s is closed once', async (_, fault) => {
    const { market, site, url, state } = await opened();
    await site.inject({ ...fault, operation: 'checkout.sessions.expire' });
    await market.cancel('c-1');
    await expect.poll(state, within).toBe('closed');
    expect(await site.giveCard(url, visa)).toBe('');
    const types = await typesOf(market);
    expect(types.filter((type) => type === 'payment-page-closed')).toHaveLength(1);
    expect(market.contradictions).toEqual([]);
  });

  test('is closed by whoever comes after a crash', async () => {
    const { market, site, url, state } = await opened({ start: false });
    await market.cancel('c-1');
    expect(await state()).toBe('opened');
    market.start({ screen });
    await expect.poll(state, within).toBe('closed');
    expect(await site.giveCard(url, visa)).toBe('');
  });

  test('is closed as soon as it is made, where the order was canceled before', async () => {
    const { market, site } = await openMarket();
    await market.stop();
    await market.register('c-1');
    await market.cancel('c-1');
    market.start({ screen });
    const state = async () => (await market.checkout('c-1')).page?.state;
    await expect.poll(state, within).toBe('closed');
    expect(await site.count('page')).toBe(1);
  });

  test('where a card was quicker it is left, and nothing is charged', async () => {
    const { market, site, url, state } = await opened({ start: false });
    await site.giveCard(url, visa);
    await market.cancel('c-1');
    market.start({ screen });
    await expect.poll(state, within).toBe('completed');
    await site.pass(1);
    await market.followWebhooks();
    expect(await stateOf(market)).toBe('canceled');
    expect(await site.count('payment')).toBe(0);
    expect(market.contradictions).toEqual([]);
  });

  test('is closed where the buyer was erased, and the orders expire with it', async () => {
    const { market, site, url, state } = await opened();
    await market.erase('c-1');
    await expect.poll(state, within).toBe('closed');
    expect(await site.giveCard(url, visa)).toBe('');
    expect(await market.order('c-1')).toMatchObject({ state: 'expired', ended: 'page-closed' });
  });

  test('of a buyer who was erased before it was there is closed, too', async () => {
    const { market } = await openMarket();
    await market.stop();
    await market.register('c-1');
    await market.erase('c-1');
    market.start({ screen });
    const state = async () => (await market.checkout('c-1')).page?.state;
    await expect.poll(state, within).toBe('closed');
  });

  test('where somebody gave a card who was erased nothing of it is kept', async () => {
    const { market, site, url } = await opened({ start: false });
    await site.giveCard(url, visa);
    await market.erase('c-1');
    market.start({ screen });
    const closes = async () =>
      (await market.log.read('start', { categories: ['reactor'] })).events.filter(({ data }) =>
        data.includes('close_page'),
      );
    await expect.poll(async () => (await closes()).length, within).toBe(1);
    expect(await typesOf(market)).not.toContain('payment-page-completed');
    const letters = await market.log.read('start', { categories: ['deadcall'] });
    expect(letters.events).toEqual([]);
  });
});

test('what risk rejects on the page is not charged', async () => {
  const { market, site } = await openMarket();
  await market.stop();
  const fingerprints: (string | undefined)[] = [];
  market.start({
    screen: {
      name: 'sees',
      assess: async ({ fingerprint }) => {
        fingerprints.push(fingerprint);
        return { verdict: 'rejected', rules: ['sees:it'] };
      },
    },
  });
  await market.register('c-1');
  await site.giveCard(await market.pageUrl('c-1'), visa);
  await site.pass(1);
  await market.followWebhooks();
  await expect.poll(() => stateOf(market), within).toBe('failed');
  expect(await site.count('payment')).toBe(0);
  const known = await site.psp.method('pm_card_visa');
  expect(fingerprints).toEqual([known.kind === 'answered' && known.value.fingerprint]);
});

test('the read model has the page as the stream has it', async () => {
  const { market, site } = await openMarket();
  await market.register('c-1');
  await site.giveCard(await market.pageUrl('c-1'), visa);
  await site.pass(1);
  await market.followWebhooks();
  await captured(market);
  await market.stop();
  const store = await fedStore(paymentsProjection, market.log, market.cipher);
  const read = sqlitePaymentsReadModel(store);
  const found = await read.checkout('c-1');
  expect(found).toMatchObject({ checkout: { page: (await market.checkout('c-1')).page } });
});
