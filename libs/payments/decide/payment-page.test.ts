import { describe, expect, test } from 'vitest';
import type { CheckoutEvent } from '../events.ts';
import type { Decided, Refused } from '../outcome.ts';
import { sellerWith } from '../seller-state.ts';
import { type Checkout, evolve } from '../state.ts';
import { requestAttempt, requestEnd } from './attempts.ts';
import { assessRisk, openCheckout } from './checkout.ts';
import { type ObservedPage, observePage, refusePage } from './payment-page.ts';

const usd = { currency: 'USD', fee_basis_points: 0, fee_fixed: '0', payout_minimum: '1' };
const terms = {
  ...{ currencies: [usd], reserve_basis_points: 0, release_after_days: 7 },
  payout_schedule: 'manual',
} as const;
const seller = sellerWith({ account: 'shop', terms });
const at = 1_000;
const open = { checkoutId: 'c-1', currency: 'USD', capture: 'automatic', buyerInfo: {} } as const;
const page = { psp: 'one', pageExpiresAt: at + 50, callBefore: at + 1 };

type Outcome = Decided<CheckoutEvent> | Refused;

function typesOf(outcome: Outcome): string[] {
  if (outcome.kind === 'refused') throw new Error(outcome.detail);
  return outcome.events.map(({ type }) => type);
}

function after(checkout: Checkout | undefined, outcome: Outcome): Checkout {
  if (outcome.kind === 'refused') throw new Error(outcome.detail);
  const state = outcome.events.reduce(evolve, checkout);
  if (!state) throw new Error('no checkout');
  return state;
}

function registered(orders = ['o-1', 'o-2']): Checkout {
  const command = {
    ...{ ...open, page, returnUrl: 'https://shop.example', at, expiresAt: at + 100 },
    orders: orders.map((paymentOrderId) => {
      return { paymentOrderId, sellerAccount: 'shop', amount: 100n };
    }),
  };
  return after(undefined, openCheckout(undefined, new Map([['shop', seller]]), command));
}

const there: ObservedPage = { id: 'cs', status: 'open', url: 'https://psp.example/cs' };
const given: ObservedPage = {
  ...{ id: 'cs', status: 'completed', authentication: 'seti.cus.pm', method: 'pm' },
  fingerprint: 'card',
};
const states = ({ orders }: Checkout) => [...orders.values()].map(({ state }) => state);

describe('a checkout with a page', () => {
  test('begins with the intent of its page, and a checkout has a token or a page', () => {
    const checkout = registered();
    expect(checkout.page).toMatchObject({ state: 'requested', psp: 'one', expiresAt: at + 50 });
    const orders = [{ paymentOrderId: 'o-1', sellerAccount: 'shop', amount: 100n }];
    const bare = { ...open, orders, at, expiresAt: at + 100 };
    for (const wrong of [{}, { method: 'pm', page, returnUrl: 'https://x.test' }, { page }]) {
      const opening = () =>
        openCheckout(undefined, new Map([['shop', seller]]), { ...bare, ...wrong });
      expect(opening).toThrow(TypeError);
    }
  });

  test('is not assessed, and not charged, before a card is given', () => {
    const checkout = after(registered(['o-1']), observePage(registered(['o-1']), there, at));
    const accepted = { verdict: 'accepted', rules: [], at } as const;
    expect(assessRisk(checkout, 'o-1', accepted)).toMatchObject({ reason: 'no-card-yet' });
    const attempt = { psp: 'one', method: 'pm', at, callBefore: at };
    expect(requestAttempt(checkout, 'o-1', attempt)).toMatchObject({ reason: 'not-cleared' });
    const done = after(checkout, observePage(checkout, given, at));
    const assessed = after(done, assessRisk(done, 'o-1', accepted));
    const [asked] = (requestAttempt(assessed, 'o-1', attempt) as Decided<CheckoutEvent>).events;
    expect(asked).toMatchObject({ data: { authentication_id: 'seti.cus.pm' } });
  });

  test('a card that was given authenticates the whole checkout, whoever says it first', () => {
    expect(typesOf(observePage(registered(), given, at))).toEqual([
      'payment-page-opened',
      'payment-page-completed',
    ]);
    const checkout = after(registered(), observePage(registered(), given, at));
    expect(checkout.authentication).toEqual({
      ...{ state: 'authenticated', psp: 'one', id: 'seti.cus.pm' },
    });
    expect(states(checkout)).toEqual(['not_started', 'not_started']);
  });

  test('the first outcome stands, however often and in whatever order others come', () => {
    const done = after(registered(), observePage(registered(), given, at));
    const over = after(
      registered(),
      observePage(registered(), { ...there, status: 'expired' }, at),
    );
    for (const checkout of [done, over]) {
      for (const one of [there, given, { ...given, id: 'cs-2' }, { ...there, status: 'expired' }]) {
        expect(typesOf(observePage(checkout, one as ObservedPage, at))).toEqual([]);
      }
      expect(typesOf(refusePage(checkout, 'no', at))).toEqual([]);
    }
  });

  test('a page that nobody was sent to brings no card', () => {
    const checkout = after(registered(), observePage(registered(), there, at));
    expect(typesOf(observePage(checkout, { ...given, id: 'cs-2' }, at))).toEqual([]);
  });

  test('expires with its page, but for an order that was canceled before', () => {
    const started = registered();
    const canceled = after(
      started,
      requestEnd(started, 'o-2', { as: 'canceled', at, callBefore: at }),
    );
    const checkout = after(
      canceled,
      observePage(canceled, { id: 'cs', status: 'expired' }, at + 50),
    );
    expect(checkout.page?.state).toBe('expired');
    expect(states(checkout)).toEqual(['expired', 'canceled']);
  });

  test('fails where the provider makes no page', () => {
    const checkout = after(registered(), refusePage(registered(), 'not_permitted', at));
    expect(checkout.page?.state).toBe('refused');
    expect(states(checkout)).toEqual(['failed', 'failed']);
  });

  test('of a checkout that has none nothing is believed', () => {
    expect(observePage(undefined, there, at)).toMatchObject({ reason: 'unknown-checkout' });
    const { page: _, ...none } = registered();
    expect(observePage(none, there, at)).toMatchObject({ reason: 'not-asked' });
  });
});
