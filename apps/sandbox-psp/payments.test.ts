import { voidAgainMs } from '@annals/payments';
import { type PspSite, sitePace } from '@annals/payments/psp/contract';
import { listDeadCalls, retryDeadCall } from '@annals/payments/reactors';
import { afterEach, describe, expect, test } from 'vitest';
import { Market } from './testing/market.ts';
import { openInProcess } from './testing/sites.ts';

/** The payments domain with its reactors, the real adapter and client, and the sandbox: from an order to its money. */

const quick = { keyLifeMs: 82_800_000, callMsMax: 300, inFlightMsMax: 400 };

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function openMarket(...names: readonly string[]) {
  const sites: PspSite[] = [];
  for (const name of names.length > 0 ? names : ['stripe']) {
    const site = await openInProcess(name, { terms: quick, searchLagMs: 100 });
    closing.push(() => site.close());
    sites.push(site);
  }
  const market = new Market(sites);
  closing.push(() => market.stop());
  market.start();
  const [site] = sites;
  if (!site) throw new Error('no site');
  return { market, site, sites };
}

const within = { timeout: 20_000, interval: 20 };

function state(market: Market, checkout: string, order = 'order-1') {
  return expect.poll(async () => (await market.order(checkout, order)).state, within);
}

describe('one order', () => {
  test('is captured, with its fees', async () => {
    const { market, site } = await openMarket();
    await market.open('c-1');
    await state(market, 'c-1').toBe('captured');
    const order = await market.order('c-1');
    expect(order).toMatchObject({ captured: 1_000n, net: 950n });
    expect(order.attempts).toMatchObject([{ number: 1, psp: 'stripe', state: 'captured' }]);
    expect(await site.count('payment')).toBe(1);
  });

  test('is authorized, captured in part, and refunded in part', async () => {
    const { market } = await openMarket();
    await market.open('c-1', { capture: 'manual' });
    await state(market, 'c-1').toBe('authorized');
    await market.capture('c-1', 700n);
    await state(market, 'c-1').toBe('captured');
    await market.refund('c-1', 'refund-1', 200n);
    const refund = async () => (await market.order('c-1')).refunds.get('refund-1')?.state;
    await expect.poll(refund, within).toBe('succeeded');
    expect(await market.order('c-1')).toMatchObject({ captured: 700n });
  });

  test('is authorized, and let go', async () => {
    const { market } = await openMarket();
    await market.open('c-1', { capture: 'manual' });
    await state(market, 'c-1').toBe('authorized');
    await market.cancel('c-1');
    await state(market, 'c-1').toBe('canceled');
  });

  test('fails where the card is no good, after one attempt', async () => {
    const { market, site } = await openMarket();
    await market.open('c-1', { method: 'pm_card_visa_chargeDeclinedLostCard' });
    await state(market, 'c-1').toBe('failed');
    expect((await market.order('c-1')).attempts).toHaveLength(1);
    expect(await site.count('payment')).toBe(1);
  });

  test('fails where the token is none', async () => {
    const { market } = await openMarket();
    await market.open('c-1', { method: 'pm_nobody' });
    await state(market, 'c-1').toBe('failed');
  });

  test.each(['succeeded', 'failed'] as const)('asks the buyer, who says: %s', async (outcome) => {
    const { market, site } = await openMarket();
    await market.open('c-1', { method: 'pm_card_threeDSecure2Required' });
    await state(market, 'c-1').toBe('requires_action');
    const url = (await market.order('c-1')).attempts[0]?.actionUrl ?? '';
    await site.answerAction(url, outcome);
    await site.pass(1);
    await market.followWebhooks();
    await state(market, 'c-1').toBe(outcome === 'succeeded' ? 'captured' : 'failed');
  });

  test('is unknown while nobody knows, and captured once in the end', async () => {
    const { market, site } = await openMarket();
    await site.inject({ operation: 'payment_intents.confirm', do: 'cut', when: 'after' });
    await site.inject({
      operation: 'payment_intents.retrieve',
      do: 'cut',
      when: 'before',
      times: 3,
    });
    await market.open('c-1');
    await state(market, 'c-1').toBe('unknown');
    await state(market, 'c-1').toBe('captured');
    expect((await market.order('c-1')).attempts).toHaveLength(1);
    expect(await site.count('payment')).toBe(1);
  });

  test('a webhook that comes first, and many times, books it once', async () => {
    const { market, site } = await openMarket();
    await site.inject({ operation: 'payment_intents.confirm', do: 'cut', when: 'after' });
    await site.inject({
      operation: 'payment_intents.retrieve',
      do: 'cut',
      when: 'before',
      times: 2,
    });
    await market.open('c-1');
    await state(market, 'c-1').toBe('unknown');
    await site.pass(1);
    const twiceBackwards = <T>(all: readonly T[]) => [...all, ...all].reverse();
    await market.followWebhooks(twiceBackwards);
    await market.followWebhooks(twiceBackwards);
    await state(market, 'c-1').toBe('captured');
    expect(market.contradictions).toEqual([]);
  });
});

