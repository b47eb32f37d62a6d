import { checkoutStream } from '@annals/payments';
import {
  type CardLookup,
  DenyListScreen,
  decideDenyList,
  denyListEvents,
  denyListStream,
  openRisk,
  type RiskRules,
} from '@annals/payments/risk';
import { afterEach, describe, expect, test } from 'vitest';
import { Market } from './testing/market.ts';
import { openInProcess } from './testing/sites.ts';

/** Cards are known by their fingerprint before the first charge, with the real client and the sandbox. */

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const within = { timeout: 20_000, interval: 20 };
const visa = '4242424242424242';
const hourMs = 3_600_000;
const oneEach = { by: 'card', windowMs: hourMs, ordersMax: 1, verdict: 'rejected' } as const;

async function openMarket() {
  const site = await openInProcess();
  closing.push(() => site.close());
  const market = new Market([site]);
  closing.push(() => market.stop());
  /** A process that starts: what was counted before is read back. */
  const start = async (rules: RiskRules, cards?: CardLookup) => {
    await market.stop();
    const stop = new AbortController();
    closing.push(() => stop.abort());
    const { log, cipher, clock } = market;
    const onTrouble = (detail: string) => market.contradictions.push(detail);
    const screen = await openRisk({ log, cipher, clock, signal: stop.signal, rules, onTrouble });
    market.start({ screen, ...(cards ? { cards } : {}) });
  };
  const state = (id: string) =>
    expect.poll(async () => (await market.order(id)).state, { ...within, message: id });
  const events = async (id: string) => (await market.log.readStream(checkoutStream(id))).events;
  const rules = async (id: string) => {
    const assessed = (await events(id)).find(({ type }) => type === 'order-risk-assessed');
    return JSON.parse(assessed?.data ?? '{}').rules as string[];
  };
  /** A token of its own each time, of one card. */
  const token = async () => {
    const page = 'http://psp.test/sandbox/pay?return_url=http%3A%2F%2Fshop.test%2Fback';
    return new URL(await site.giveCard(page, visa)).searchParams.get('token') ?? '';
  };
  return { market, site, start, state, events, rules, token };
}

async function denyCard({ log, cipher, clock }: Market, value: string): Promise<void> {
  const change = {
    list: 'card',
    value,
    reason: 'stolen',
    decidedBy: 'ann',
    requestId: 'r',
  } as const;
  const event = decideDenyList(new DenyListScreen(), 'listed', { ...change, at: clock.now() });
  const encoded = await denyListEvents.encode(event ? [event] : [], cipher);
  if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
  await log.append(denyListStream, encoded.events, { expected: 'any' });
}

describe('velocity by card', () => {
  test('knows a card by whatever token it comes, before it is charged', async () => {
    const { market, site, start, state, rules, token } = await openMarket();
    await start({ velocity: [oneEach] });
    const tokens = [await token(), await token()];
    expect(new Set(tokens).size).toBe(2);
    await market.openOnly('c-1', { method: tokens[0] ?? '' });
    await state('c-1').toBe('captured');
    await market.openOnly('c-2', { method: tokens[1] ?? '' });
    await state('c-2').toBe('failed');
    expect(await rules('c-2')).toEqual(['velocity:card']);
    await market.openOnly('c-3', { method: 'pm_card_mastercard' });
    await state('c-3').toBe('captured');
    expect(await site.count('payment')).toBe(2);
  });

  test('counts on after a restart, by tokens and by pages', async () => {
    const { market, site, start, state, token } = await openMarket();
    const twice = { ...oneEach, ordersMax: 2 };
    await start({ velocity: [twice] });
    await market.openOnly('c-1', { method: await token() });
    await state('c-1').toBe('captured');
    await market.register('c-2');
    await site.giveCard(await market.pageUrl('c-2'), visa);
    await site.pass(1);
    await market.followWebhooks();
    await state('c-2').toBe('captured');
    // A page that nobody has used is no order of anybody.
    await market.register('c-3');
    await market.pageUrl('c-3');
    await start({ velocity: [twice] });
    await market.openOnly('c-4', { method: await token() });
    await state('c-4').toBe('failed');
  });

  test('counts a page that was registered before the window, by when the card was given', async () => {
    const { market, site, start, state, token } = await openMarket();
    const rules = { velocity: [{ ...oneEach, windowMs: 60_000 }] };
    await start(rules);
    await market.register('c-1');
    const page = await market.pageUrl('c-1');
    await site.pass(10 * 60_000);
    await site.giveCard(page, visa);
    await site.pass(1);
    await market.followWebhooks();
    await state('c-1').toBe('captured');
    await start(rules);
    await market.openOnly('c-2', { method: await token() });
    await state('c-2').toBe('failed');
  });
});

