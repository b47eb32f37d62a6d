import { describe, expect, test } from 'vitest';
import type { CheckoutEvent, SellerEvent } from '../events.ts';
import type { Decided, Refused } from '../outcome.ts';
import type { PspPayment, PspPaymentStatus } from '../psp/port.ts';
import { evolveSeller, type Seller } from '../seller-state.ts';
import { type Checkout, evolve } from '../state.ts';
import { openCommand, shopTerms } from '../testing/paid-order.ts';
import { doubtCall, observePayment, requestAttempt, requestConfirm } from './attempts.ts';
import { requestCapture } from './captures.ts';
import { assessRisk, openCheckout } from './checkout.ts';
import { registerSeller } from './seller.ts';

const at = Date.parse('2026-11-24T12:00:00Z');
const callBefore = at + 60_000;
const order = 'o-1';

type Step = (checkout: Checkout | undefined) => Decided<CheckoutEvent> | Refused;

function shop(): Seller {
  const [registered] = registerSeller(undefined, { account: 'shop', terms: shopTerms, at })
    .events as SellerEvent[];
  return evolveSeller(undefined, registered as SellerEvent) as Seller;
}

/** The checkout after these steps, and what the last of them decided. */
function after(...steps: readonly Step[]) {
  const sellers = new Map([['shop', shop()]]);
  const opened: Step = (one) =>
    openCheckout(one, sellers, { ...openCommand, capture: 'manual', at });
  let checkout: Checkout | undefined;
  let decision: ReturnType<Step> = { kind: 'decided', events: [] };
  for (const step of [opened, ...steps]) {
    decision = step(checkout);
    if (decision.kind === 'decided') checkout = decision.events.reduce(evolve, checkout);
  }
  return { order: checkout?.orders.get(order), decision };
}

const cleared: Step = (one) => assessRisk(one, order, { verdict: 'accepted', rules: [], at });
const requested: Step = (one) =>
  requestAttempt(one, order, { psp: 'one', method: 'tok_1', at, callBefore });
const confirming: Step = (one) => requestConfirm(one, order, { attempt: 1, at, callBefore });
const capturing: Step = (one) => requestCapture(one, order, { at, callBefore });

function told(status: PspPaymentStatus): Step {
  const usd = (amount: bigint) => ({ amount, currency: 'USD' });
  const payment: PspPayment = {
    ...{ psp: 'one', id: 'pi_1', reference: 'p~c-1~o-1~1', status, disputed: false },
    ...{ amount: usd(10_000n), captured: usd(0n), refunded: usd(0n) },
  };
  return (one) => observePayment(one, order, 1, payment, at);
}

function doubted(call: 'create' | 'confirm' | 'capture' | 'void'): Step {
  return (one) => doubtCall(one, order, { attempt: 1, call, reason: 'timeout', at });
}

describe('a call that nobody knows the outcome of', () => {
  test.each([
    ['create', [cleared, requested]],
    ['confirm', [cleared, requested, told('created'), confirming]],
    ['capture', [cleared, requested, told('authorized'), capturing]],
  ] as const)('%s: the order is unknown until somebody tells', (call, steps) => {
    const doubt = after(...steps, doubted(call));
    expect(doubt.order?.state).toBe('unknown');
    expect(after(...steps, doubted(call), doubted(call)).decision).toMatchObject({ events: [] });
  });

  test.each([
    ['create', [cleared, requested, told('created')], 'executing'],
    [
      'confirm',
      [cleared, requested, told('created'), confirming, told('authorized')],
      'authorized',
    ],
    ['capture', [cleared, requested, told('authorized')], 'authorized'],
    ['void', [cleared, requested, told('authorized')], 'authorized'],
  ] as const)('%s: a webhook that told before leaves no doubt', (call, steps, state) => {
    const late = after(...steps, doubted(call));
    expect(late.decision).toMatchObject({ kind: 'decided', events: [] });
    expect(late.order?.state).toBe(state);
  });

  test('an authorized order that was doubted too late can still be captured', () => {
    const steps = [cleared, requested, told('created'), confirming, told('authorized')];
    const { decision } = after(...steps, doubted('confirm'), capturing);
    expect(decision).toMatchObject({ events: [{ type: 'capture-requested' }] });
  });
});
