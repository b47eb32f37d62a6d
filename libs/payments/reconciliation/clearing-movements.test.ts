import { SeededRandom } from '@annals/projection/testing';
import { expect, test } from 'vitest';
import { PaymentsWalk } from '../contract/history.ts';
import { observePayout } from '../decide/seller.ts';
import { paymentsEvents, type RecordedPaymentsEvent } from '../events.ts';
import { journalOf, signed } from '../journal.ts';
import { money } from '../money.ts';
import { type Seller, sellerWith } from '../seller-state.ts';
import { checkoutCategory } from '../streams.ts';
import { logOf } from '../testing/fed-store.ts';
import { shopTerms } from '../testing/paid-order.ts';
import { clearingMovements } from './clearing-movements.ts';

test.each([1, 2, 3, 4])(
  'random history %i: movements of checkouts sum to what is booked to PSP clearing',
  async (seed) => {
    const walk = new PaymentsWalk(new SeededRandom(seed), Date.parse('2026-11-24T12:00:00Z'));
    await walk.begin();
    for (let step = 0; step < 300; step += 1) await walk.step();
    const log = await logOf(walk.steps, 1, 1_000);
    const page = await log.read('start', { categories: [checkoutCategory] }, { limit: 10_000 });
    const events = (await paymentsEvents.decode(
      page.events,
      walk.cipher,
    )) as RecordedPaymentsEvent[];
    const booked = new Map<string, bigint>();
    const moved = new Map<string, bigint>();
    const add = (sums: Map<string, bigint>, currency: string, amount: bigint) =>
      sums.set(currency, (sums.get(currency) ?? 0n) + amount);
    for (const event of events) {
      const entry = journalOf(event);
      for (const posting of entry?.postings ?? []) {
        if (posting.account !== 'psp_clearing' || posting.balance !== 'posted') continue;
        add(booked, entry?.currency ?? '', signed(posting));
      }
    }
    const streams = Map.groupBy(events, ({ stream }) => stream);
    const movements = [...streams.values()].flatMap((own) => clearingMovements(own));
    expect(new Set(movements.map(({ status }) => status)).size).toBeGreaterThan(1);
    for (const { book, currency, amount, fee, status } of movements) {
      expect(book).toBe('stripe');
      if (status === 'refund_pending') continue;
      add(moved, currency, amount - fee);
    }
    const shown = (sums: Map<string, bigint>) => [...sums].filter(([, sum]) => sum !== 0n).sort();
    expect(shown(moved)).toEqual(shown(booked));
  },
);

test('refunds of two orders with the same id are each of their own provider', () => {
  const of = (order: string, psp: string) => {
    const refund = { checkout_id: 'c-1', payment_order_id: order, refund_id: 'r-1', psp };
    const told = { ...refund, currency: 'USD', amount: '5', psp_refund_id: `re_${psp}` };
    const event = (type: string, data: object) =>
      ({ type, data, stream: 'checkout-c-1', id: `${type} ${order}`, occurredAt: 1 }) as unknown;
    return {
      asked: event('refund-requested', told),
      succeeded: event('refund-succeeded', told),
      failed: event('refund-failed', { ...told, after_succeeded: true }),
    };
  };
  const [one, other] = [of('o-1', 'A'), of('o-2', 'B')];
  const events = [one.asked, other.asked, one.succeeded, other.succeeded, one.failed];
  const moved = clearingMovements(events as RecordedPaymentsEvent[]);
  expect(moved.map(({ book, key, status }) => `${book} ${key} ${status}`)).toEqual([
    'A re_A refunded',
    'B re_B refunded',
    'A re_A refund_failed',
  ]);
});

test('a payout that is seen only when it was paid, or came back, has moved at the provider all the same', () => {
  const seen = (status: 'paid' | 'failed') => {
    const payout = { id: 'po_1', status, amount: money(5n, 'USD') };
    const decision = observePayout(paidFrom(), 'p-1', payout, 1);
    return decision.kind === 'decided' ? decision.events.map(({ type }) => type) : [];
  };
  expect(seen('paid')).toEqual(['payout-sent', 'payout-paid']);
  expect(seen('failed')).toEqual(['payout-sent', 'payout-failed']);
});

function paidFrom(): Seller {
  const payout = { id: 'p-1', amount: 5n, currency: 'USD', psp: 'stripe', pspPayoutId: undefined };
  return sellerWith({
    ...{ account: 'shop', terms: shopTerms, hasBank: true, changes: 1 },
    payouts: [{ ...payout, state: 'requested' }],
  });
}