describe('another attempt', () => {
  test('goes to the other provider where the first surely did not charge', async () => {
    const { market, sites } = await openMarket('first', 'second');
    const [first, second] = sites;
    await first?.inject({ operation: 'payment_intents.create', do: 'error', when: 'before' });
    await market.open('c-1');
    await state(market, 'c-1').toBe('captured');
    expect((await market.order('c-1')).attempts).toMatchObject([
      { psp: 'first', state: 'declined', declined: { reason: 'key_spent' } },
      { psp: 'second', state: 'captured' },
    ]);
    expect(await first?.count('payment')).toBe(0);
    expect(await second?.count('payment')).toBe(1);
  });

  test('is not made while the first one is in doubt', async () => {
    const { market, sites } = await openMarket('first', 'second');
    const [first, second] = sites;
    await first?.inject({ operation: 'payment_intents.confirm', do: 'error', when: 'after' });
    await market.open('c-1');
    await state(market, 'c-1').toBe('captured');
    expect((await market.order('c-1')).attempts).toMatchObject([{ psp: 'first' }]);
    expect(await second?.count('payment')).toBe(0);
  });

  test('comes later and later, until there were enough', async () => {
    const { market, site } = await openMarket();
    await market.open('c-1', { method: 'pm_card_chargeDeclinedProcessingError' });
    await expect
      .poll(async () => (await market.order('c-1')).attempts.length, within)
      .toBeGreaterThan(3);
    const attempts = await site.count('payment');
    expect(attempts).toBeGreaterThan(2);
    expect((await market.order('c-1')).state).toBe('executing');
  });
});

describe('several orders', () => {
  test('rest on one authentication, each with a charge of its own', async () => {
    const { market, site } = await openMarket();
    await market.open('c-1', { orders: 3, method: 'pm_card_threeDSecure2Required' });
    const asked = async () => (await market.checkout('c-1')).authentication.state;
    await expect.poll(asked, within).toBe('requires_action');
    const { authentication } = await market.checkout('c-1');
    if (authentication.state !== 'requires_action') throw new Error(authentication.state);
    await site.answerAction(authentication.actionUrl, 'succeeded');
    await site.pass(1);
    await market.followWebhooks();
    for (const order of ['order-1', 'order-2', 'order-3']) {
      await state(market, 'c-1', order).toBe('captured');
    }
    expect(await site.count('payment')).toBe(3);
  });

  test('fail together where the buyer says no, and nothing was asked of the card', async () => {
    const { market, site } = await openMarket();
    await market.open('c-1', { orders: 2, method: 'pm_card_threeDSecure2Required' });
    const asked = async () => (await market.checkout('c-1')).authentication.state;
    await expect.poll(asked, within).toBe('requires_action');
    const { authentication } = await market.checkout('c-1');
    if (authentication.state !== 'requires_action') throw new Error(authentication.state);
    await site.answerAction(authentication.actionUrl, 'failed');
    await site.pass(1);
    await market.followWebhooks();
    for (const order of ['order-1', 'order-2']) await state(market, 'c-1', order).toBe('failed');
    expect(await site.count('payment')).toBe(0);
  });

  test('a card that asks nothing pays all of them', async () => {
    const { market, site } = await openMarket();
    await market.open('c-1', { orders: 2 });
    for (const order of ['order-1', 'order-2']) await state(market, 'c-1', order).toBe('captured');
    expect(await site.count('payment')).toBe(2);
  });
});

