import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CheckoutEvent, SellerEvent } from '../events.ts';
import { journalOf, signed } from '../journal.ts';
import type { Decided, Refused } from '../outcome.ts';
import type { PspPayment, PspPaymentStatus } from '../psp/port.ts';
import { evolveSeller, type Seller, type SellerTerms } from '../seller-state.ts';
import { type Checkout, evolve } from '../state.ts';
import { checkoutStatus, deadAttempts, orderEnds } from '../transitions.ts';
import {
  doubtRefund,
  failRefund,
  observeDispute,
  observeRefund,
  release,
  requestRefund,
} from './after-capture.ts';
import {
  declineAttempt,
  doubtCall,
  observeAuthentication,
  observePayment,
  requestAttempt,
  requestAuthentication,
  requestConfirm,
} from './attempts.ts';
import { callIdOf, refuseCall, requestCapture, requestEnd } from './captures.ts';
import { assessRisk, decideReview, openCheckout } from './checkout.ts';
import { giveEvidence } from './evidence.ts';
import { registerSeller } from './seller.ts';

/**
 * Random walks over one checkout: any command at any moment, and any word of the provider, also late ones and ones
 * that come twice. What must hold at every event holds, and no fold ever throws.
 */

const terms: SellerTerms = {
  currencies: [{ currency: 'EUR', fee_basis_points: 290, fee_fixed: '30', payout_minimum: '1' }],
  reserve_basis_points: 500,
  release_after_days: 7,
  payout_schedule: 'manual',
};
const orderIds = ['a', 'b'] as const;
const statuses: readonly PspPaymentStatus[] = [
  'created',
  'requires_action',
  'processing',
  'declined',
  'authorized',
  'captured',
  'voided',
];

interface Step {
  readonly act: string;
  readonly order: (typeof orderIds)[number];
  readonly status: PspPaymentStatus;
  readonly attempt: number;
  readonly amount: bigint;
  readonly id: string;
  readonly yes: boolean;
}

type Outcome = Decided<CheckoutEvent> | Refused;

/** What the provider says: a payment of the right or (seldom) of another amount. */
function payment({ status, attempt, order, amount, yes }: Step): PspPayment {
  const of = (value: bigint) => ({ amount: value, currency: 'EUR' });
  const captured = status === 'captured' ? (yes ? 1_000n : amount) : 0n;
  return {
    ...{ psp: 'one', id: `pi-${order}-${attempt}`, reference: `${order}-${attempt}`, status },
    ...{ amount: of(1_000n), captured: of(captured), refunded: of(0n), disputed: false },
    fee: of(29n),
    ...(status === 'requires_action' ? { actionUrl: 'https://psp.example/3ds' } : {}),
    ...(status === 'declined'
      ? { declined: { reason: 'do_not_honor', code: 'x', next: yes ? 'retry' : 'fail' } }
      : {}),
  };
}

/** The provider refuses the capture or the void that is under way; seldom one of long ago. */
function refuseWhatIsAsked(c: Checkout, s: Step, at: number): Outcome {
  const attempt = c.orders.get(s.order)?.attempts.find(({ number }) => number === s.attempt);
  if (!attempt) return { kind: 'decided', events: [] };
  const of = { checkout_id: c.id, payment_order_id: s.order, attempt: s.attempt };
  const named = { ...of, psp: 'one', psp_payment_id: 'pi', call_before: at };
  const why = { reason: 'invalid_request', detail: 'no', at };
  const refusals = s.id === 'x' ? 0 : (attempt.refusals ?? 0);
  const type = attempt.capturing === undefined ? 'void-requested' : 'capture-requested';
  const id = callIdOf(type, c.id, s.order, { ...attempt, refusals });
  if (type === 'void-requested') {
    return refuseCall(c, { id, type, data: { ...named, reason: 'canceled' } }, why);
  }
  const data = { ...named, amount: String(s.amount), currency: 'EUR' };
  return refuseCall(c, { id, type, data }, why);
}

