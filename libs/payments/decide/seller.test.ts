import { describe, expect, it } from 'vitest';
import type { SellerEvent } from '../events.ts';
import { evolveSeller, type Seller, type SellerTerms } from '../seller-state.ts';
import {
  doubtPayout,
  failPayout,
  observePayout,
  type RequestPayout,
  registerSeller,
  releaseReserve,
  requestPayout,
  setBank,
} from './seller.ts';

const terms: SellerTerms = {
  currencies: [{ currency: 'EUR', fee_basis_points: 100, fee_fixed: '0', payout_minimum: '500' }],
  reserve_basis_points: 0,
  release_after_days: 7,
  payout_schedule: 'manual',
};

/** The seller after what these decided. */
function after(...outcomes: readonly { kind: string; events?: readonly SellerEvent[] }[]): Seller {
  const events = outcomes.flatMap((outcome) => outcome.events ?? []);
  return events.reduce(evolveSeller, undefined as Seller | undefined) as Seller;
}

const registered = registerSeller(undefined, { account: 'shop', terms, at: 0 });
const bank = setBank(after(registered), { bankToken: 'ba_1', at: 1 });
const shop = after(registered, bank);

const asked = (more: Partial<RequestPayout> = {}): RequestPayout => ({
  ...{ payoutId: 'p1', currency: 'EUR', psp: 'one', bankToken: 'ba_1', because: 'on_demand' },
  ...{
    wallet: { available: 900n, reserved: 40n, sellerRevision: 1 },
    revision: 1,
    at: 2,
    callBefore: 3,
  },
  ...more,
});
const payout = requestPayout(shop, asked());
const requested = after(registered, bank, payout);
const told = (status: 'pending' | 'in_transit' | 'paid' | 'failed') => ({
  ...{ id: 'po_1', status, amount: { amount: 900n, currency: 'EUR' } },
});

const kinds = (outcome: { kind: string; events?: readonly { type: string }[]; reason?: string }) =>
  outcome.reason ?? outcome.events?.map(({ type }) => type).join(' ');

describe('the limit of what is paid out on demand without a second person', () => {
  const dayMs = 86_400_000;
  const wallet = { available: 9_000n, reserved: 0n, sellerRevision: 9 };
  const one = (payoutId: string, at: number, more: Partial<RequestPayout> = {}) =>
    asked({ payoutId, at, amount: 600n, wallet, releaseAbove: 1_000n, ...more });
  const first = requestPayout(shop, one('p1', 10));
  const paid = after(registered, bank, first);

  it('cannot be passed in parts, until a day is over by the times of events', () => {
    expect(kinds(first)).toBe('payout-requested');
    expect(requestPayout(paid, one('p2', 11))).toMatchObject({
      reason: 'needs-release',
      detail:
        'more than 1000 EUR need a second person, and 600 were paid on demand within 24 hours',
    });
    expect(kinds(requestPayout(paid, one('p2', 9 + dayMs)))).toBe('needs-release');
    expect(kinds(requestPayout(paid, one('p2', 10 + dayMs)))).toBe('payout-requested');
  });

  it('is of one currency, and counts neither schedules nor what was released or came back', () => {
    const rest = (seller: Seller) =>
      kinds(requestPayout(seller, one('p9', 11, { amount: 1_000n })));
    expect(rest(paid)).toBe('needs-release');
    const scheduled = requestPayout(shop, one('p1', 10, { because: 'schedule' }));
    expect(rest(after(registered, bank, scheduled))).toBe('payout-requested');
    const { releaseAbove: _, ...free } = one('p1', 10, { released: true });
    const released = requestPayout(shop, free);
    expect(released).toMatchObject({ events: [{ data: { released: true } }] });
    expect(rest(after(registered, bank, released))).toBe('payout-requested');
    const back = failPayout(paid, { payoutId: 'p1', reason: 'no', at: 11 });
    expect(rest(after(registered, bank, first, back))).toBe('payout-requested');
    expect(kinds(requestPayout(paid, one('p2', 11, { because: 'schedule' })))).toBe(
      'payout-requested',
    );
  });
});

