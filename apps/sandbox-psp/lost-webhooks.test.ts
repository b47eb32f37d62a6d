import { paymentsProjection, sqlitePaymentsReadModel } from '@annals/payments';
import { fedStore } from '@annals/payments/contract';
import { sitePace } from '@annals/payments/psp/contract';
import { parseReference, referenceOf } from '@annals/payments/reactors';
import {
  providerEventsStep,
  providerMarkCategory,
  type ScheduledStep,
  sweepSteps,
} from '@annals/payments/runtime';
import { describe, expect, test } from 'vitest';
import { openImpatientMarket } from './testing/impatient-market.ts';
import type { Market } from './testing/market.ts';

/** Webhooks that never come, or come when everything is known: what is booked is the same, and once. */

const within = { timeout: 20_000, interval: 20 };
const hourMs = 3_600_000;

/** One run of a step of the schedule, in a process that remembers nothing. */
async function run(market: Market, name: string) {
  const { log, cipher, clock, routing } = market;
  const store = await fedStore(paymentsProjection, log, cipher);
  const observer = market.observer();
  const steps: readonly ScheduledStep[] = [
    ...sweepSteps({ observer, clock, read: sqlitePaymentsReadModel(store) }),
    providerEventsStep({ log, cipher, clock, routing, observer }),
  ];
  return steps.find((step) => step.name === name)?.run(new AbortController().signal);
}

async function captured(market: Market, method: string): Promise<void> {
  await market.open('c-1', { method });
  await expect.poll(async () => (await market.order('c-1')).state, within).toBe('captured');
}

async function stored(market: Market): Promise<readonly string[]> {
  const { events } = await market.log.read('start', { categories: ['checkout', 'seller'] });
  return events.map(({ type }) => type);
}

const refundOf = async (market: Market) => (await market.order('c-1')).refunds.get('refund-1');
const disputesOf = async (market: Market) =>
  [...(await market.order('c-1')).disputes.values()].map(({ state }) => state);

describe('a pending refund', () => {
  async function pending(market: Market) {
    await captured(market, 'pm_card_pendingRefund');
    await market.refund('c-1', 'refund-1', 200n);
    await expect.poll(async () => (await refundOf(market))?.state, within).toBe('pending');
    expect((await refundOf(market))?.pspRefundId).toMatch(/^re_/);
  }

  test('settles by the sweep where its webhook is lost', async () => {
    const { market, site } = await openImpatientMarket();
    await site.inject({ event: 'refund.*', do: 'lose', times: 100 });
    await pending(market);
    await site.pass(sitePace.refundMs);
    await market.followWebhooks();
    expect(await refundOf(market)).toMatchObject({ state: 'pending' });
    expect(await run(market, 'sweep-refunds')).toBe('done');
    expect(await refundOf(market)).toMatchObject({ state: 'succeeded' });
  });

  test('is left as it is while the provider says nothing else', async () => {
    const { market, site } = await openImpatientMarket();
    await pending(market);
    await site.pass(hourMs / 2);
    const before = await stored(market);
    expect(await run(market, 'sweep-refunds')).toBe('done');
    expect(await stored(market)).toEqual(before);
  });

  test('is not booked again by a webhook that comes after the sweep', async () => {
    const { market, site } = await openImpatientMarket();
    await site.inject({ event: 'refund.updated', do: 'delay', ms: 6 * hourMs });
    await pending(market);
    await site.pass(sitePace.refundMs + 2 * 60_000);
    await run(market, 'sweep-refunds');
    const swept = await stored(market);
    expect(swept.filter((type) => type === 'refund-succeeded')).toHaveLength(1);
    await site.pass(6 * hourMs);
    await market.followWebhooks();
    await run(market, 'provider-events');
    await run(market, 'sweep-refunds');
    expect(await stored(market)).toEqual(swept);
    expect(market.contradictions).toEqual([]);
  });

  test('of which only our reference is known is found by it', async () => {
    const { market, site } = await openImpatientMarket();
    await captured(market, 'pm_card_visa');
    await market.stop();
    await market.refund('c-1', 'refund-1', 200n);
    const paymentId = (await market.order('c-1')).attempts[0]?.paymentId ?? '';
    const named = {
      kind: 'refund',
      checkout: 'c-1',
      order: 'order-1',
      refund: 'refund-1',
    } as const;
    const reference = referenceOf(named);
    expect(parseReference(reference)).toEqual(named);
    const amount = { amount: 200n, currency: 'USD' };
    await site.psp.createRefund({ key: 'by-another', reference, paymentId, amount });
    await site.pass(hourMs / 2);
    await run(market, 'sweep-refunds');
    expect(await refundOf(market)).toMatchObject({ state: 'requested' });
    await site.pass(hourMs);
    await run(market, 'sweep-refunds');
    expect(await refundOf(market)).toMatchObject({ state: 'succeeded' });
  });
});

