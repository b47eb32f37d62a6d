import {
  type Checkout,
  checkoutStates,
  checkoutStatus,
  disputeStates,
  type ListedOrder,
  lastAttempt,
  type OrderFold,
  orderStates,
  pageStates,
  refundable,
  refundStates,
} from '@annals/payments';
import { z } from 'zod';
import { asOf, positionInAnswer } from './fields.ts';

/** What is answered of payments, as zod schemas: the OpenAPI document shows these. Amounts are minor units. */

const amount = z.string().describe('Minor units.');

const nextAction = z
  .strictObject({
    type: z.literal('redirect'),
    url: z.string().describe("The provider's page: send the buyer's browser there."),
    return_url: z.string().nullable().describe('Where that page leads back to.'),
  })
  .nullable()
  .describe('What the buyer has to do; null where there is nothing.');

const refundAnswer = z.strictObject({
  refund_id: z.string(),
  amount,
  state: z.enum(refundStates),
});

const disputeAnswer = z.strictObject({
  dispute_id: z.string(),
  amount,
  state: z.enum(disputeStates),
});

const orderMembers = {
  payment_order_id: z.string(),
  seller_account: z.string(),
  amount,
  currency: z.string(),
  description: z.string().nullable(),
  state: z.enum(orderStates),
  next_action: nextAction,
  failure: z
    .strictObject({ reason: z.string(), code: z.string().nullable() })
    .nullable()
    .describe("Why it came to nothing; `code` is the provider's own word."),
  refused: z
    .strictObject({ call: z.enum(['capture', 'void']), reason: z.string(), detail: z.string() })
    .nullable()
    .describe(
      'What the provider surely did not do, while nothing was asked for since: a capture or a cancel may be asked for ' +
        "again. `detail` is the provider's own sentence.",
    ),
  authorized: amount.describe('Held on the card and not captured.'),
  captured: amount,
  refundable: amount.describe('Captured, less what is refunded or disputed.'),
  release_at: z.string().nullable().describe('When it is released without a delivery.'),
  refunds: z.array(refundAnswer),
  disputes: z.array(disputeAnswer),
};

export const orderAnswer = z.strictObject({
  checkout_id: z.string(),
  ...orderMembers,
  as_of: asOf,
});

export const listedOrderAnswer = z.strictObject({
  checkout_id: z.string(),
  ...orderMembers,
  opened_at: z.string(),
  updated_at: z.string(),
});

/** Without its refunds and disputes, which may be many: it has to be small enough to be kept. */
export const changedOrderAnswer = z.strictObject({
  checkout_id: z.string(),
  payment_order_id: z.string(),
  state: z.enum(orderStates),
  currency: z.string(),
  amount,
  authorized: amount,
  captured: amount,
  refundable: amount,
  position: positionInAnswer,
});

const paymentMembers = {
  checkout_id: z.string(),
  status: z.enum(checkoutStates),
  currency: z.string(),
  amount: amount.describe('Of all its orders.'),
  capture: z.enum(['automatic', 'manual']),
  expires_at: z.string(),
  next_action: nextAction,
  payment_page: z
    .strictObject({
      page_id: z.string().nullable().describe("The provider's id of it, once there is one."),
      state: z.enum(pageStates),
      expires_at: z.string(),
    })
    .nullable()
    .describe('The page where the buyer gives a card; null where the payment came with one.'),
};

export const paymentAnswer = z.strictObject({
  ...paymentMembers,
  payment_orders: z.array(z.strictObject(orderMembers)),
  as_of: asOf,
});

/** Without the details of its orders: with a thousand of them it still has to be small enough to be kept. */
export const openedAnswer = z.strictObject({
  ...paymentMembers,
  payment_orders: z.array(
    z.strictObject({ payment_order_id: z.string(), state: z.enum(orderStates) }),
  ),
  position: positionInAnswer,
});

type NextAction = z.output<typeof nextAction>;

export function shownPayment(checkout: Checkout) {
  const orders = [...checkout.orders.values()];
  return {
    ...paymentHead(checkout),
    payment_orders: orders.map((order) => shownOrderMembers(checkout, order)),
  };
}

export function shownOpened(checkout: Checkout) {
  return {
    ...paymentHead(checkout),
    payment_orders: [...checkout.orders].map(([payment_order_id, { state }]) => {
      return { payment_order_id, state };
    }),
  };
}

export function shownOrder(checkout: Checkout, order: OrderFold) {
  return { checkout_id: checkout.id, ...shownOrderMembers(checkout, order) };
}

