import { idFromKey } from '@annals/core';
import type { CheckoutEvent, RecordedOf } from '../events.ts';
import { stepProblem } from '../money.ts';
import { type Attempt, lastAttempt } from '../order-state.ts';
import { type Decided, decided, type Refused, refused } from '../outcome.ts';
import type { Checkout } from '../state.ts';
import { deadAttempts } from '../transitions.ts';
import { findAttempt } from './attempts.ts';
import { checkoutEvent, findOrder } from './decide.ts';
import { closeAfter } from './payment-page.ts';

/** Taking what is authorized, or letting it go; and what a provider refused of it. */

/** Of what an amount must be a multiple at the provider that holds a payment. */
export type StepOf = (psp: string, currency: string) => bigint;

export interface RequestCapture {
  readonly amount?: bigint;
  /** 1 unless told. */
  readonly stepOf?: StepOf;
  readonly at: number;
  readonly callBefore: number;
}

/** Intent: take all or a part of what is authorized, once; the rest is let go. After a refusal it may be asked again. */
export function requestCapture(
  checkout: Checkout | undefined,
  orderId: string,
  command: RequestCapture,
) {
  const found = findOrder(checkout, orderId);
  if (found.kind === 'refused') return found;
  const { order, ids } = found;
  const attempt = lastAttempt(order);
  if (order.state !== 'authorized' || !attempt?.paymentId) {
    return refused('not-authorized', `order ${orderId} is ${order.state}: nothing can be captured`);
  }
  if (attempt.capturing !== undefined || attempt.voiding !== undefined) {
    return refused('in-progress', `order ${orderId} is being captured or let go already`);
  }
  const amount = command.amount ?? attempt.authorized;
  if (amount <= 0n) return refused('invalid-amount', 'amount must be above zero');
  if (amount > attempt.authorized) {
    return refused('above-authorized', `at most ${attempt.authorized} can be captured`);
  }
  const { currency } = found.checkout;
  const problem = stepProblem(amount, command.stepOf?.(attempt.psp, currency) ?? 1n, currency);
  if (problem !== undefined) return refused('amount-step', problem);
  return decided(
    checkoutEvent('capture-requested', callKey(orderId, attempt), command.at, {
      ...{ ...ids, attempt: attempt.number, psp: attempt.psp, psp_payment_id: attempt.paymentId },
      ...{ amount: String(amount), currency },
      call_before: command.callBefore,
    }),
  );
}

/** What tells a capture or a void from those of the same attempt that were refused: it is a call with a key of its own. */
function callKey(orderId: string, { number, refusals = 0 }: Attempt): (string | number)[] {
  return refusals === 0 ? [orderId, number] : [orderId, number, refusals];
}

export type CaptureOrVoid = RecordedOf<'capture-requested' | 'void-requested'>;

/** Whether this is the capture or the void of the attempt that is under way. */
export function isUnderWay(
  attempt: Attempt,
  { id, type, data }: Pick<CaptureOrVoid, 'id' | 'type' | 'data'>,
): boolean {
  const flag = type === 'capture-requested' ? attempt.capturing : attempt.voiding;
  const isOver = attempt.state === 'captured' || deadAttempts.has(attempt.state);
  if (flag === undefined || isOver) return false;
  return id === callIdOf(type, data.checkout_id, data.payment_order_id, attempt);
}

/** The id that the next capture or void of the attempt has, or the one that is under way. */
export function callIdOf(
  type: CaptureOrVoid['type'],
  checkoutId: string,
  orderId: string,
  attempt: Attempt,
): string {
  return idFromKey(type, checkoutId, ...callKey(orderId, attempt).map(String));
}

export interface RequestEnd {
  readonly as: 'canceled' | 'expired';
  readonly at: number;
  readonly callBefore: number;
  /** A person wants an expired order to be let go, though that was refused too often to go on by itself. */
  readonly byHand?: true;
}

