import type { CheckoutEvent } from '../events.ts';
import { isCurrency } from '../money.ts';
import { type Decided, decided, type Refused, refused } from '../outcome.ts';
import type { Seller } from '../seller-state.ts';
import type { Checkout } from '../state.ts';
import { checkoutEvent, findOrder } from './decide.ts';
import { type RequestPage, requestPage } from './payment-page.ts';

export const checkoutLimits = { ordersMax: 1_000, attemptsMax: 10 } as const;

export interface OpenCheckout {
  readonly checkoutId: string;
  readonly currency: string;
  readonly capture: 'automatic' | 'manual';
  readonly orders: readonly {
    readonly paymentOrderId: string;
    readonly sellerAccount: string;
    readonly amount: bigint;
    readonly description?: string;
  }[];
  readonly buyerInfo: { readonly [field: string]: string };
  /** The provider's token of the card; or else `page`, where the buyer gives one. */
  readonly method?: string;
  readonly page?: Omit<RequestPage, 'returnUrl'>;
  readonly returnUrl?: string;
  readonly at: number;
  readonly expiresAt: number;
}

export type OpenRefusal =
  | 'checkout-exists'
  | 'no-orders'
  | 'too-many-orders'
  | 'duplicate-order'
  | 'unknown-currency'
  | 'invalid-amount'
  | 'unknown-seller'
  | 'currency-not-sold';

/** Opens a checkout. Each order keeps the terms that its seller has now. */
export function openCheckout(
  existing: Checkout | undefined,
  sellers: ReadonlyMap<string, Seller>,
  command: OpenCheckout,
): Decided<CheckoutEvent> | Refused<OpenRefusal> {
  if (existing) return refused('checkout-exists', `checkout ${command.checkoutId} exists already`);
  const problem = problemOf(command) ?? problemOfSellers(sellers, command);
  if (problem) return problem;
  const { checkoutId, currency, capture, buyerInfo, method, page, returnUrl, at } = command;
  if ((method === undefined) === (page === undefined)) {
    throw new TypeError(`checkout ${checkoutId} needs a token, or a page that asks for one`);
  }
  if (page && returnUrl === undefined) throw new TypeError('a page has to lead back');
  return decided(
    checkoutEvent('checkout-opened', [], at, {
      checkout_id: checkoutId,
      ...{ currency, capture },
      ...(method === undefined ? {} : { method }),
      orders: command.orders.map((order) => orderTerms(sellers, currency, order)),
      expires_at: command.expiresAt,
      ...(returnUrl === undefined ? {} : { return_url: returnUrl }),
      buyer_info: { ...buyerInfo },
    }),
    ...(page && returnUrl !== undefined
      ? [requestPage({ checkoutId, currency }, { ...page, returnUrl }, at)]
      : []),
  );
}

function problemOf({ orders, currency }: OpenCheckout): Refused<OpenRefusal> | undefined {
  const { ordersMax } = checkoutLimits;
  if (orders.length === 0) return refused('no-orders', 'payment_orders must hold at least one');
  if (orders.length > ordersMax) {
    return refused('too-many-orders', `payment_orders may hold ${ordersMax} at most`);
  }
  if (!isCurrency(currency)) {
    return refused('unknown-currency', `${currency} is no ISO 4217 currency`);
  }
  const seen = new Set<string>();
  for (const { paymentOrderId, amount } of orders) {
    if (seen.has(paymentOrderId)) {
      return refused('duplicate-order', `payment_order_id ${paymentOrderId} is there twice`);
    }
    seen.add(paymentOrderId);
    if (amount <= 0n) return refused('invalid-amount', `${paymentOrderId}: it must be above zero`);
  }
  return undefined;
}

function problemOfSellers(
  sellers: ReadonlyMap<string, Seller>,
  { orders, currency }: OpenCheckout,
): Refused<OpenRefusal> | undefined {
  for (const { sellerAccount } of orders) {
    const seller = sellers.get(sellerAccount);
    if (!seller) return refused('unknown-seller', `there is no seller ${sellerAccount}`);
    if (!seller.terms.currencies.some((one) => one.currency === currency)) {
      return refused('currency-not-sold', `seller ${sellerAccount} does not sell in ${currency}`);
    }
  }
  return undefined;
}

function orderTerms(
  sellers: ReadonlyMap<string, Seller>,
  currency: string,
  order: OpenCheckout['orders'][number],
) {
  const { paymentOrderId, sellerAccount, amount, description } = order;
  const terms = sellers.get(sellerAccount)?.terms;
  const fees = terms?.currencies.find((one) => one.currency === currency);
  if (!terms || !fees) throw new TypeError(`seller ${sellerAccount} was checked`);
  return {
    payment_order_id: paymentOrderId,
    seller_account: sellerAccount,
    amount: String(amount),
    ...(description === undefined ? {} : { description }),
    fee_basis_points: fees.fee_basis_points,
    fee_fixed: fees.fee_fixed,
    reserve_basis_points: terms.reserve_basis_points,
    release_after_days: terms.release_after_days,
  };
}

export interface AssessRisk {
  readonly verdict: 'accepted' | 'review' | 'rejected';
  readonly rules: readonly string[];
  readonly at: number;
}

/** What the risk check says of an order, before money may move, and when its card is known. Said once. */
export function assessRisk(checkout: Checkout | undefined, orderId: string, command: AssessRisk) {
  const found = findOrder(checkout, orderId);
  if (found.kind === 'refused') return found;
  const { order, ids } = found;
  if (order.cleared || order.state !== 'not_started') return decided<CheckoutEvent>();
  if (found.checkout.page && found.checkout.page.state !== 'completed') {
    return refused('no-card-yet', `the buyer of ${orderId} has given no card yet`);
  }
  const { verdict, rules, at } = command;
  const data = { ...ids, verdict, rules: [...rules] };
  return decided(checkoutEvent('order-risk-assessed', [orderId], at, data));
}

export interface DecideReview {
  readonly verdict: 'approved' | 'rejected';
  readonly decidedBy: string;
  readonly at: number;
}

/** What a person says of an order that the risk check has put aside. */
export function decideReview(
  checkout: Checkout | undefined,
  orderId: string,
  { verdict, decidedBy, at }: DecideReview,
) {
  const found = findOrder(checkout, orderId);
  if (found.kind === 'refused') return found;
  const { order, ids } = found;
  if (order.review === verdict) return decided<CheckoutEvent>();
  if (order.state !== 'risk_review') {
    return refused('not-in-review', `order ${orderId} is ${order.state}, not in risk_review`);
  }
  const data = { ...ids, verdict, decided_by: decidedBy };
  return decided(checkoutEvent('order-review-decided', [orderId], at, data));
}