const acts = {
  assess: (c: Checkout, s: Step, at: number) =>
    assessRisk(c, s.order, { verdict: s.yes ? 'accepted' : 'review', rules: [], at }),
  review: (c: Checkout, s: Step, at: number) =>
    decideReview(c, s.order, { verdict: s.yes ? 'approved' : 'rejected', decidedBy: 'eve', at }),
  authenticate: (c: Checkout, _: Step, at: number) =>
    requestAuthentication(c, { psp: 'one', method: 'pm', at, callBefore: at + 1 }),
  authenticated: (c: Checkout, s: Step, at: number) =>
    observeAuthentication(
      c,
      { id: 'seti', status: s.id === 'x' || s.yes ? 'authenticated' : 'failed' },
      at,
    ),
  attempt: (c: Checkout, s: Step, at: number) =>
    requestAttempt(c, s.order, { psp: 'one', method: 'pm', at, callBefore: at + 1 }),
  confirm: (c: Checkout, s: Step, at: number) =>
    requestConfirm(c, s.order, { attempt: s.attempt, at, callBefore: at + 1 }),
  observe: (c: Checkout, s: Step, at: number) =>
    observePayment(c, s.order, s.attempt, payment(s), at),
  observeAgain: (c: Checkout, s: Step, at: number) =>
    observePayment(c, s.order, s.attempt, payment({ ...s, yes: true }), at),
  decline: (c: Checkout, s: Step, at: number) =>
    declineAttempt(c, s.order, {
      ...{ attempt: s.attempt, reason: 'expired_card', code: 'x', at },
      next: s.yes ? 'retry' : 'ask_buyer',
    }),
  doubt: (c: Checkout, s: Step, at: number) => {
    const call = s.yes ? 'create' : 'confirm';
    return doubtCall(c, s.order, { attempt: s.attempt, call, reason: 'timeout', at });
  },
  capture: (c: Checkout, s: Step, at: number) =>
    requestCapture(c, s.order, { ...(s.yes ? {} : { amount: s.amount }), at, callBefore: at + 1 }),
  end: (c: Checkout, s: Step, at: number) =>
    requestEnd(c, s.order, { as: s.yes ? 'canceled' : 'expired', at, callBefore: at + 1 }),
  refuse: (c: Checkout, s: Step, at: number) => refuseWhatIsAsked(c, s, at),
  release: (c: Checkout, s: Step, at: number) =>
    release(c, s.order, { because: s.yes ? 'delivered' : 'days', at }),
  refund: (c: Checkout, s: Step, at: number) =>
    requestRefund(c, s.order, { refundId: s.id, amount: s.amount, at, callBefore: at + 1 }),
  observeRefund: (c: Checkout, s: Step, at: number) => {
    const amount = c.orders.get(s.order)?.refunds.get(s.id)?.amount ?? s.amount;
    const status = s.yes ? 'succeeded' : 'failed';
    return observeRefund(
      c,
      s.order,
      s.id,
      { id: 're', status, amount: { amount, currency: 'EUR' } },
      at,
    );
  },
  failRefund: (c: Checkout, s: Step, at: number) =>
    failRefund(c, s.order, { refundId: s.id, reason: 'no', at }),
  doubtRefund: (c: Checkout, s: Step, at: number) =>
    doubtRefund(c, s.order, { refundId: s.id, reason: 'timeout', at }),
  dispute: (c: Checkout, s: Step, at: number) => {
    const status = s.yes ? 'needs_response' : s.attempt === 1 ? 'won' : 'lost';
    const amount = { amount: s.amount, currency: 'EUR' };
    return observeDispute(c, s.order, { id: `d${s.id}`, amount, status, reason: 'fraudulent' }, at);
  },
  evidence: (c: Checkout, s: Step, at: number) =>
    giveEvidence(c, s.order, { disputeId: `d${s.id}`, givenBy: 'eve', at }),
} satisfies { [name: string]: (c: Checkout, s: Step, at: number) => Outcome };

const step: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom(...Object.keys(acts)),
  order: fc.constantFrom(...orderIds),
  status: fc.constantFrom(...statuses),
  attempt: fc.integer({ min: 1, max: 3 }),
  amount: fc.bigInt({ min: 0n, max: 1_300n }),
  id: fc.constantFrom('x', 'y'),
  yes: fc.boolean(),
});

/** How far a walk goes the straight way before it strays. */
const straight = ['assess', 'authenticate', 'authenticated', 'attempt', 'observe'].flatMap((act) =>
  orderIds.map(
    (order): Step => ({
      act,
      order,
      status: 'captured',
      attempt: 1,
      amount: 1n,
      id: 'x',
      yes: true,
    }),
  ),
);
const walks = fc
  .tuple(fc.integer({ min: 0, max: straight.length }), fc.array(step, { maxLength: 120 }))
  .map(([length, steps]) => [...straight.slice(0, length), ...steps]);