describe('payouts', () => {
  const payoutState = (market: Market) =>
    expect.poll(async () => (await market.payout('payout-1'))?.state, within);

  test('are sent, paid, and failed after that', async () => {
    const { market, site } = await openMarket();
    await site.topUp(1_000n, 'USD');
    await market.payOut('payout-1', 1_000n, 'ba_sandbox_fails_after_paid');
    await payoutState(market).toBe('sent');
    await site.pass(sitePace.payoutInTransitMs);
    await site.pass(sitePace.payoutPaidMs);
    await market.followWebhooks();
    await payoutState(market).toBe('paid');
    await site.pass(sitePace.payoutFailsMs);
    await market.followWebhooks((all) => [...all].reverse());
    await payoutState(market).toBe('failed');
  });

  test('that the provider does not cover fail, and the seller has its money back', async () => {
    const { market } = await openMarket();
    await market.payOut('payout-1', 1_000n, 'ba_sandbox');
    await payoutState(market).toBe('failed');
  });

  test('are sent once, through a lost answer', async () => {
    const { market, site } = await openMarket();
    await site.topUp(5_000n, 'USD');
    await site.inject({ operation: 'payouts.create', do: 'error', when: 'after' });
    await market.payOut('payout-1', 1_000n, 'ba_sandbox');
    await payoutState(market).toBe('sent');
    expect(await site.count('payout')).toBe(1);
  });
});

describe('disputes', () => {
  /** A market whose only order is disputed, and that has heard of it. */
  const openDispute = async () => {
    const { market, site } = await openMarket();
    await market.open('c-1', { method: 'pm_card_createDispute' });
    await state(market, 'c-1').toBe('captured');
    await site.pass(sitePace.disputeMs);
    await market.followWebhooks();
    return { market, site };
  };

  test('are booked on the order of their payment', async () => {
    const { market, site } = await openDispute();
    const disputes = [...(await market.order('c-1')).disputes.values()];
    expect(disputes).toMatchObject([{ amount: 1_000n, state: 'opened' }]);
    await site.pass(8 * 24 * 3_600_000);
    await market.followWebhooks();
    expect([...(await market.order('c-1')).disputes.values()]).toMatchObject([{ state: 'lost' }]);
  });

  const disputeOf = async (market: Market) => {
    const [dispute] = (await market.order('c-1')).disputes.values();
    if (!dispute) throw new Error('there is no dispute');
    return dispute;
  };

  test('are answered with evidence, through a lost answer, and won by it', async () => {
    const { market, site } = await openDispute();
    const { id } = await disputeOf(market);
    await site.inject({ operation: 'disputes.update', do: 'error', when: 'after' });
    expect((await market.answerDispute('c-1', id, 'winning_evidence')).kind).toBe('appended');
    await expect.poll(async () => (await disputeOf(market)).state, within).toBe('evidence_given');
    expect(await market.answerDispute('c-1', id, 'more')).toMatchObject({
      ...{ kind: 'refused', reason: 'not-open' },
    });
    await site.pass(8 * 24 * 3_600_000);
    await market.followWebhooks();
    expect(await disputeOf(market)).toMatchObject({ state: 'won', submissions: 1 });
  });

  test('whose evidence is refused wait as before, and take another answer', async () => {
    const { market } = await openDispute();
    const { id } = await disputeOf(market);
    // More than the provider takes in one member; and nothing, as when the buyer was erased.
    for (const [submission, statement] of ['x'.repeat(20_001), undefined].entries()) {
      await market.answerDispute('c-1', id, statement);
      await expect.poll(async () => (await disputeOf(market)).submittedBy, within).toBe(undefined);
      expect(await disputeOf(market)).toMatchObject({
        ...{ state: 'opened', submissions: submission + 1 },
      });
    }
    await market.answerDispute('c-1', id, 'it was sent');
    await expect.poll(async () => (await disputeOf(market)).state, within).toBe('evidence_given');
    expect((await disputeOf(market)).submissions).toBe(3);
  });
});