describe('a dispute', () => {
  test('is booked from opening to end though no webhook ever comes', async () => {
    const { market, site } = await openImpatientMarket();
    await site.inject({ event: 'charge.dispute.*', do: 'lose', times: 100 });
    await captured(market, 'pm_card_createDispute');
    await site.pass(sitePace.disputeMs + 2 * 60_000);
    await market.followWebhooks();
    expect(await disputesOf(market)).toEqual([]);
    expect(await run(market, 'provider-events')).toBe('done');
    expect(await disputesOf(market)).toEqual(['opened']);
    await site.pass(8 * 24 * hourMs);
    await market.followWebhooks();
    expect(await disputesOf(market)).toEqual(['opened']);
    expect(await run(market, 'provider-events')).toBe('done');
    expect(await disputesOf(market)).toEqual(['lost']);
  });

  test('is not booked again by webhooks that come late', async () => {
    const { market, site } = await openImpatientMarket();
    await site.inject({ event: 'charge.dispute.created', do: 'delay', ms: 6 * hourMs });
    await captured(market, 'pm_card_createDispute');
    await site.pass(sitePace.disputeMs + 2 * 60_000);
    await run(market, 'provider-events');
    const asked = await stored(market);
    expect(asked.filter((type) => type === 'dispute-opened')).toHaveLength(1);
    await site.pass(6 * hourMs);
    await market.followWebhooks();
    await run(market, 'provider-events');
    expect(await stored(market)).toEqual(asked);
    expect(market.contradictions).toEqual([]);
  });

  test('is asked for again where the provider did not answer', async () => {
    const { market, site } = await openImpatientMarket();
    await site.inject({ event: 'charge.dispute.*', do: 'lose', times: 100 });
    await captured(market, 'pm_card_createDispute');
    await site.pass(sitePace.disputeMs + 2 * 60_000);
    const marks = async () =>
      (await market.log.readStream(`${providerMarkCategory}-stripe`)).events.length;
    const before = await marks();
    await site.inject({ operation: 'events.list', do: 'cut', when: 'before' });
    expect(await run(market, 'provider-events')).toBe('later');
    await site.inject({ operation: 'disputes.retrieve', do: 'cut', when: 'before' });
    expect(await run(market, 'provider-events')).toBe('later');
    // All the days before it are done: only the one with the dispute is asked for again.
    expect(await marks()).toBeGreaterThan(before);
    expect(await disputesOf(market)).toEqual([]);
    expect(await run(market, 'provider-events')).toBe('done');
    expect(await disputesOf(market)).toEqual(['opened']);
  });
});

test('a payout that fails after it was paid gives the money back without a webhook', async () => {
  const { market, site } = await openImpatientMarket();
  await site.topUp(1_000n, 'USD');
  await market.payOut('payout-1', 1_000n, 'ba_sandbox_fails_after_paid');
  const state = async () => (await market.payout('payout-1'))?.state;
  await expect.poll(state, within).toBe('sent');
  await site.pass(sitePace.payoutInTransitMs);
  await site.pass(sitePace.payoutPaidMs);
  await market.followWebhooks();
  expect(await state()).toBe('paid');
  await site.inject({ event: 'payout.*', do: 'lose', times: 100 });
  await site.pass(sitePace.payoutFailsMs + 2 * 60_000);
  expect(await state()).toBe('paid');
  expect(await run(market, 'provider-events')).toBe('done');
  expect(await state()).toBe('failed');
});

test('an authentication that no webhook told of goes on', async () => {
  const { market, site } = await openImpatientMarket();
  await site.inject({ event: 'setup_intent.*', do: 'lose', times: 100 });
  await market.open('c-1', { orders: 2, method: 'pm_card_threeDSecure2Required' });
  const authentication = async () => (await market.checkout('c-1')).authentication;
  await expect.poll(async () => (await authentication()).state, within).toBe('requires_action');
  const asked = await authentication();
  if (asked.state !== 'requires_action') throw new Error(asked.state);
  await site.answerAction(asked.actionUrl, 'succeeded');
  await site.pass(2 * 60_000);
  expect(await run(market, 'provider-events')).toBe('done');
  await expect.poll(async () => (await market.order('c-1')).state, within).toBe('captured');
});
