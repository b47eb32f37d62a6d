import type { CheckoutEvent } from '../events.ts';
import { divide, stepProblem } from '../money.ts';
import { type Dispute, lastAttempt, type Refund, refundable } from '../order-state.ts';
import { decided, type Refused, refused } from '../outcome.ts';
import type { PspDispute, PspRefund } from '../psp/port.ts';
import type { Checkout } from '../state.ts';
import { orderEnds, refundEnds } from '../transitions.ts';
import type { StepOf } from './captures.ts';
import {
  bookedFee,
  checkoutEvent,
  type FoundOrder,
  findOrder,
  giveBack,
  takeFrom,
} from './decide.ts';

/** What becomes of an order's money once the buyer has paid: release, refunds, disputes. */

/** The seller's money becomes available: on delivery, or when its days are over, whichever comes first. */
export function release(
  checkout: Checkout | undefined,
  orderId: string,
  { because, at }: { readonly because: 'delivered' | 'days'; readonly at: number },
) {
  const found = findOrder(checkout, orderId);
  if (found.kind === 'refused') return found;
  const { order, ids, booked } = found;
  if (order.state === 'succeeded') return decided<CheckoutEvent>();
  if (order.state !== 'captured') {
    return refused('not-captured', `order ${orderId} is ${order.state}: nothing was paid yet`);
  }
  if (because === 'days' && at < (order.releaseAt ?? 0)) {
    return refused('not-due', `order ${orderId} is released later, or on delivery`);
  }
  const reserve = divide(order.pending * BigInt(order.terms.reserve_basis_points), 10_000n, 'down');
  return decided(
    checkoutEvent('order-released', [orderId], at, {
      ...{ ...ids, ...booked, because },
      amount: String(order.pending),
      reserve: String(reserve),
    }),
  );
}

export interface RequestRefund {
  readonly refundId: string;
  readonly amount: bigint;
  /** 1 unless told. */
  readonly stepOf?: StepOf;
  readonly at: number;
  readonly callBefore: number;
}

/**
 * Intent: give back all or a part of what was captured. The seller bears it, and it is set aside at once; the fee of
 * the platform is kept. Never above what was captured less refunds and disputes.
 */
export function requestRefund(
  checkout: Checkout | undefined,
  orderId: string,
  command: RequestRefund,
) {
  const found = findOrder(checkout, orderId);
  if (found.kind === 'refused') return found;
  const { order, ids, booked } = found;
  const { refundId, amount, at, callBefore } = command;
  const known = order.refunds.get(refundId);
  if (known) {
    return known.amount === amount
      ? decided<CheckoutEvent>()
      : refused('refund-exists', `refund ${refundId} is about ${known.amount}`);
  }
  const payment = lastAttempt(order);
  if ((order.state !== 'captured' && order.state !== 'succeeded') || !payment?.paymentId) {
    return refused(
      'not-captured',
      `order ${orderId} is ${order.state}: there is nothing to refund`,
    );
  }
  if (amount <= 0n) return refused('invalid-amount', 'amount must be above zero');
  const left = refundable(order);
  if (amount > left) return refused('above-refundable', `at most ${left} can be refunded`);
  const { currency } = booked;
  const problem = stepProblem(amount, command.stepOf?.(payment.psp, currency) ?? 1n, currency);
  if (problem !== undefined) return refused('amount-step', problem);
  return decided(
    checkoutEvent('refund-requested', [orderId, refundId], at, {
      ...{ ...ids, ...booked, psp: payment.psp, psp_payment_id: payment.paymentId },
      ...{ ...takeFrom(order, amount), refund_id: refundId, amount: String(amount) },
      call_before: callBefore,
    }),
  );
}

/** A refund of an order. */
interface FoundRefund extends FoundOrder {
  readonly refund: Refund;
}

function findRefund(
  checkout: Checkout | undefined,
  orderId: string,
  refundId: string,
): FoundRefund | Refused<'unknown-checkout' | 'unknown-order' | 'unknown-refund'> {
  const found = findOrder(checkout, orderId);
  if (found.kind === 'refused') return found;
  const refund = found.order.refunds.get(refundId);
  if (!refund) return refused('unknown-refund', `order ${orderId} has no refund ${refundId}`);
  return { ...found, refund };
}

/** What the provider says of a refund. */
export function observeRefund(
  checkout: Checkout | undefined,
  orderId: string,
  refundId: string,
  observed: Pick<PspRefund, 'id' | 'status' | 'failure' | 'amount'>,
  at: number,
) {
  const found = findRefund(checkout, orderId, refundId);
  if (found.kind === 'refused') return found;
  const { ids, booked, refund } = found;
  if (observed.amount.amount !== refund.amount || observed.amount.currency !== booked.currency) {
    return refused('wrong-amount', `refund ${refundId} is about ${refund.amount} here`);
  }
  const named = { ...ids, ...booked, refund_id: refundId };
  const data = { ...named, amount: String(refund.amount), psp_refund_id: observed.id };
  if (observed.status === 'succeeded') {
    if (refund.state === 'succeeded') return decided<CheckoutEvent>();
    if (refund.state === 'failed') {
      return refused('refunded-after-end', `refund ${refundId} had failed, and succeeded`);
    }
    return decided(checkoutEvent('refund-succeeded', [orderId, refundId], at, data));
  }
  if (observed.status === 'pending') {
    // Nothing where the provider has said so before, or something later.
    if (refund.state !== 'requested' && refund.state !== 'unknown') return decided<CheckoutEvent>();
    return decided(checkoutEvent('refund-pending', [orderId, refundId], at, data));
  }
  if (refund.state === 'failed') return decided<CheckoutEvent>();
  const reason = observed.failure ?? observed.status;
  if (refund.state === 'succeeded') return decided(refundFailed(found, reason, at));
  // The provider holds it: the money left, and came back. Both stand in its files, by this name.
  const left = checkoutEvent('refund-succeeded', [orderId, refundId], at, data);
  const gone = { ...found, refund: { ...refund, state: 'succeeded' } as const };
  return decided(left, refundFailed(gone, reason, at));
}