describe('a capture or a void that the provider refuses', () => {
  test('leaves the order authorized, and says why: another capture takes it', async () => {
    const { market, site } = await openMarket();
    await market.open('c-1', { capture: 'manual' });
    await state(market, 'c-1').toBe('authorized');
    await site.inject({ operation: 'payment_intents.capture', do: 'refuse' });
    await market.capture('c-1', 700n);
    const refused = async () => (await market.order('c-1')).attempts[0]?.refused;
    await expect.poll(refused, within).toMatchObject({
      ...{ call: 'capture', reason: 'invalid_request', detail: expect.stringMatching('refused') },
    });
    expect((await market.order('c-1')).state).toBe('authorized');
    expect(await listDeadCalls(market)).toEqual([]);
    await market.capture('c-1', 600n);
    await state(market, 'c-1').toBe('captured');
    expect((await market.order('c-1')).captured).toBe(600n);
    expect(await refused()).toBeUndefined();
  });

  test('leaves the order authorized: a cancel lets it go, also one that is asked again', async () => {
    const { market, site } = await openMarket();
    await market.open('c-1', { capture: 'manual' });
    await state(market, 'c-1').toBe('authorized');
    await site.inject({ operation: 'payment_intents.capture', do: 'refuse' });
    await site.inject({ operation: 'payment_intents.cancel', do: 'refuse' });
    const refusals = async () => (await market.order('c-1')).attempts[0]?.refusals;
    await market.capture('c-1', 700n);
    await expect.poll(refusals, within).toBe(1);
    await market.cancel('c-1');
    await expect.poll(refusals, within).toBe(2);
    expect((await market.order('c-1')).state).toBe('authorized');
    await market.cancel('c-1');
    await state(market, 'c-1').toBe('canceled');
    expect(await listDeadCalls(market)).toEqual([]);
  });

  test('is no obstacle where the payment has gone on by itself', async () => {
    const { market, site } = await openMarket();
    await market.open('c-1', { capture: 'manual' });
    await state(market, 'c-1').toBe('authorized');
    const id = (await market.order('c-1')).attempts[0]?.paymentId ?? '';
    await site.psp.voidPayment({ paymentId: id, key: 'by-hand' });
    await market.capture('c-1', 700n);
    await state(market, 'c-1').toBe('expired');
    expect(await listDeadCalls(market)).toEqual([]);
  });

  test('ends with a person where an expired order is never let go, who has it tried once more', async () => {
    const { market, site } = await openMarket();
    await market.open('c-1', { capture: 'manual' });
    await state(market, 'c-1').toBe('authorized');
    await site.inject({ operation: 'payment_intents.cancel', do: 'refuse', times: 100 });
    await site.pass((await market.checkout('c-1')).expiresAt - market.clock.now());
    for (const [tries, waitMs] of [...voidAgainMs, undefined].entries()) {
      await market.expire('c-1');
      const refused = async () => (await market.order('c-1')).attempts[0]?.refused;
      await expect.poll(refused, within).toMatchObject({ tries: tries + 1 });
      // A look every five seconds does not ask again.
      await expect(market.expire('c-1')).rejects.toThrow('void-refused');
      await site.pass(waitMs ?? 86_400_000);
    }
    await expect(market.expire('c-1')).rejects.toThrow('void-refused');
    const [dead, ...others] = await listDeadCalls(market);
    expect(others).toEqual([]);
    expect(dead).toMatchObject({ call: 'void', reason: 'refused', retried: false });
    expect((await market.order('c-1')).deadLetters).toEqual([dead?.key]);
    await site.clear();
    const request = { key: dead?.key ?? '', requestedBy: 'key-7', at: market.clock.now() };
    expect(await retryDeadCall(market, request)).toEqual({ kind: 'requested' });
    await state(market, 'c-1').toBe('expired');
    expect(await listDeadCalls(market)).toEqual([]);
  });
});

