import { describe, expect, test } from 'vitest';
import type { CheckoutEvent, RecordedCheckoutEvent } from '../events.ts';
import type { Decided, Refused } from '../outcome.ts';
import { checkoutOutcome, stillAsked } from '../reactors/payments-outcomes.ts';
import { type Checkout, evolve } from '../state.ts';
import { authorizedCheckout, openCommand, paymentTold } from '../testing/paid-order.ts';
import { doubtCall } from './attempts.ts';
import { refuseCall, requestCapture, requestEnd, voidAgainMs } from './captures.ts';

const at = openCommand.expiresAt;
const callBefore = at + 60_000;
const order = 'o-1';
const told = { at, callBefore };

type Asked = Extract<
  RecordedCheckoutEvent,
  { readonly type: 'capture-requested' | 'void-requested' }
>;

/** A checkout that goes on by what is decided. */
class Story {
  checkout: Checkout | undefined = authorizedCheckout();

  decide(made: Decided<CheckoutEvent> | Refused): CheckoutEvent | undefined {
    if (made.kind === 'refused') throw new Error(`${made.reason}: ${made.detail}`);
    this.checkout = made.events.reduce(evolve, this.checkout);
    return made.events.at(-1);
  }

  capture(amount: bigint): Asked {
    return this.decide(requestCapture(this.checkout, order, { amount, ...told })) as Asked;
  }

  end(as: 'canceled' | 'expired', when = at): Asked {
    const times = { at: when, callBefore: when + 60_000 };
    return this.decide(requestEnd(this.checkout, order, { as, ...times })) as Asked;
  }

  refuse(asked: Asked, when = at): CheckoutEvent | undefined {
    const why = { reason: 'invalid_request', detail: 'no', at: when };
    return this.decide(refuseCall(this.checkout, asked, why));
  }

  get order() {
    return this.checkout?.orders.get(order);
  }
}

describe('a capture that was refused', () => {
  test('may be asked for again, as another call', () => {
    const story = new Story();
    const first = story.capture(1_999n);
    story.refuse(first);
    expect(story.order).toMatchObject({ state: 'authorized', captured: 0n });
    const second = story.capture(2_000n);
    expect(second.id).not.toBe(first.id);
    expect(story.order?.attempts[0]?.capturing).toBe(2_000n);
  });

  test('is over: who has it still at hand neither calls, nor ends the one that followed', () => {
    const story = new Story();
    const first = story.capture(1_999n);
    story.refuse(first);
    expect(stillAsked(story.checkout, first)).toBe(false);
    const second = story.capture(1_999n);
    expect(stillAsked(story.checkout, first)).toBe(false);
    expect(stillAsked(story.checkout, second)).toBe(true);
    expect(story.refuse(first)).toBeUndefined();
    expect(story.order?.attempts[0]?.capturing).toBe(1_999n);
  });

  test('leaves no doubt behind', () => {
    const story = new Story();
    const asked = story.capture(1_999n);
    const doubt = { attempt: 1, call: 'capture', reason: 'timeout', at } as const;
    story.decide(doubtCall(story.checkout, order, doubt));
    expect(story.order?.state).toBe('unknown');
    story.refuse(asked);
    expect(story.order?.state).toBe('authorized');
    expect(story.order?.attempts[0]?.doubt).toBeUndefined();
  });

  test.each([
    ['declined', { kind: 'declined', reason: 'do_not_honor', code: 'x', next: 'fail' }],
    ['key_spent', { kind: 'refused', reason: 'key_spent', detail: 'a fault is kept' }],
    [
      'wrong_state, and the payment says nothing that is booked',
      {
        ...({ kind: 'refused', reason: 'wrong_state', detail: 'it is processing' } as const),
        payment: paymentTold('created'),
      },
    ],
  ] as const)('%s: the order is free', (_, outcome) => {
    const story = new Story();
    const asked = story.capture(1_999n);
    story.decide(checkoutOutcome(story.checkout, asked, outcome, told));
    expect(story.order?.attempts[0]).toMatchObject({ state: 'authorized', refusals: 1 });
    expect(story.order?.attempts[0]?.capturing).toBeUndefined();
  });

  test.each([
    ['captured', 'captured'],
    ['voided', 'expired'],
  ] as const)('because the payment is %s: that is booked instead', (status, state) => {
    const story = new Story();
    const asked = story.capture(1_999n);
    const outcome = {
      ...({ kind: 'refused', reason: 'wrong_state', detail: status } as const),
      payment: paymentTold(status),
    };
    const last = story.decide(checkoutOutcome(story.checkout, asked, outcome, told));
    expect(last?.type).not.toBe('capture-refused');
    expect(story.order?.state).toBe(state);
  });
});

test('a capture is a multiple of what the provider takes', () => {
  const story = new Story();
  const command = { ...told, stepOf: () => 10n };
  const capture = (amount: bigint) =>
    requestCapture(story.checkout, order, { ...command, amount }).kind;
  expect(requestCapture(story.checkout, order, { ...command, amount: 1_999n })).toMatchObject({
    ...{ reason: 'amount-step', detail: expect.stringContaining('multiple of 10') },
  });
  expect(capture(1_990n)).toBe('decided');
});

describe('a void that was refused', () => {
  test('leaves the order as it was: it may be captured, or canceled again', () => {
    const story = new Story();
    const refused = story.refuse(story.end('canceled'));
    expect(refused).toMatchObject({ type: 'void-refused', data: { as: 'canceled', tries: 0 } });
    expect(story.order?.state).toBe('authorized');
    expect(story.end('canceled').type).toBe('void-requested');
    expect(new Story().capture(5n).type).toBe('capture-requested');
  });

  test('of an expired order is tried again later and later, and then not by itself', () => {
    const story = new Story();
    let now = at;
    for (const [tries, waitMs] of voidAgainMs.entries()) {
      const refused = story.refuse(story.end('expired', now), now);
      expect(refused?.data).toMatchObject({ tries: tries + 1, again_at: now + waitMs });
      expect(() => story.end('expired', now + waitMs - 1)).toThrow('void-refused');
      now += waitMs;
    }
    const last = story.refuse(story.end('expired', now), now);
    expect(last?.data).not.toHaveProperty('again_at');
    expect(() => story.end('expired', now + 365 * 86_400_000)).toThrow('void-refused');
    // A person may.
    expect(story.end('canceled', now).type).toBe('void-requested');
  });
});
