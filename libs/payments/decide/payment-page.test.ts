import { describe, expect, test } from 'vitest';
import type { CheckoutEvent } from '../events.ts';
import type { Decided, Refused } from '../outcome.ts';
import { sellerWith } from '../seller-state.ts';
import { type Checkout, evolve } from '../state.ts';
import { requestAttempt } from './attempts.ts';
import { requestEnd } from './captures.ts';
import { assessRisk, openCheckout } from './checkout.ts';
import {
  type ObservedPage,
  observePage,
  pageLimits,
  refusePage,
  requestClose,
  requestCloseAnew,
} from './payment-page.ts';

const usd = { currency: 'USD', fee_basis_points: 0, fee_fixed: '0', payout_minimum: '1' };
const terms = {
  ...{ currencies: [usd], reserve_basis_points: 0, release_after_days: 7 },
  payout_schedule: 'manual',
} as const;
const seller = sellerWith({ account: 'shop', terms });
const at = 1_000;
const open = { checkoutId: 'c-1', currency: 'USD', capture: 'automatic', buyerInfo: {} } as const;
const told = { at, callBefore: at + 1 };
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
    const checkout = after(registered(['o-1']), observePage(registered(['o-1']), there, told));
    const accepted = { verdict: 'accepted', rules: [], at } as const;
    expect(assessRisk(checkout, 'o-1', accepted)).toMatchObject({ reason: 'no-card-yet' });
    const attempt = { psp: 'one', method: 'pm', at, callBefore: at };
    expect(requestAttempt(checkout, 'o-1', attempt)).toMatchObject({ reason: 'not-cleared' });
    const done = after(checkout, observePage(checkout, given, told));
    const assessed = after(done, assessRisk(done, 'o-1', accepted));
    const [asked] = (requestAttempt(assessed, 'o-1', attempt) as Decided<CheckoutEvent>).events;
    expect(asked).toMatchObject({ data: { authentication_id: 'seti.cus.pm' } });
  });

  test('a card that was given authenticates the whole checkout, whoever says it first', () => {
    expect(typesOf(observePage(registered(), given, told))).toEqual([
      'payment-page-opened',
      'payment-page-completed',
    ]);
    const checkout = after(registered(), observePage(registered(), given, told));
    expect(checkout.authentication).toEqual({
      ...{ state: 'authenticated', psp: 'one', id: 'seti.cus.pm' },
    });
    expect(states(checkout)).toEqual(['not_started', 'not_started']);
  });

  test('the first outcome stands, however often and in whatever order others come', () => {
    const done = after(registered(), observePage(registered(), given, told));
    const over = after(
      registered(),
      observePage(registered(), { ...there, status: 'expired' }, told),
    );
    for (const checkout of [done, over]) {
      for (const one of [there, given, { ...given, id: 'cs-2' }, { ...there, status: 'expired' }]) {
        expect(typesOf(observePage(checkout, one as ObservedPage, told))).toEqual([]);
      }
      expect(typesOf(refusePage(checkout, 'no', at))).toEqual([]);
    }
  });

  test('a page that nobody was sent to brings no card', () => {
    const checkout = after(registered(), observePage(registered(), there, told));
    expect(typesOf(observePage(checkout, { ...given, id: 'cs-2' }, told))).toEqual([]);
  });

  test('expires with its page, but for an order that was canceled before', () => {
    const started = registered();
    const canceled = after(
      started,
      requestEnd(started, 'o-2', { as: 'canceled', at, callBefore: at }),
    );
    const checkout = after(
      canceled,
      observePage(canceled, { id: 'cs', status: 'expired' }, { at: at + 50, callBefore: at + 51 }),
    );
    expect(checkout.page?.state).toBe('expired');
    expect(states(checkout)).toEqual(['expired', 'canceled']);
  });

  describe('that nothing is left to pay on', () => {
    const ending = { as: 'canceled', ...told } as const;
    const opened = () => after(registered(), observePage(registered(), there, told));
    const canceled = (checkout: Checkout, ...orders: readonly string[]) =>
      orders.reduce((at, order) => after(at, requestEnd(at, order, ending)), checkout);

    test('is closed with the last of its orders, once', () => {
      expect(typesOf(requestEnd(opened(), 'o-1', ending))).toEqual(['order-ended']);
      const one = canceled(opened(), 'o-1');
      const last = requestEnd(one, 'o-2', ending);
      expect(typesOf(last)).toEqual(['order-ended', 'payment-page-close-requested']);
      expect((last as Decided<CheckoutEvent>).events[1]).toMatchObject({
        data: { psp: 'one', page_id: 'cs', because: 'orders-ended', call_before: at + 1 },
      });
      const closing = after(one, last);
      expect(closing.page).toMatchObject({ state: 'opened', closing: 1 });
      expect(typesOf(requestClose(closing, { because: 'buyer-erased', ...told }))).toEqual([]);
      expect(typesOf(observePage(closing, there, told))).toEqual([]);
    });

    test('is asked for again with another key, where the provider keeps a fault for one', () => {
      let checkout = canceled(opened(), 'o-1', 'o-2');
      const anew = (attempt: number) =>
        requestCloseAnew(checkout, { attempt, because: 'orders-ended', ...told });
      const ids = new Set<string>();
      for (let attempt = 1; attempt < pageLimits.closesMax; attempt += 1) {
        const again = anew(attempt) as Decided<CheckoutEvent>;
        expect(again.events).toMatchObject([{ data: { attempt: attempt + 1 } }]);
        ids.add(again.events[0]?.id ?? '');
        checkout = after(checkout, again);
        expect(typesOf(anew(attempt))).toEqual([]);
      }
      expect(ids.size).toBe(pageLimits.closesMax - 1);
      expect(anew(pageLimits.closesMax)).toMatchObject({ reason: 'too-many-attempts' });
    });

    test('is closed as soon as it is there, where they ended before', () => {
      const early = canceled(registered(), 'o-1', 'o-2');
      expect(typesOf(requestClose(early, { because: 'orders-ended', ...told }))).toEqual([]);
      expect(typesOf(observePage(early, there, told))).toEqual([
        ...['payment-page-opened', 'payment-page-close-requested'],
      ]);
    });

    test('tells what came first: that it is closed, or a card, which is not charged', () => {
      const closing = canceled(opened(), 'o-1', 'o-2');
      const closed = after(closing, observePage(closing, { id: 'cs', status: 'expired' }, told));
      expect(closed.page?.state).toBe('closed');
      expect(typesOf(observePage(closed, given, told))).toEqual([]);
      const done = after(closing, observePage(closing, given, told));
      expect(done.page?.state).toBe('completed');
      expect(states(done)).toEqual(['canceled', 'canceled']);
      expect(typesOf(observePage(done, { id: 'cs', status: 'expired' }, told))).toEqual([]);
    });

    test('is closed for a buyer who was erased, and the orders expire with it', () => {
      const asked = requestClose(opened(), { because: 'buyer-erased', ...told });
      const closing = after(opened(), asked);
      const closed = observePage(closing, { id: 'cs', status: 'expired' }, told);
      expect(typesOf(closed)).toEqual(['payment-page-closed', 'order-ended', 'order-ended']);
      expect(states(after(closing, closed))).toEqual(['expired', 'expired']);
      const done = after(opened(), observePage(opened(), given, told));
      expect(typesOf(requestClose(done, { because: 'buyer-erased', ...told }))).toEqual([]);
    });
  });

  test('fails where the provider makes no page', () => {
    const checkout = after(registered(), refusePage(registered(), 'not_permitted', at));
    expect(checkout.page?.state).toBe('refused');
    expect(states(checkout)).toEqual(['failed', 'failed']);
  });

  test('of a checkout that has none nothing is believed', () => {
    expect(observePage(undefined, there, told)).toMatchObject({ reason: 'unknown-checkout' });
    const { page: _, ...none } = registered();
    expect(observePage(none, there, told)).toMatchObject({ reason: 'not-asked' });
  });
});