describe('a payout', () => {
  it('takes all that is available unless told', () => {
    expect(payout).toMatchObject({ events: [{ data: { amount: '900', currency: 'EUR' } }] });
    expect(requestPayout(shop, asked({ amount: 600n }))).toMatchObject({
      events: [{ data: { amount: '600' } }],
    });
  });

  it('takes what is available in steps, and leaves the rest', () => {
    const wallet = { available: 997n, reserved: 0n, sellerRevision: 1 };
    const paid = requestPayout(shop, asked({ wallet, step: 10n }));
    expect(paid).toMatchObject({ events: [{ data: { amount: '990' } }] });
    expect(kinds(requestPayout(shop, asked({ wallet, step: 10n, amount: 997n })))).toBe(
      'amount-step',
    );
    const little = { ...wallet, available: 9n };
    expect(kinds(requestPayout(shop, asked({ wallet: little, step: 10n })))).toBe(
      'insufficient-funds',
    );
  });

  it('is refused against a wallet that has not seen the last of the seller', () => {
    expect(kinds(requestPayout(shop, asked({ revision: 2 })))).toBe('wallet-behind');
  });

  it.each([
    ['above what is available', { amount: 901n }, 'insufficient-funds'],
    ['of nothing', { amount: 0n }, 'invalid-amount'],
    ['below the minimum', { amount: 499n }, 'below-minimum'],
    ['in a currency that is not sold in', { currency: 'USD' }, 'currency-not-sold'],
    [
      'while available is below zero',
      { wallet: { available: -1n, reserved: 0n, sellerRevision: 1 } },
      'insufficient-funds',
    ],
  ])('is refused %s', (_, more, reason) => {
    expect(kinds(requestPayout(shop, asked(more)))).toBe(reason);
  });

  it('needs a seller with a bank account', () => {
    expect(kinds(requestPayout(undefined, asked()))).toBe('unknown-seller');
    expect(kinds(requestPayout(after(registered), asked()))).toBe('no-bank-account');
  });

  it('that is asked for again is the same one, or refused', () => {
    expect(requestPayout(requested, asked({ revision: 2 }))).toEqual({
      kind: 'decided',
      events: [],
    });
    expect(kinds(requestPayout(requested, asked({ amount: 600n })))).toBe('payout-exists');
  });

  it('is sent, paid, and may fail after that', () => {
    const sent = observePayout(requested, 'p1', told('in_transit'), 4);
    const afterSent = after(registered, bank, payout, sent as typeof payout);
    const paid = observePayout(afterSent, 'p1', told('paid'), 5);
    const afterPaid = after(registered, bank, payout, sent as typeof payout, paid as typeof payout);
    const failed = observePayout(afterPaid, 'p1', told('failed'), 6);
    expect([sent, paid].map(kinds)).toEqual(['payout-sent', 'payout-paid']);
    expect(failed).toMatchObject({
      events: [{ type: 'payout-failed', data: { after_paid: true } }],
    });
    expect(kinds(failPayout(afterPaid, { payoutId: 'p1', reason: 'no', at: 7 }))).toBe(
      'payout-left',
    );
  });

  it('that is told twice, or late, changes nothing', () => {
    const paid = observePayout(requested, 'p1', told('paid'), 4) as typeof payout;
    const afterPaid = after(registered, bank, payout, paid);
    for (const status of ['paid', 'in_transit', 'pending'] as const) {
      expect(observePayout(afterPaid, 'p1', told(status), 5)).toEqual({
        kind: 'decided',
        events: [],
      });
    }
  });

  it('in doubt stays what it was until somebody knows', () => {
    const doubt = doubtPayout(requested, {
      payoutId: 'p1',
      reason: 'timeout',
      at: 4,
    }) as typeof payout;
    const inDoubt = after(registered, bank, payout, doubt);
    expect(inDoubt.payouts.get('p1')?.state).toBe('unknown');
    expect(kinds(observePayout(inDoubt, 'p1', told('paid'), 5))).toBe('payout-sent payout-paid');
  });

  it('of another amount than was asked for is not believed', () => {
    const other = { ...told('paid'), amount: { amount: 90n, currency: 'EUR' } };
    expect(kinds(observePayout(requested, 'p1', other, 4))).toBe('wrong-amount');
    expect(kinds(observePayout(requested, 'p2', told('paid'), 4))).toBe('unknown-payout');
  });
});

describe('the reserve', () => {
  it('is released up to what is held', () => {
    const means = { releaseId: 'r-1', currency: 'EUR', wallet: asked().wallet, revision: 1, at: 9 };
    expect(kinds(releaseReserve(shop, { ...means, amount: 40n }))).toBe('reserve-released');
    expect(kinds(releaseReserve(shop, { ...means, amount: 41n }))).toBe('insufficient-funds');
    expect(kinds(releaseReserve(shop, { ...means, amount: 1n, revision: 2 }))).toBe(
      'wallet-behind',
    );
  });

  it('is released once for each id, whatever the wallet has seen', () => {
    const means = { currency: 'EUR', wallet: asked().wallet, at: 9 };
    const first = { ...means, releaseId: 'r-1', revision: 1, amount: 40n };
    const once = after(registered, bank, releaseReserve(shop, first));
    const late = { ...means, revision: 2 };
    const again = { ...late, releaseId: 'r-1', amount: 40n };
    expect(releaseReserve(once, again)).toEqual({ kind: 'decided', events: [] });
    expect(kinds(releaseReserve(once, { ...again, amount: 39n }))).toBe('release-exists');
    expect(kinds(releaseReserve(once, { ...again, releaseId: 'r-2' }))).toBe('wallet-behind');
  });
});

describe('a seller', () => {
  it('that is registered again with the same terms is the same one', () => {
    const again = registerSeller(shop, { account: 'shop', terms, at: 9 });
    expect(again.events).toEqual([]);
    const changed = registerSeller(shop, {
      account: 'shop',
      terms: { ...terms, release_after_days: 3 },
      at: 9,
    });
    expect(kinds(changed)).toBe('seller-terms-changed');
  });
});
