import type { CheckoutEvent } from '../events.ts';
import { feeOf } from '../money.ts';
import type { Attempt, DoubtfulCall, OrderFold } from '../order-state.ts';
import { type Decided, decided, type Refused, refused } from '../outcome.ts';
import type { PspDeclined, PspPayment } from '../psp/port.ts';
import type { Checkout } from '../state.ts';
import { deadAttempts } from '../transitions.ts';
import { dayMs } from '../utc-days.ts';
import { checkoutLimits } from './checkout.ts';
import { bookedFee, checkoutEvent, type FoundOrder, findOrder } from './decide.ts';

/**
 * Charging an order. Each call to a provider is an intent event first; what it came to is told by the provider's own
 * object (`observePayment`), whoever brings it: the answer to the call, a webhook, or a look.
 */

export interface RequestAuthentication {
  readonly psp: string;
  readonly method: string;
  readonly at: number;
  readonly callBefore: number;
}

/** Intent: prove once that the buyer holds the card, for a checkout of several orders. */
export function requestAuthentication(
  checkout: Checkout | undefined,
  command: RequestAuthentication,
) {
  if (!checkout) return refused('unknown-checkout', 'there is no such checkout');
  if (checkout.authentication.state !== 'none') return decided<CheckoutEvent>();
  if (checkout.orders.size === 1) {
    return refused('not-needed', 'a checkout of one order is authenticated by its payment');
  }
  const { psp, method, at, callBefore } = command;
  return decided(
    checkoutEvent('authentication-requested', [], at, {
      checkout_id: checkout.id,
      ...{ psp, method },
      ...(checkout.returnUrl === undefined ? {} : { return_url: checkout.returnUrl }),
      call_before: callBefore,
    }),
  );
}

export interface ObservedAuthentication {
  readonly id: string;
  readonly status: 'authenticated' | 'requires_action' | 'processing' | 'failed' | 'canceled';
  readonly actionUrl?: string;
}

/** What the provider says of the authentication; orders that have not begun end with one that failed. */
export function observeAuthentication(
  checkout: Checkout | undefined,
  { id, status, actionUrl }: ObservedAuthentication,
  at: number,
) {
  if (!checkout) return refused('unknown-checkout', 'there is no such checkout');
  const { authentication } = checkout;
  const { state } = authentication;
  if (state === 'none') return refused('not-asked', 'nobody has asked for an authentication');
  if (state === 'authenticated' || state === 'failed') return decided<CheckoutEvent>();
  const ids = { checkout_id: checkout.id };
  const named = { ...ids, authentication_id: id };
  if (status === 'authenticated') {
    const data = { ...named, psp: authentication.psp };
    return decided(checkoutEvent('checkout-authenticated', [], at, data));
  }
  if (status === 'requires_action' && actionUrl !== undefined && state === 'requested') {
    const data = { ...named, action_url: actionUrl };
    return decided(checkoutEvent('authentication-action-required', [], at, data));
  }
  if (status !== 'failed' && status !== 'canceled') return decided<CheckoutEvent>();
  const failed = checkoutEvent('authentication-failed', [], at, { ...ids, reason: status });
  const orders = [...checkout.orders].filter(([, { attempts, state: one }]) => {
    return attempts.length === 0 && (one === 'not_started' || one === 'risk_review');
  });
  const ends = orders.map(([payment_order_id]) =>
    checkoutEvent('order-ended', [payment_order_id], at, {
      ...{ ...ids, payment_order_id, as: 'failed', reason: 'authentication-failed' },
    }),
  );
  return decided(failed, ...ends);
}

export interface RequestAttempt {
  readonly psp: string;
  /** The provider's token of the card. */
  readonly method: string;
  readonly at: number;
  readonly callBefore: number;
}

export type AttemptRefusal =
  | 'unknown-checkout'
  | 'unknown-order'
  | 'not-cleared'
  | 'not-authenticated'
  | 'attempt-alive'
  | 'too-many-attempts'
  | 'checkout-expired'
  | 'order-ended';

/**
 * Intent: make a payment known at a provider. Only where no earlier attempt has charged anything or may still do so:
 * an order has at most one live authorization or charge, over all attempts and providers.
 */
