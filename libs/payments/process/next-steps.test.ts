import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { release } from '../decide/after-capture.ts';
import {
  declineAttempt,
  observeAuthentication,
  observePayment,
  requestAttempt,
  requestAuthentication,
  requestConfirm,
  requestEnd,
} from '../decide/attempts.ts';
import { assessRisk, openCheckout } from '../decide/checkout.ts';
import { registerSeller } from '../decide/seller.ts';
import type { CheckoutEvent, SellerEvent } from '../events.ts';
import type { PspPayment } from '../psp/port.ts';
import { evolveSeller, type Seller, type SellerTerms } from '../seller-state.ts';
import { type Checkout, evolve } from '../state.ts';
import { checkoutStatus } from '../transitions.ts';
import { nextSteps, type Step } from './next-steps.ts';

const terms: SellerTerms = {
  currencies: [{ currency: 'EUR', fee_basis_points: 100, fee_fixed: '0', payout_minimum: '1' }],
  reserve_basis_points: 0,
  release_after_days: 7,
  payout_schedule: 'manual',
};
const dayMs = 24 * 60 * 60 * 1_000;
const expiresAt = 30 * 60 * 1_000;

/** What the provider comes to for one payment, one after the other; captured once there is no more. */
type Script = readonly ('declined' | 'requires_action' | 'processing' | 'silent')[];

class Drive {
  checkout: Checkout;
  now = 0;
  readonly #scripts: Map<string, string[]>;
  /** Words of the provider that were heard. */
  heard = 0;

  constructor(orders: readonly string[], scripts: ReadonlyMap<string, Script>) {
    const { events } = registerSeller(undefined, { account: 'shop', terms, at: 0 });
    const shop = evolveSeller(undefined, events[0] as SellerEvent) as Seller;
    const decision = openCheckout(undefined, new Map([['shop', shop]]), {
      ...{
        checkoutId: 'c1',
        currency: 'EUR',
        capture: 'automatic',
        method: 'pm',
        at: 0,
        expiresAt,
      },
      orders: orders.map((id) => ({ paymentOrderId: id, sellerAccount: 'shop', amount: 500n })),
      buyerInfo: {},
    });
    if (decision.kind === 'refused') throw new Error(decision.detail);
    this.checkout = decision.events.reduce(evolve, undefined as Checkout | undefined) as Checkout;
    this.#scripts = new Map([...scripts].map(([id, script]) => [id, [...script]]));
  }

  take(outcome: { kind: string; events?: readonly CheckoutEvent[]; reason?: string }): void {
    if (outcome.kind === 'refused') throw new Error(`a step was refused: ${outcome.reason}`);
    for (const event of outcome.events ?? [])
      this.checkout = evolve(this.checkout, event) as Checkout;
  }

  carryOut(step: Step): void {
    this.take(this.#decide(step));
  }

  #decide(step: Step) {
    const { now: at, checkout: c } = this;
    const callBefore = at + 1;
    switch (step.kind) {
      case 'authenticate':
        return requestAuthentication(c, { psp: 'one', method: 'pm', at, callBefore });
      case 'assess-risk':
        return assessRisk(c, step.orderId, { verdict: 'accepted', rules: [], at });
      case 'attempt':
        return requestAttempt(c, step.orderId, { psp: 'one', method: 'pm', at, callBefore });
      case 'confirm':
        return requestConfirm(c, step.orderId, { attempt: step.attempt, at, callBefore });
      case 'release':
        return release(c, step.orderId, { because: 'days', at });
      case 'expire':
        return requestEnd(c, step.orderId, { as: 'expired', at, callBefore });
    }
  }

  /** What the provider says of everything that was asked of it. */
  answer(): void {
    if (this.checkout.authentication.state === 'requested') {
      this.take(
        observeAuthentication(this.checkout, { id: 'seti', status: 'authenticated' }, this.now),
      );
    }
    for (const [id, { attempts }] of this.checkout.orders) {
      for (const { number, state, voiding } of attempts) {
        const observed = this.#payment(id, number, state, voiding !== undefined);
        if (observed) this.take(observePayment(this.checkout, id, number, observed, this.now));
      }
    }
  }

