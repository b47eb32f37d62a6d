import { defineProjection, type Row, type Rows, type Table } from '@annals/projection';
import {
  checkoutEvents,
  paymentsEvents,
  type RecordedPaymentsEvent,
  sellerEvents,
} from '../events.ts';
import { lastAttempt, type OrderFold } from '../order-state.ts';
import {
  evolveSeller,
  type Payout,
  type Seller,
  type SellerFact,
  sellerWith,
} from '../seller-state.ts';
import { type Checkout, evolve } from '../state.ts';
import { checkoutCategory, sellerCategory } from '../streams.ts';
import { checkoutStatus, type OrderState, refundEnds } from '../transitions.ts';
import { daysTo } from '../utc-days.ts';
import { forEveryType, type PaymentsHandler } from './every-type.ts';
import { foldText, readFold } from './fold-text.ts';

/**
 * How every checkout, order and payout stands: lists by seller, by state, and of what is due. Each row depends on one
 * stream, and is the fold that decisions are made on, so that the two cannot disagree. No personal data is in it.
 */

/**
 * What is known of a checkout but for its orders; `states` counts those by state. Here and below tables are ranked by a
 * day (since 1970), so that rows are counted by state without looking at each.
 */
const checkouts: Table = {
  name: 'checkouts',
  columns: {
    checkout_id: 'text',
    currency: 'text',
    status: 'text',
    opened_at: 'integer',
    opened_day: 'integer',
    updated_at: 'integer',
    states: 'text',
    fold: 'text',
  },
  key: ['checkout_id'],
  indexes: { status: ['status', 'opened_at', 'checkout_id'] },
  ranked: { group: ['status'], score: 'opened_day' },
};

/**
 * `due_at`: when something follows without anybody asking for it; null where nothing does. `refund_open_at`: the last
 * change of an order with a refund that has not come to an end.
 */
const orders: Table = {
  name: 'orders',
  columns: {
    checkout_id: 'text',
    payment_order_id: 'text',
    seller_account: 'text',
    currency: 'text',
    amount: 'text',
    state: 'text',
    psp: 'text',
    psp_payment_id: 'text',
    opened_at: 'integer',
    opened_day: 'integer',
    updated_at: 'integer',
    due_at: 'integer',
    refund_open_at: 'integer',
    fold: 'text',
  },
  key: ['checkout_id', 'payment_order_id'],
  indexes: {
    seller: ['seller_account', 'opened_at', 'checkout_id', 'payment_order_id'],
    state: ['state', 'updated_at', 'checkout_id', 'payment_order_id'],
    checkout: ['checkout_id', 'payment_order_id'],
    due: ['due_at'],
    refunds: ['refund_open_at'],
    psp: ['psp_payment_id', 'psp'],
  },
  ranked: { group: ['state'], score: 'opened_day' },
};

const payouts: Table = {
  name: 'payouts',
  columns: {
    seller_account: 'text',
    payout_id: 'text',
    currency: 'text',
    amount: 'text',
    state: 'text',
    psp: 'text',
    psp_payout_id: 'text',
    requested_at: 'integer',
    requested_day: 'integer',
    updated_at: 'integer',
  },
  key: ['seller_account', 'payout_id'],
  indexes: {
    seller: ['seller_account', 'requested_at', 'payout_id'],
    state: ['state', 'updated_at', 'seller_account', 'payout_id'],
  },
  ranked: { group: ['state'], score: 'requested_day' },
};

const sellers: Table = {
  name: 'sellers',
  columns: { seller_account: 'text', schedule: 'text', has_bank: 'integer', terms: 'text' },
  key: ['seller_account'],
  indexes: { schedule: ['schedule', 'seller_account'] },
};

type Head = Omit<Checkout, 'orders'>;

function idOf(stream: string): string {
  return stream.slice(stream.indexOf('-') + 1);
}

function ordersOf({ type, data }: RecordedPaymentsEvent): readonly string[] {
  if (type === 'checkout-opened') return data.orders.map((terms) => terms.payment_order_id);
  const { payment_order_id } = data as { readonly payment_order_id?: string };
  return payment_order_id === undefined ? [] : [payment_order_id];
}

function applyToCheckout(event: RecordedPaymentsEvent, rows: Rows): void {
  const id = idOf(event.stream);
  const before = rows.get('checkouts', [id]);
  const named = ordersOf(event);
  const held = named.map((order) => rows.get('orders', [id, order]));
  const folded = held.flatMap((row) => (row ? [readFold<OrderFold>(row.fold as string)] : []));
  const head = before && readFold<Head>(before.fold as string);
  const state = head && {
    ...head,
    orders: new Map(folded.map((order) => [order.terms.payment_order_id, order])),
  };
  const after = evolve(state, event as Parameters<typeof evolve>[1]);
  if (!after) return;
  const opened_at = before ? (before.opened_at as number) : event.occurredAt;
  const states = new Map<OrderState, number>(
    before ? (Object.entries(JSON.parse(before.states as string)) as [OrderState, number][]) : [],
  );
  for (const order of folded) states.set(order.state, (states.get(order.state) ?? 1) - 1);
  for (const order of after.orders.values()) {
    states.set(order.state, (states.get(order.state) ?? 0) + 1);
    rows.put('orders', orderRow(after, order, opened_at, event.occurredAt));
  }
  const { orders: _, ...rest } = after;
  const counts = [...states].filter(([, count]) => count > 0).sort();
  rows.put('checkouts', {
    checkout_id: id,
    currency: after.currency,
    // Each state once: the status of a checkout asks only which states there are, and whether all are the same.
    status: statusOf(counts),
    opened_at,
    opened_day: daysTo(opened_at),
    updated_at: event.occurredAt,
    states: JSON.stringify(Object.fromEntries(counts)),
    fold: foldText(rest),
  });
}