/** A refund surely did not come about: the seller gets its money back. */
export function failRefund(
  checkout: Checkout | undefined,
  orderId: string,
  {
    refundId,
    reason,
    at,
  }: { readonly refundId: string; readonly reason: string; readonly at: number },
) {
  const found = findRefund(checkout, orderId, refundId);
  if (found.kind === 'refused') return found;
  const { refund } = found;
  return refundEnds.has(refund.state)
    ? decided<CheckoutEvent>()
    : decided(refundFailed(found, reason, at));
}

function refundFailed(
  { order, ids, booked, refund }: FoundRefund,
  reason: string,
  at: number,
): CheckoutEvent {
  const { id, amount, fromPending, state } = refund;
  return checkoutEvent('refund-failed', [order.terms.payment_order_id, id], at, {
    ...{ ...ids, ...booked, ...giveBack(order, amount, fromPending) },
    ...{ refund_id: id, amount: String(amount), reason },
    after_succeeded: state === 'succeeded',
  });
}

/** Nobody knows what became of the call for a refund. */
export function doubtRefund(
  checkout: Checkout | undefined,
  orderId: string,
  {
    refundId,
    reason,
    at,
  }: { readonly refundId: string; readonly reason: string; readonly at: number },
) {
  const found = findRefund(checkout, orderId, refundId);
  if (found.kind === 'refused') return found;
  const { refund } = found;
  if (refund.state !== 'requested') return decided<CheckoutEvent>();
  const data = { ...found.ids, refund_id: refundId, reason };
  return decided(checkoutEvent('refund-in-doubt', [orderId, refundId], at, data));
}

/**
 * What the provider says of a dispute: opened, won or lost, in whatever order it is heard. `too-early` where what is under
 * way with the order has to come to its end first: the same is heard again then.
 */
export function observeDispute(
  checkout: Checkout | undefined,
  orderId: string,
  observed: Omit<PspDispute, 'psp' | 'paymentId'>,
  at: number,
) {
  const found = findOrder(checkout, orderId);
  if (found.kind === 'refused') return found;
  const { order, booked } = found;
  const known = order.disputes.get(observed.id);
  // An inquiry: no money has moved.
  if (observed.status === 'warning' && !known) return decided<CheckoutEvent>();
  if (order.state !== 'captured' && order.state !== 'succeeded') {
    const reason = orderEnds.has(order.state) ? 'not-captured' : 'too-early';
    return refused(reason, `order ${orderId} is ${order.state}, and is disputed`);
  }
  if (observed.amount.currency !== booked.currency) {
    return refused('wrong-currency', `dispute ${observed.id} is in ${observed.amount.currency}`);
  }
  const amount = known?.amount ?? observed.amount.amount;
  if (!known && amount > refundable(order)) {
    // A refund that is under way may come to nothing: the provider has the last word on what is left.
    const isOpen = [...order.refunds.values()].some(({ state }) => !refundEnds.has(state));
    const reason = isOpen ? 'too-early' : 'above-captured';
    return refused(reason, `dispute ${observed.id} is about more than what is left`);
  }
  const opening = known ? [] : [disputeOpened(found, observed, at)];
  const taken = known?.fromPending ?? BigInt(takeFrom(order, amount).pending);
  return decided(...opening, ...disputeEnd(found, observed, { known, amount, taken }, at));
}

function disputeOpened(
  { order, ids, booked }: FoundOrder,
  observed: Omit<PspDispute, 'psp' | 'paymentId'>,
  at: number,
): CheckoutEvent {
  const { id, amount, fee, reason, evidenceBy } = observed;
  return checkoutEvent('dispute-opened', [order.terms.payment_order_id, id], at, {
    ...{ ...ids, ...booked, ...takeFrom(order, amount.amount), dispute_id: id },
    ...{ amount: String(amount.amount), psp_fee: bookedFee(fee, booked.currency), reason },
    ...(evidenceBy === undefined ? {} : { evidence_by: evidenceBy }),
  });
}

function disputeEnd(
  { order, ids, booked }: FoundOrder,
  { id, status }: Pick<PspDispute, 'id' | 'status'>,
  of: { readonly known: Dispute | undefined; readonly amount: bigint; readonly taken: bigint },
  at: number,
): CheckoutEvent[] {
  const isEnded = of.known?.state === 'won' || of.known?.state === 'lost';
  if (isEnded || (status !== 'won' && status !== 'lost')) return [];
  const amount = String(of.amount);
  const key = [order.terms.payment_order_id, id];
  const data = { ...ids, ...booked, dispute_id: id, amount };
  if (status === 'lost') return [checkoutEvent('dispute-lost', key, at, data)];
  const back = giveBack(order, of.amount, of.taken);
  return [checkoutEvent('dispute-won', key, at, { ...data, ...back })];
}