/** Ends an order that has not been captured: at once, or by letting go of its payment first. The last one closes its page. */
export function requestEnd(checkout: Checkout | undefined, orderId: string, command: RequestEnd) {
  const found = findOrder(checkout, orderId);
  if (found.kind === 'refused') return found;
  const { order, ids, checkout: of } = found;
  const { as, at, callBefore } = command;
  if (order.state === as) return decided<CheckoutEvent>();
  if (as === 'expired' && at < of.expiresAt)
    return refused('not-expired', 'it has not expired yet');
  if (order.state === 'captured' || order.state === 'succeeded') {
    return refused('already-captured', `order ${orderId} is paid: refund it instead`);
  }
  if (order.state === 'failed' || order.state === 'canceled' || order.state === 'expired') {
    return refused('order-ended', `order ${orderId} is ${order.state}`);
  }
  const attempt = lastAttempt(order);
  if (!attempt || deadAttempts.has(attempt.state)) {
    const ended = checkoutEvent('order-ended', [orderId], at, { ...ids, as, reason: as });
    return decided(ended, ...closeAfter(of, [ended], command));
  }
  const isFree = attempt.state !== 'requested' && attempt.state !== 'confirming' && !attempt.doubt;
  if (!isFree || attempt.capturing !== undefined || !attempt.paymentId) {
    return refused('in-progress', `order ${orderId} waits for the provider: ask again`);
  }
  if (attempt.voiding !== undefined) return decided<CheckoutEvent>();
  if (as === 'expired' && !command.byHand && waits(attempt, at)) {
    return refused('void-refused', `order ${orderId}: the provider does not let go of its payment`);
  }
  const data = {
    ...{ ...ids, attempt: attempt.number, psp: attempt.psp, psp_payment_id: attempt.paymentId },
    ...{ reason: as, call_before: callBefore },
  };
  return decided(checkoutEvent('void-requested', callKey(orderId, attempt), at, data));
}

/** Whether an expired order was refused to be let go, and is not to be tried again yet, or not by itself. */
function waits({ refused: last }: Attempt, at: number): boolean {
  if (last?.call !== 'void' || last.as !== 'expired') return false;
  return last.againAt === undefined || at < last.againAt;
}

const minuteMs = 60_000;

/** How long an expired order waits before it is let go again, after each refusal; after the last a person has to look. */
export const voidAgainMs: readonly number[] = [
  minuteMs,
  10 * minuteMs,
  60 * minuteMs,
  6 * 60 * minuteMs,
];

/** What a provider says is kept up to so many characters. */
const detailCharsMax = 300;

/**
 * The provider surely did not carry out a capture or a void: the attempt is free for another one. Decides nothing where the
 * call is not the one that is under way: somebody has told of it, or of what came of the payment.
 */
export function refuseCall(
  checkout: Checkout | undefined,
  { id, type, data: asked }: Pick<CaptureOrVoid, 'id' | 'type' | 'data'>,
  why: { readonly reason: string; readonly detail: string; readonly at: number },
): Decided<CheckoutEvent> | Refused {
  const orderId = asked.payment_order_id;
  const found = findAttempt(checkout, orderId, asked.attempt);
  if (found.kind === 'refused') return found;
  const { attempt, ids } = found;
  if (!isUnderWay(attempt, { id, type, data: asked } as CaptureOrVoid)) return decided();
  const { reason, detail, at } = why;
  const refusals = (attempt.refusals ?? 0) + 1;
  const key = [orderId, attempt.number, refusals];
  const data = {
    ...{ ...ids, attempt: attempt.number, psp: asked.psp, psp_payment_id: asked.psp_payment_id },
    ...{ refusals, reason, detail: detail.slice(0, detailCharsMax) },
  };
  if ('amount' in asked) {
    const { amount, currency } = asked;
    return decided(checkoutEvent('capture-refused', key, at, { ...data, amount, currency }));
  }
  const as = asked.reason;
  const tries = as === 'expired' ? triesOf(attempt) + 1 : 0;
  const after = as === 'expired' ? voidAgainMs[tries - 1] : undefined;
  const again = after === undefined ? {} : { again_at: at + after };
  return decided(checkoutEvent('void-refused', key, at, { ...data, as, tries, ...again }));
}

function triesOf({ refused: last }: Attempt): number {
  return last?.call === 'void' && last.as === 'expired' ? last.tries : 0;
}

/** Whether an expired order is not let go by itself any more: a person has to look. */
export function needsPerson({ refused: last }: Attempt): boolean {
  return last?.call === 'void' && last.as === 'expired' && last.againAt === undefined;
}