describe('dead letters', () => {
  test('hold what was tried, and are worked off when they are asked to be: looked for first', async () => {
    const { market, site } = await openMarket();
    await market.stop();
    await site.inject({ operation: 'payment_intents.*', do: 'cut', when: 'before', times: 1_000 });
    market.start({ patienceMs: 300 });
    await market.open('c-1');
    await expect.poll(async () => (await listDeadCalls(market)).length, within).toBe(1);
    const [dead] = await listDeadCalls(market);
    expect(dead).toMatchObject({
      ...{ call: 'create', psp: 'stripe', reason: 'too_long', stream: 'checkout-c-1' },
      retried: false,
    });
    expect(dead?.tries.length).toBeGreaterThan(1);
    expect(JSON.stringify(dead)).not.toContain('pm_card');
    const told = async () => (await market.order('c-1')).deadLetters;
    await expect.poll(told, within).toEqual([dead?.key]);
    await site.clear();
    const request = { key: dead?.key ?? '', requestedBy: 'key-7', at: market.clock.now() };
    expect(await retryDeadCall(market, request)).toEqual({ kind: 'requested' });
    expect(await retryDeadCall(market, request)).toMatchObject({ reason: 'under-way' });
    await state(market, 'c-1').toBe('captured');
    expect(await site.count('payment')).toBe(1);
    expect(await listDeadCalls(market)).toEqual([]);
  });

  test('that are asked for again have as long as at first, however long ago they were decided', async () => {
    const { market, site } = await openMarket();
    await market.stop();
    await site.inject({
      ...{ operation: 'payment_intents.confirm', do: 'cut', when: 'before', times: 1_000 },
    });
    market.start({ patienceMs: 300 });
    await market.open('c-1');
    await expect.poll(async () => (await listDeadCalls(market)).length, within).toBe(1);
    const [dead] = await listDeadCalls(market);
    expect(dead).toMatchObject({ call: 'confirm', reason: 'too_long' });
    await site.clear();
    await market.stop();
    const patienceMs = 3_000;
    await market.clock.sleep(patienceMs);
    market.start({ patienceMs });
    // The first look finds a payment that waits, and must not be the last: a call may be on its way.
    await retryDeadCall(market, {
      ...{ key: dead?.key ?? '', requestedBy: 'key-7', at: market.clock.now() },
    });
    await state(market, 'c-1').toBe('captured');
    expect(await listDeadCalls(market)).toEqual([]);
  });

  test('of a call that nobody knows there is none to retry', async () => {
    const { market } = await openMarket();
    const request = { key: 'nobody', requestedBy: 'key-7', at: 1 };
    expect(await retryDeadCall(market, request)).toMatchObject({ reason: 'unknown-call' });
  });
});

test('reactors that start on what is done call nobody', async () => {
  const { market, site } = await openMarket();
  await market.open('c-1');
  await state(market, 'c-1').toBe('captured');
  await market.refund('c-1', 'refund-1', 200n);
  const refund = async () => (await market.order('c-1')).refunds.get('refund-1')?.state;
  await expect.poll(refund, within).toBe('succeeded');
  await market.stop();
  await site.inject({ operation: '*', do: 'cut', when: 'before', times: 1_000 });
  market.start();
  await market.open('c-2', { method: 'pm_card_visa' });
  // The first call that is made is one of the new order's.
  await state(market, 'c-2').toBe('unknown');
  expect(await market.order('c-1')).toMatchObject({ state: 'captured', captured: 1_000n });
});