function opened(): Checkout {
  const seller = registerSeller(undefined, { account: 'shop', terms, at: 0 });
  const [registered] = seller.events as SellerEvent[];
  const shop = evolveSeller(undefined, registered as SellerEvent) as Seller;
  const decision = openCheckout(undefined, new Map([['shop', shop]]), {
    ...{ checkoutId: 'c1', currency: 'EUR', capture: 'manual', method: 'pm', at: 0, expiresAt: 50 },
    orders: orderIds.map((id) => ({ paymentOrderId: id, sellerAccount: 'shop', amount: 1_000n })),
    buyerInfo: { name: 'Ann' },
  });
  if (decision.kind === 'refused') throw new Error(decision.detail);
  return decision.events.reduce(evolve, undefined as Checkout | undefined) as Checkout;
}

function checkOrders(checkout: Checkout): void {
  for (const {
    attempts,
    captured,
    refunds,
    disputes,
    pending,
    net,
    state,
  } of checkout.orders.values()) {
    expect(attempts.filter((one) => !deadAttempts.has(one.state)).length).toBeLessThanOrEqual(1);
    const back = [...refunds.values()].filter((one) => one.state !== 'failed');
    const disputed = [...disputes.values()].filter((one) => one.state !== 'won');
    const gone = [...back, ...disputed].reduce((sum, { amount }) => sum + amount, 0n);
    expect(gone <= captured && captured <= 1_000n).toBe(true);
    expect(pending >= 0n && pending <= net).toBe(true);
    if (captured > 0n) expect(['captured', 'succeeded']).toContain(state);
  }
}

class Books {
  readonly balances = new Map<string, bigint>();
  book(event: CheckoutEvent): void {
    for (const posting of journalOf(event)?.postings ?? []) {
      const key = `${posting.balance} ${posting.account}`;
      this.balances.set(key, (this.balances.get(key) ?? 0n) + signed(posting));
    }
  }
  of(account: string): bigint {
    return this.balances.get(account) ?? 0n;
  }
}

function walk(steps: readonly Step[]) {
  let checkout = opened();
  const books = new Books();
  const ids = new Set<string>();
  let events = 0;
  steps.forEach((one, index) => {
    const outcome: Outcome = acts[one.act as keyof typeof acts](checkout, one, index + 1);
    if (outcome.kind === 'refused') return;
    for (const event of outcome.events) {
      const before = [...checkout.orders].filter(([, { state }]) => orderEnds.has(state));
      checkout = evolve(checkout, event) as Checkout;
      books.book(event);
      ids.add(event.id);
      events += 1;
      // Nothing moves an order out of an end.
      for (const [id, { state }] of before) expect(checkout.orders.get(id)?.state).toBe(state);
      checkOrders(checkout);
      const total = [...books.balances.values()].reduce((sum, balance) => sum + balance, 0n);
      expect(total).toBe(0n);
    }
  });
  return { checkout, books, events, ids };
}

describe('a random walk over a checkout', () => {
  it('keeps what must hold at every event', () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(walks, (steps) => {
        const { checkout, books, events, ids } = walk(steps);
        expect(ids.size).toBe(events);
        for (const { state } of checkout.orders.values()) reached.add(state);
        const orders = [...checkout.orders.values()];
        reached.add(checkoutStatus(orders.map(({ state }) => state)));
        // What the seller has pending is what the orders that are not released have.
        const pending = orders.reduce((sum, order) => sum + order.pending, 0n);
        expect(books.of('posted seller_pending:shop')).toBe(-pending);
        // What is held pending is what authorizations hold.
        const held = orders.flatMap(({ attempts }) => attempts.map(({ authorized }) => authorized));
        expect(books.of('pending psp_clearing')).toBe(held.reduce((sum, one) => sum + one, 0n));
        expect(books.of('posted buyer')).toBe(0n);
      }),
      { numRuns: 1_000 },
    );
    // The walks come everywhere: else they would prove little.
    for (const state of ['captured', 'succeeded', 'failed', 'canceled', 'unknown', 'open']) {
      expect([...reached]).toContain(state);
    }
  });
});