export function requestAttempt(
  checkout: Checkout | undefined,
  orderId: string,
  command: RequestAttempt,
): Decided<CheckoutEvent> | Refused<AttemptRefusal> {
  const found = findOrder(checkout, orderId);
  if (found.kind === 'refused') return found;
  const problem = problemOfAttempt(found, command.at);
  if (problem) return problem;
  const { order, ids, booked, checkout: of } = found;
  const number = order.attempts.length + 1;
  const { authentication, capture } = of;
  const { psp, method, at, callBefore } = command;
  return decided(
    checkoutEvent('attempt-requested', [orderId, number], at, {
      ...{ ...ids, attempt: number, ...booked, psp, method, capture },
      amount: order.terms.amount,
      ...(authentication.state === 'authenticated' ? { authentication_id: authentication.id } : {}),
      call_before: callBefore,
    }),
  );
}

function problemOfAttempt(
  { order, checkout }: FoundOrder,
  at: number,
): Refused<AttemptRefusal> | undefined {
  const id = order.terms.payment_order_id;
  const alive = order.attempts.find(({ state }) => !deadAttempts.has(state));
  if (alive) return refused('attempt-alive', `attempt ${alive.number} of ${id} is ${alive.state}`);
  if (order.state !== 'not_started' && order.state !== 'executing') {
    return order.state === 'risk_review'
      ? refused('not-cleared', `order ${id} waits for a person to look at it`)
      : refused('order-ended', `order ${id} is ${order.state}`);
  }
  if (!order.cleared) return refused('not-cleared', `the risk of order ${id} is not assessed`);
  if (order.attempts.length >= checkoutLimits.attemptsMax) {
    return refused('too-many-attempts', `order ${id} had ${order.attempts.length} attempts`);
  }
  if (checkout.orders.size > 1 && checkout.authentication.state !== 'authenticated') {
    return refused('not-authenticated', 'the buyer is not authenticated for this checkout');
  }
  if (at >= checkout.expiresAt) return refused('checkout-expired', 'the checkout has expired');
  return undefined;
}

/** An attempt of an order, which must be there: it is named by an event of its own stream. */
export interface FoundAttempt extends FoundOrder {
  readonly attempt: Attempt;
}

export function findAttempt(
  checkout: Checkout | undefined,
  orderId: string,
  number: number,
): FoundAttempt | Refused<'unknown-checkout' | 'unknown-order' | 'unknown-attempt'> {
  const found = findOrder(checkout, orderId);
  if (found.kind === 'refused') return found;
  const attempt = found.order.attempts.find((one) => one.number === number);
  if (!attempt) return refused('unknown-attempt', `order ${orderId} has no attempt ${number}`);
  return { ...found, attempt };
}

/** Intent: authorize, and capture where that is automatic. Once the provider's id is stored. */
export function requestConfirm(
  checkout: Checkout | undefined,
  orderId: string,
  command: { readonly attempt: number; readonly at: number; readonly callBefore: number },
) {
  const found = findAttempt(checkout, orderId, command.attempt);
  if (found.kind === 'refused') return found;
  const { attempt, ids, order, checkout: of } = found;
  if (attempt.state !== 'created' || attempt.paymentId === undefined)
    return decided<CheckoutEvent>();
  // Nor one that was to be let go, whatever became of that.
  if (attempt.voiding !== undefined || attempt.refused?.call === 'void') {
    return decided<CheckoutEvent>();
  }
  const { authentication, returnUrl } = of;
  return decided(
    checkoutEvent('attempt-confirm-requested', [orderId, attempt.number], command.at, {
      ...{ ...ids, attempt: attempt.number, psp: attempt.psp, psp_payment_id: attempt.paymentId },
      ...(authentication.state === 'authenticated' && !wantsToAsk(order)
        ? { authentication_id: authentication.id }
        : {}),
      ...(returnUrl === undefined ? {} : { return_url: returnUrl }),
      call_before: command.callBefore,
    }),
  );
}

export type Contradiction =
  | 'wrong-currency'
  | 'wrong-amount'
  | 'other-payment'
  | 'charged-after-end';