test('a card on the deny list is turned away before its first charge', async () => {
  const { market, site, start, state, rules, events, token } = await openMarket();
  const known = await site.psp.method('pm_card_visa');
  if (known.kind !== 'answered') throw new Error(known.kind);
  const { fingerprint = '' } = known.value;
  await denyCard(market, fingerprint);
  await start({});
  await market.openOnly('c-1', { method: await token(), orders: 2 });
  await state('c-1').toBe('failed');
  expect(await rules('c-1')).toEqual(['deny-list:card']);
  expect(await site.count('payment')).toBe(0);
  // It is written down once for the checkout, and sealed.
  const identified = (await events('c-1')).filter(({ type }) => type === 'card-identified');
  expect(identified).toHaveLength(1);
  expect(identified[0]?.data).not.toContain(fingerprint);
});

describe('a provider that does not say which card it is', () => {
  const operation = 'payment_methods.retrieve';

  test.each([
    ['closed', 'risk_review'],
    ['open', 'captured'],
  ] as const)('in time, and the rule fails %s: the order is %s', async (onFailure, comes) => {
    const { market, site, start, state, rules, events } = await openMarket();
    await site.inject({ operation, do: 'delay', when: 'before', ms: 5_000 });
    const began = performance.now();
    await start({ velocity: [oneEach] }, { answerMsMax: 100, onFailure });
    await market.openOnly('c-1');
    await state('c-1').toBe(comes);
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(await rules('c-1')).toEqual(['card:no-answer']);
    expect((await events('c-1')).map(({ type }) => type)).not.toContain('card-identified');
  });

  test('because its answer is lost: under review unless told', async () => {
    const { market, site, start, state } = await openMarket();
    await site.inject({ operation, do: 'cut', when: 'before' });
    await start({ velocity: [oneEach] });
    await market.openOnly('c-1');
    await state('c-1').toBe('risk_review');
  });

  test('because there is none is no failure: the charge is declined', async () => {
    const { market, start, state, rules } = await openMarket();
    await start({ velocity: [oneEach] });
    await market.openOnly('c-1', { method: 'pm_none' });
    await state('c-1').toBe('failed');
    expect(await rules('c-1')).toEqual([]);
  });

  test('is not asked where no rule looks at cards, and not again about what is assessed', async () => {
    const { market, site, start, state, events } = await openMarket();
    await start({ velocity: [{ ...oneEach, by: 'buyer', ordersMax: 5 }] });
    await site.inject({ operation, do: 'cut', when: 'before', times: 1 });
    await market.openOnly('c-1');
    await state('c-1').toBe('captured');
    const before = (await events('c-1')).map(({ type }) => type);
    expect(before).not.toContain('card-identified');
    // The reactor begins anew, with a rule that would ask: the fault is still there to strike.
    await start({ velocity: [oneEach] });
    await expect.poll(() => progress(market), within).toBeGreaterThan(1);
    expect((await events('c-1')).map(({ type }) => type)).toEqual(before);
    expect(await site.psp.method('pm_card_visa')).toMatchObject({ kind: 'unknown' });
  });
});

/** How often the reactor of risk has begun. */
async function progress({ log }: Market): Promise<number> {
  const { events } = await log.readStream('reactor-payments-risk');
  return events.length;
}