  #payment(id: string, number: number, state: string, voiding: boolean): PspPayment | undefined {
    const of = (amount: bigint) => ({ amount, currency: 'EUR' });
    const name = `${id}-${number}`;
    const next = state === 'requested' ? 'created' : voiding ? 'voided' : this.#next(id, state);
    if (next === undefined || next === 'silent') return undefined;
    const status = next as PspPayment['status'];
    return {
      ...{ psp: 'one', id: `pi-${name}`, reference: name, status, disputed: false },
      ...{ amount: of(500n), captured: of(status === 'captured' ? 500n : 0n), refunded: of(0n) },
      ...(status === 'requires_action' ? { actionUrl: 'https://psp.example/3ds' } : {}),
      ...(status === 'declined'
        ? { declined: { reason: 'processing_error', code: 'x', next: 'retry' } }
        : {}),
    };
  }

  #next(id: string, state: string): string | undefined {
    if (state !== 'confirming' && state !== 'requires_action') return undefined;
    const next = this.#scripts.get(id)?.shift() ?? 'captured';
    // A provider that says nothing is no reason to wait with the clock.
    if (next !== 'silent') this.heard += 1;
    return next;
  }

  statuses(): readonly string[] {
    return [...this.checkout.orders.values()].map(({ state }) => state);
  }
}

/** Drives until nothing is to be done, moving the clock only where nothing else is left. */
function drive(orders: readonly string[], scripts: ReadonlyMap<string, Script>) {
  const world = new Drive(orders, scripts);
  for (let round = 0; round < 400; round += 1) {
    const before = world.checkout;
    const { heard } = world;
    for (const step of nextSteps(world.checkout, world.now).steps) world.carryOut(step);
    world.answer();
    if (world.checkout !== before || world.heard !== heard) continue;
    const { askAgainAt } = nextSteps(world.checkout, world.now);
    if (askAgainAt === undefined) return world;
    world.now = askAgainAt;
  }
  throw new Error('it does not settle');
}

describe('what a checkout needs next', () => {
  it('is one after the other, from risk to release', () => {
    const world = drive(['a'], new Map());
    expect(world.statuses()).toEqual(['succeeded']);
    expect(world.now).toBe(7 * dayMs);
    expect(nextSteps(world.checkout, world.now)).toEqual({ steps: [], askAgainAt: undefined });
  });

  it('is one authentication before several orders, and a charge for each', () => {
    const { checkout } = drive(['a', 'b', 'c'], new Map());
    expect(checkout.authentication).toMatchObject({ state: 'authenticated' });
    expect([...checkout.orders.values()].map(({ attempts }) => attempts.length)).toEqual([1, 1, 1]);
  });

  it('is nothing while a provider is asked, or nobody knows what became of a call', () => {
    const world = new Drive(['a'], new Map());
    world.carryOut({ kind: 'assess-risk', orderId: 'a' });
    world.carryOut({ kind: 'attempt', orderId: 'a', tried: [] });
    expect(nextSteps(world.checkout, 0)).toEqual({ steps: [], askAgainAt: expiresAt });
    expect(nextSteps(world.checkout, expiresAt).steps).toEqual([]);
  });

  it('is an end for a buyer who never comes back, and another attempt after a decline', () => {
    const scripts = new Map<string, Script>([
      ['a', ['requires_action', ...Array<'silent'>(300).fill('silent')]],
      ['b', ['declined', 'declined']],
    ]);
    const { checkout } = drive(['a', 'b'], scripts);
    expect(checkout.orders.get('a')).toMatchObject({ state: 'expired' });
    expect(checkout.orders.get('b')?.attempts.map(({ state }) => state)).toEqual([
      'declined',
      'declined',
      'captured',
    ]);
    expect(checkoutStatus([...checkout.orders.values()].map(({ state }) => state))).toBe(
      'partially_succeeded',
    );
  });

  it('always comes to an end, whatever the provider says first', () => {
    const word = fc.constantFrom(...(['declined', 'requires_action', 'processing'] as const));
    const script = fc.array(word, { maxLength: 14 });
    fc.assert(
      fc.property(script, script, (first, second) => {
        const world = drive(
          ['a', 'b'],
          new Map([
            ['a', first],
            ['b', second],
          ]),
        );
        for (const state of world.statuses())
          expect(['succeeded', 'failed', 'expired']).toContain(state);
      }),
      { numRuns: 300 },
    );
  });

  it('that was carried out twice makes the same events', () => {
    const world = new Drive(['a'], new Map());
    world.carryOut({ kind: 'assess-risk', orderId: 'a' });
    const command = { psp: 'one', method: 'pm', at: 5, callBefore: 6 };
    expect(requestAttempt(world.checkout, 'a', command)).toEqual(
      requestAttempt(world.checkout, 'a', command),
    );
    world.take(requestAttempt(world.checkout, 'a', command));
    const decline = { attempt: 1, reason: 'no', code: 'x', next: 'fail', at: 7 } as const;
    world.take(declineAttempt(world.checkout, 'a', decline));
    world.take(declineAttempt(world.checkout, 'a', decline));
    expect(world.statuses()).toEqual(['failed']);
  });
});