/**
 * What the provider says of a payment, whoever brought it. What changes nothing decides nothing, so that the order and
 * the number of webhooks make no difference. A contradiction is for a person to look at; it is never booked.
 */
export function observePayment(
  checkout: Checkout | undefined,
  orderId: string,
  number: number,
  payment: PspPayment,
  at: number,
) {
  const found = findAttempt(checkout, orderId, number);
  if (found.kind === 'refused') return found;
  const contradiction = contradictionOf(found, payment);
  if (contradiction) return contradiction;
  if (isSettled(found.attempt)) return decided<CheckoutEvent>();
  const { attempt, ids } = found;
  const events: CheckoutEvent[] = [];
  if (attempt.state === 'requested') {
    const data = { ...ids, attempt: number, psp: attempt.psp, psp_payment_id: payment.id };
    events.push(checkoutEvent('attempt-created', [orderId, number], at, data));
  }
  return decided(...events, ...movesOf(found, payment, at));
}

function isSettled({ state }: Attempt): boolean {
  return state === 'captured' || deadAttempts.has(state);
}

function contradictionOf(
  { order, attempt, checkout }: FoundAttempt,
  payment: PspPayment,
): Refused<Contradiction> | undefined {
  const { amount, captured, status, id } = payment;
  const of = `payment ${id} of order ${order.terms.payment_order_id}`;
  if (amount.currency !== checkout.currency) {
    return refused('wrong-currency', `${of} is in ${amount.currency}, not in ${checkout.currency}`);
  }
  if (attempt.paymentId !== undefined && attempt.paymentId !== id) {
    return refused('other-payment', `${of}: attempt ${attempt.number} is ${attempt.paymentId}`);
  }
  const due = BigInt(order.terms.amount);
  if (amount.amount > due || captured.amount > due) {
    return refused('wrong-amount', `${of} is about more than ${due}`);
  }
  const isCharged = status === 'captured' || status === 'authorized';
  if (isCharged && deadAttempts.has(attempt.state)) {
    return refused('charged-after-end', `${of} is ${status}, and was ${attempt.state}`);
  }
  return undefined;
}

function movesOf(found: FoundAttempt, payment: PspPayment, at: number): CheckoutEvent[] {
  const { attempt, ids, booked, order } = found;
  const of = { ...ids, attempt: attempt.number };
  const key = [order.terms.payment_order_id, attempt.number];
  switch (payment.status) {
    case 'created':
    case 'processing':
      return [];
    case 'requires_action': {
      const { actionUrl: action_url } = payment;
      // One that was fetched before an authorization, and came after it, tells nothing new.
      if (action_url === undefined || attempt.state === 'authorized') return [];
      if (attempt.actionUrl === action_url) return [];
      return [
        checkoutEvent('attempt-action-required', [...key, action_url], at, { ...of, action_url }),
      ];
    }
    case 'authorized': {
      if (attempt.state === 'authorized') return [];
      const amount = String(payment.amount.amount);
      return [checkoutEvent('attempt-authorized', key, at, { ...of, ...booked, amount })];
    }
    case 'captured':
      return [captured(found, payment, at)];
    case 'declined':
      // It may only come after an authorization when the provider takes that back: then it is voided.
      return attempt.state === 'authorized'
        ? []
        : [declined(found, payment.declined ?? unexplained, at)];
    case 'voided': {
      const authorized = String(attempt.authorized);
      // Nobody here asked for it: the authorization has run out at the provider.
      const reason = attempt.voiding ?? 'expired';
      return [checkoutEvent('attempt-voided', key, at, { ...of, ...booked, authorized, reason })];
    }
  }
}

const unexplained = { reason: 'processing_error', code: 'unexplained', next: 'fail' } as const;

function captured(
  { order, attempt, ids, booked }: FoundAttempt,
  payment: PspPayment,
  at: number,
): CheckoutEvent {
  const { fee_basis_points, fee_fixed, release_after_days, payment_order_id } = order.terms;
  const amount = payment.captured.amount;
  const fee = feeOf(amount, { basisPoints: fee_basis_points, fixed: BigInt(fee_fixed) });
  return checkoutEvent('order-captured', [payment_order_id], at, {
    ...{ ...ids, attempt: attempt.number, ...booked },
    amount: String(amount),
    authorized: String(attempt.authorized),
    platform_fee: String(fee),
    net: String(amount - fee),
    psp_fee: bookedFee(payment.fee, booked.currency),
    release_at: at + release_after_days * dayMs,
  });
}