function statusOf(counts: readonly (readonly [OrderState, number])[]): string {
  return checkoutStatus(counts.map(([state]) => state));
}

function orderRow(
  checkout: Checkout,
  order: OrderFold,
  opened_at: number,
  updated_at: number,
): Row {
  const { payment_order_id, seller_account, amount } = order.terms;
  const attempt = lastAttempt(order);
  return {
    checkout_id: checkout.id,
    payment_order_id,
    seller_account,
    currency: checkout.currency,
    amount,
    state: order.state,
    psp: attempt?.psp ?? null,
    psp_payment_id: attempt?.paymentId ?? null,
    opened_at,
    opened_day: daysTo(opened_at),
    updated_at,
    due_at: dueAt(checkout, order) ?? null,
    refund_open_at: hasOpenRefund(order) ? updated_at : null,
    fold: foldText(order),
  };
}

/** A release where it is paid, an expiry where it is not. */
function dueAt({ expiresAt }: Pick<Checkout, 'expiresAt'>, order: OrderFold): number | undefined {
  if (order.state === 'captured') return order.releaseAt;
  const isEnded = ['succeeded', 'failed', 'canceled', 'expired'].includes(order.state);
  if (isEnded) return undefined;
  // One that its provider does not let go is tried again later, and not for ever.
  const last = lastAttempt(order)?.refused;
  return last?.call === 'void' && last.as === 'expired' ? last.againAt : expiresAt;
}

function hasOpenRefund({ refunds }: OrderFold): boolean {
  return [...refunds.values()].some(({ state }) => !refundEnds.has(state));
}

function applyToSeller(event: RecordedPaymentsEvent, rows: Rows): void {
  const account = idOf(event.stream);
  const row = rows.get('sellers', [account]);
  const { payout_id } = event.data as { readonly payout_id?: string };
  const payout = payout_id === undefined ? undefined : rows.get('payouts', [account, payout_id]);
  const after = evolveSeller(sellerOf(account, row, payout), event as SellerFact);
  if (!after) return;
  rows.put('sellers', {
    seller_account: account,
    schedule: after.terms.payout_schedule,
    has_bank: after.hasBank ? 1 : 0,
    terms: JSON.stringify(after.terms),
  });
  const changed = payout_id === undefined ? undefined : after.payouts.get(payout_id);
  if (!changed) return;
  const requested_at = payout ? (payout.requested_at as number) : event.occurredAt;
  rows.put('payouts', {
    seller_account: account,
    payout_id: changed.id,
    currency: changed.currency,
    amount: String(changed.amount),
    state: changed.state,
    psp: changed.psp,
    psp_payout_id: changed.pspPayoutId ?? null,
    requested_at,
    requested_day: daysTo(requested_at),
    updated_at: event.occurredAt,
  });
}

/** The seller with the one payout that the event is about. */
function sellerOf(
  account: string,
  row: Row | undefined,
  payout: Row | undefined,
): Seller | undefined {
  if (!row) return undefined;
  const terms = JSON.parse(row.terms as string) as Seller['terms'];
  const id = payout?.payout_id as string;
  const known = payout && {
    id,
    amount: BigInt(payout.amount as string),
    currency: payout.currency as string,
    psp: payout.psp as string,
    pspPayoutId: (payout.psp_payout_id as string | null) ?? undefined,
    state: payout.state as Payout['state'],
  };
  // What is told of no row here only decisions ask for.
  return sellerWith({
    ...{ account, terms, hasBank: row.has_bank === 1 },
    payouts: known ? [known] : [],
  });
}

const checkoutTypes: ReadonlySet<string> = new Set(checkoutEvents.names);
const sellerTypes: ReadonlySet<string> = new Set(sellerEvents.names);

const ofSeller: PaymentsHandler = {
  touches: ({ stream, data }) => {
    const account = idOf(stream);
    const { payout_id } = data as { readonly payout_id?: string };
    const seller = { table: 'sellers', key: [account] };
    if (payout_id === undefined) return [seller];
    return [seller, { table: 'payouts', key: [account, payout_id] }];
  },
  apply: applyToSeller,
};

const ofCheckout: PaymentsHandler = {
  touches: (event) => {
    const id = idOf(event.stream);
    const named = ordersOf(event).map((order) => ({ table: 'orders', key: [id, order] }));
    return [{ table: 'checkouts', key: [id] }, ...named];
  },
  apply: applyToCheckout,
};

export const paymentsProjection = defineProjection({
  name: 'payments',
  version: 4,
  categories: [checkoutCategory, sellerCategory],
  tables: [checkouts, orders, payouts, sellers],
  split: 'stream',
  onFailure: 'park',
  types: paymentsEvents,
  handlers: forEveryType((name) => {
    if (sellerTypes.has(name)) return ofSeller;
    return checkoutTypes.has(name) ? ofCheckout : 'ignored';
  }),
});