function paymentHead(checkout: Checkout) {
  const { id, currency, capture, expiresAt } = checkout;
  const orders = [...checkout.orders.values()];
  const sum = orders.reduce((total, { terms }) => total + BigInt(terms.amount), 0n);
  const actions = orders.map((order) => orderAction(checkout, order));
  return {
    checkout_id: id,
    status: checkoutStatus(orders.map(({ state }) => state)),
    currency,
    amount: String(sum),
    capture,
    expires_at: isoTime(expiresAt),
    next_action:
      authenticationAction(checkout) ??
      pageAction(checkout) ??
      actions.find((action) => action) ??
      null,
    payment_page: shownPage(checkout),
  };
}

/** The order after a write, without what may be long. */
export function shownChange(checkout: Checkout, order: OrderFold) {
  const {
    checkout_id,
    payment_order_id,
    state,
    currency,
    amount,
    authorized,
    captured,
    refundable,
  } = shownOrder(checkout, order);
  return {
    checkout_id,
    payment_order_id,
    state,
    currency,
    amount,
    authorized,
    captured,
    refundable,
  };
}

export function listedOrder({ checkoutId, order, currency, openedAt, updatedAt }: ListedOrder) {
  return {
    checkout_id: checkoutId,
    ...shownOrderMembers({ currency, returnUrl: undefined }, order),
    opened_at: isoTime(openedAt),
    updated_at: isoTime(updatedAt),
  };
}

type Around = Pick<Checkout, 'currency' | 'returnUrl'>;

function shownOrderMembers(checkout: Around, order: OrderFold) {
  const { terms, state, captured, releaseAt } = order;
  const { payment_order_id, seller_account, description = null } = terms;
  return {
    ...{ payment_order_id, seller_account, amount: terms.amount, currency: checkout.currency },
    ...{ description, state, next_action: orderAction(checkout, order), failure: failure(order) },
    refused: refusal(order),
    authorized: String(lastAttempt(order)?.authorized ?? 0n),
    captured: String(captured),
    refundable: String(refundable(order)),
    release_at: releaseAt === undefined ? null : isoTime(releaseAt),
    refunds: [...order.refunds.values()].map((refund) => {
      return { refund_id: refund.id, amount: String(refund.amount), state: refund.state };
    }),
    disputes: [...order.disputes.values()].map((dispute) => {
      return { dispute_id: dispute.id, amount: String(dispute.amount), state: dispute.state };
    }),
  };
}

/** One authentication serves all orders of a checkout. */
function authenticationAction({ authentication, returnUrl }: Checkout): NextAction {
  if (authentication.state !== 'requires_action') return null;
  return redirect(authentication.actionUrl, returnUrl);
}

/** The buyer goes there while an order waits for a card. */
function pageAction({ page, orders, returnUrl }: Checkout): NextAction {
  if (page?.state !== 'opened' || page.closing !== undefined || !page.url) return null;
  const waits = [...orders.values()].some(({ state }) => state === 'not_started');
  return waits ? redirect(page.url, returnUrl) : null;
}

function shownPage({ page }: Checkout) {
  if (!page) return null;
  return { page_id: page.id ?? null, state: page.state, expires_at: isoTime(page.expiresAt) };
}

function orderAction({ returnUrl }: Around, order: OrderFold): NextAction {
  const url = order.state === 'requires_action' ? lastAttempt(order)?.actionUrl : undefined;
  return url === undefined ? null : redirect(url, returnUrl);
}

function redirect(url: string, returnUrl: string | undefined) {
  return { type: 'redirect', url, return_url: returnUrl ?? null } as const;
}

function failure(order: OrderFold) {
  if (order.state !== 'failed') return null;
  const declined = lastAttempt(order)?.declined;
  return { reason: declined?.reason ?? order.ended ?? 'refused', code: declined?.code ?? null };
}

function refusal(order: OrderFold) {
  const { refused: last, capturing, voiding } = lastAttempt(order) ?? {};
  const isAskedAgain = capturing !== undefined || voiding !== undefined;
  return last && !isAskedAgain
    ? { call: last.call, reason: last.reason, detail: last.detail }
    : null;
}

/** Whether every order has come to something that the buyer or the shop can go on with. */
export function isSettled({ orders, authentication, page }: Checkout): boolean {
  if (authentication.state === 'requires_action' || page?.state === 'opened') return true;
  return [...orders.values()].every(({ state }) => !underWay.has(state));
}

const underWay: ReadonlySet<string> = new Set([
  'not_started',
  'risk_review',
  'executing',
  'unknown',
]);

export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