/** Whether the bank wants to ask at this payment, too: then it is confirmed as if the buyer were there. */
function wantsToAsk({ attempts }: OrderFold): boolean {
  return attempts.some(({ declined: why }) => why?.reason === 'authentication_required');
}

function declined(
  { order, attempt, ids, checkout }: FoundAttempt,
  { reason, code, next: says }: Pick<PspDeclined, 'reason' | 'code' | 'next'>,
  at: number,
): CheckoutEvent {
  const isLast = attempt.number >= checkoutLimits.attemptsMax;
  // A buyer who gave a card on a page is not far: the next attempt asks them.
  const mayAsk = checkout.page !== undefined && reason === 'authentication_required';
  const next = mayAsk && !wantsToAsk(order) ? 'retry' : says;
  return checkoutEvent('attempt-declined', [order.terms.payment_order_id, attempt.number], at, {
    ...{ ...ids, attempt: attempt.number, reason, code },
    final: next !== 'retry' || isLast,
  });
}

export interface Decline {
  readonly attempt: number;
  readonly reason: string;
  readonly code: string;
  readonly next: 'retry' | 'ask_buyer' | 'fail';
  readonly at: number;
}

/**
 * A call was answered with a decline, or surely had no effect and never will: nothing is charged by this attempt.
 * `ask_buyer` ends the order, too: another card is another checkout.
 */
export function declineAttempt(checkout: Checkout | undefined, orderId: string, command: Decline) {
  const found = findAttempt(checkout, orderId, command.attempt);
  if (found.kind === 'refused') return found;
  const { attempt } = found;
  if (isSettled(attempt) || attempt.state === 'authorized') return decided<CheckoutEvent>();
  const { reason, code, next, at } = command;
  return decided(
    declined(found, { reason, code, next } as Pick<PspDeclined, 'reason' | 'code' | 'next'>, at),
  );
}

/** Nobody knows what became of a call. It changes nothing but that everybody is told so. */
export function doubtCall(
  checkout: Checkout | undefined,
  orderId: string,
  command: {
    readonly attempt: number;
    readonly call: DoubtfulCall;
    readonly reason: string;
    readonly at: number;
  },
) {
  const found = findAttempt(checkout, orderId, command.attempt);
  if (found.kind === 'refused') return found;
  const { attempt, ids } = found;
  const { call, reason, at } = command;
  if (attempt.doubt === call || !isOpen(attempt, call)) return decided<CheckoutEvent>();
  const data = { ...ids, attempt: attempt.number, call, reason };
  return decided(checkoutEvent('call-in-doubt', [orderId, attempt.number, call, at], at, data));
}

/** Whether nobody has told what became of the call: a webhook may have come before the call was given up. */
function isOpen({ state, capturing, voiding }: Attempt, call: DoubtfulCall): boolean {
  switch (call) {
    case 'create':
      return state === 'requested';
    case 'confirm':
      return state === 'confirming';
    case 'capture':
      return state === 'authorized' && capturing !== undefined;
    case 'void':
      return voiding !== undefined && state !== 'captured' && !deadAttempts.has(state);
  }
}

/** A person has to find out what became of a call. Said once for each intent. */
export function deadLetterCall(
  checkout: Checkout | undefined,
  orderId: string,
  command: {
    readonly intentId: string;
    readonly call: string;
    readonly reason: string;
    readonly context: string;
    readonly at: number;
  },
) {
  const found = findOrder(checkout, orderId);
  if (found.kind === 'refused') return found;
  const { intentId, call, reason, context, at } = command;
  if (found.order.deadLetters.includes(intentId)) return decided<CheckoutEvent>();
  const data = { ...found.ids, intent_id: intentId, call, reason, context };
  return decided(checkoutEvent('call-dead-lettered', [orderId, intentId], at, data));
}
