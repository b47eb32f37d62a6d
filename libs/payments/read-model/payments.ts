import type { ReadTransaction } from '@annals/store-sqlite';
import type { OrderFold } from '../order-state.ts';
import { readFold } from '../projections/fold-text.ts';
import type { SellerTerms } from '../seller-state.ts';
import type { Checkout } from '../state.ts';
import {
  type CheckoutStatus,
  checkoutStates,
  type OrderState,
  orderStates,
  type PayoutState,
  payoutStates,
} from '../transitions.ts';
import { type Answer, answer, type Followed, type LiveGeneration } from './live.ts';

/** Lists of checkouts, orders and payouts. Times are milliseconds since 1970. */
export interface PaymentsReadModel extends Followed {
  /** A checkout with all of its orders, or with `only` one of them; undefined where it has not been seen. */
  checkout(id: string, only?: string): Promise<Answer<{ readonly checkout: Checkout | undefined }>>;
  /** Those of these sellers that have been seen. */
  sellers(
    accounts: readonly string[],
  ): Promise<Answer<{ readonly sellers: ReadonlyMap<string, ListedSeller> }>>;
  /** Orders of a seller, the oldest first. */
  ordersOfSeller(query: {
    readonly seller: string;
    readonly after?: OrderPlace;
    readonly limit: number;
  }): Promise<Answer<OrdersPage>>;
  /** Orders in a state (a review queue, what is in doubt), the longest unchanged first. */
  ordersInState(query: {
    readonly state: OrderState;
    readonly after?: OrderPlace;
    readonly limit: number;
  }): Promise<Answer<OrdersPage>>;
  /** Orders with something due before a time: a release or an expiry. The longest due first. */
  dueOrders(query: {
    readonly before: number;
    readonly after?: OrderPlace;
    readonly limit: number;
  }): Promise<Answer<OrdersPage>>;
  /** Orders with a refund that has not come to an end and that have not changed since a time, the longest first. */
  openRefunds(query: {
    readonly before: number;
    readonly after?: OrderPlace;
    readonly limit: number;
  }): Promise<Answer<OrdersPage>>;
  /** The order that a provider's payment belongs to. */
  orderOfPayment(
    psp: string,
    paymentId: string,
  ): Promise<Answer<{ readonly order: ListedOrder | undefined }>>;
  payoutsOfSeller(query: {
    readonly seller: string;
    readonly after?: { readonly at: number; readonly payoutId: string };
    readonly limit: number;
  }): Promise<Answer<{ readonly payouts: readonly ListedPayout[] }>>;
  /** Payouts in a state, the longest unchanged first. */
  payoutsInState(query: {
    readonly state: PayoutState;
    readonly after?: PayoutPlace;
    readonly limit: number;
  }): Promise<Answer<PayoutsPage>>;
  /** Sellers that are paid by a schedule, by name. */
  sellersOnSchedule(query: {
    readonly schedule: 'daily' | 'weekly' | 'monthly';
    readonly after?: string;
    readonly limit: number;
  }): Promise<Answer<{ readonly sellers: readonly string[] }>>;
  /** How many there are of each: what was accepted is done, in progress, or waits. */
  counts(): Promise<Answer<Counts>>;
}

export interface ListedSeller {
  readonly terms: SellerTerms;
  readonly hasBank: boolean;
}

/** Where a page ended: the time that the list is sorted by, and the order. */
export interface OrderPlace {
  readonly at: number;
  readonly checkoutId: string;
  readonly orderId: string;
}

export interface ListedOrder {
  readonly checkoutId: string;
  readonly orderId: string;
  readonly currency: string;
  readonly state: OrderState;
  readonly openedAt: number;
  readonly updatedAt: number;
  readonly dueAt: number | undefined;
  readonly order: OrderFold;
}

export interface OrdersPage {
  readonly orders: readonly ListedOrder[];
  /** Undefined at the end. */
  readonly next: OrderPlace | undefined;
}

export interface ListedPayout {
  readonly seller: string;
  readonly payoutId: string;
  readonly currency: string;
  readonly amount: bigint;
  readonly state: PayoutState;
  readonly psp: string;
  readonly pspPayoutId: string | undefined;
  readonly requestedAt: number;
  readonly updatedAt: number;
}

/** Where a page of payouts in a state ended. */
export interface PayoutPlace {
  readonly at: number;
  readonly seller: string;
  readonly payoutId: string;
}

export interface PayoutsPage {
  readonly payouts: readonly ListedPayout[];
  /** Undefined at the end. */
  readonly next: PayoutPlace | undefined;
}

export interface Counts {
  readonly checkouts: { readonly [status in CheckoutStatus]?: number };
  readonly orders: { readonly [state in OrderState]?: number };
  readonly payouts: { readonly [state in PayoutState]?: number };
}

export function sqlitePaymentsReadModel(live: LiveGeneration): PaymentsReadModel {
  return {
    checkout: async (id, only) =>
      answer(live, (reads) => ({ checkout: checkoutOf(reads, id, only) })),
    sellers: async (accounts) =>
      answer(live, (reads) => ({ sellers: sellersNamed(reads, accounts) })),
    ordersOfSeller: async ({ seller, ...page }) =>
      answer(live, (reads) => ordersPage(reads, paymentsSql.ofSeller, seller, page, 'openedAt')),
    ordersInState: async ({ state, ...page }) =>
      answer(live, (reads) => ordersPage(reads, paymentsSql.inState, state, page, 'updatedAt')),
    dueOrders: async ({ before, ...page }) =>
      answer(live, (reads) => ordersPage(reads, paymentsSql.due, before, page, 'dueAt')),
    openRefunds: async ({ before, ...page }) =>
      answer(live, (reads) => ordersPage(reads, paymentsSql.refunds, before, page, 'updatedAt')),
    orderOfPayment: async (psp, paymentId) =>
      answer(live, (reads) => ({
        order: reads.all<OrderRow>(paymentsSql.ofPayment, psp, paymentId).map(listedOrder)[0],
      })),
    payoutsOfSeller: async ({ seller, after, limit }) =>
      answer(live, (reads) => {
        const { at = Number.MIN_SAFE_INTEGER, payoutId = '' } = after ?? {};
        const rows = reads.all<PayoutRow>(paymentsSql.payouts, seller, at, payoutId, limit);
        return { payouts: rows.map(listedPayout) };
      }),
    payoutsInState: async ({ state, after, limit }) =>
      answer(live, (reads) => {
        const { at = Number.MIN_SAFE_INTEGER, seller = '', payoutId = '' } = after ?? {};
        const place = [at, seller, payoutId];
        const rows = reads.all<PayoutRow>(paymentsSql.payoutsInState, state, ...place, limit + 1);
        return payoutsPageOf(rows.map(listedPayout), limit);
      }),
    sellersOnSchedule: async ({ schedule, after = '', limit }) =>
      answer(live, (reads) => ({
        sellers: reads
          .all<{ seller_account: string }>(paymentsSql.onSchedule, schedule, after, limit)
          .map((row) => row.seller_account),
      })),
    counts: async () =>
      answer(live, (reads) => ({
        checkouts: counted(reads, 'checkouts', checkoutStates),
        orders: counted(reads, 'orders', orderStates),
        payouts: counted(reads, 'payouts', payoutStates),
      })),
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

const orderColumns =
  'checkout_id, payment_order_id, currency, state, opened_at, updated_at, due_at, fold';
const payoutColumns =
  'seller_account, payout_id, currency, amount, state, psp, psp_payout_id, requested_at, updated_at';

/** Every query of this read model. */
export const paymentsSql = {
  checkout: 'SELECT fold FROM checkouts WHERE checkout_id = ?',
  orders: 'SELECT fold FROM orders WHERE checkout_id = ?',
  order: 'SELECT fold FROM orders WHERE checkout_id = ? AND payment_order_id = ?',
  ofSeller: `SELECT ${orderColumns} FROM orders WHERE seller_account = ?
    AND (opened_at, checkout_id, payment_order_id) > (?, ?, ?)
    ORDER BY opened_at, checkout_id, payment_order_id LIMIT ? + 0`,
  inState: `SELECT ${orderColumns} FROM orders WHERE state = ?
    AND (updated_at, checkout_id, payment_order_id) > (?, ?, ?)
    ORDER BY updated_at, checkout_id, payment_order_id LIMIT ? + 0`,
  due: `SELECT ${orderColumns} FROM orders WHERE due_at < ?
    AND (due_at, checkout_id, payment_order_id) > (?, ?, ?)
    ORDER BY due_at, checkout_id, payment_order_id LIMIT ? + 0`,
  refunds: `SELECT ${orderColumns} FROM orders WHERE refund_open_at < ?
    AND (refund_open_at, checkout_id, payment_order_id) > (?, ?, ?)
    ORDER BY refund_open_at, checkout_id, payment_order_id LIMIT ? + 0`,
  ofPayment: `SELECT ${orderColumns} FROM orders WHERE psp = ? AND psp_payment_id = ? LIMIT 1`,
  payouts: `SELECT ${payoutColumns} FROM payouts WHERE seller_account = ?
    AND (requested_at, payout_id) > (?, ?) ORDER BY requested_at, payout_id LIMIT ? + 0`,
  payoutsInState: `SELECT ${payoutColumns} FROM payouts WHERE state = ?
    AND (updated_at, seller_account, payout_id) > (?, ?, ?)
    ORDER BY updated_at, seller_account, payout_id LIMIT ? + 0`,
  seller: 'SELECT has_bank, terms FROM sellers WHERE seller_account = ?',
  onSchedule: `SELECT seller_account FROM sellers WHERE schedule = ? AND seller_account > ?
    ORDER BY seller_account LIMIT ? + 0`,
} as const;

export interface OrderRow {
  readonly checkout_id: string;
  readonly payment_order_id: string;
  readonly currency: string;
  readonly state: OrderState;
  readonly opened_at: number;
  readonly updated_at: number;
  readonly due_at: number | null;
  readonly fold: string;
}

export interface PayoutRow {
  readonly seller_account: string;
  readonly payout_id: string;
  readonly currency: string;
  readonly amount: string;
  readonly state: PayoutState;
  readonly psp: string;
  readonly psp_payout_id: string | null;
  readonly requested_at: number;
  readonly updated_at: number;
}

export interface SellerRow {
  readonly has_bank: number;
  readonly terms: string;
}

export interface FoldRow {
  readonly fold: string;
}

function checkoutOf(reads: ReadTransaction, id: string, only?: string): Checkout | undefined {
  const head = reads.get<FoldRow>(paymentsSql.checkout, id);
  if (!head) return undefined;
  const rows =
    only === undefined
      ? reads.all<FoldRow>(paymentsSql.orders, id)
      : reads.all<FoldRow>(paymentsSql.order, id, only);
  return checkoutFrom(head, rows);
}

export function checkoutFrom(head: FoldRow, rows: readonly FoldRow[]): Checkout {
  const orders = rows.map((row) => readFold<OrderFold>(row.fold));
  return {
    ...readFold<Omit<Checkout, 'orders'>>(head.fold),
    orders: new Map(orders.map((order) => [order.terms.payment_order_id, order])),
  };
}

function sellersNamed(
  reads: ReadTransaction,
  accounts: readonly string[],
): ReadonlyMap<string, ListedSeller> {
  const sellers = new Map<string, ListedSeller>();
  for (const account of accounts) {
    const row = reads.get<SellerRow>(paymentsSql.seller, account);
    if (row) sellers.set(account, listedSeller(row));
  }
  return sellers;
}

export function listedSeller({ terms, has_bank }: SellerRow): ListedSeller {
  return { terms: JSON.parse(terms), hasBank: has_bank === 1 };
}

function ordersPage(
  reads: ReadTransaction,
  sql: string,
  of: string | number,
  { after, limit }: { readonly after?: OrderPlace; readonly limit: number },
  sortedBy: 'openedAt' | 'updatedAt' | 'dueAt',
): OrdersPage {
  const { at = Number.MIN_SAFE_INTEGER, checkoutId = '', orderId = '' } = after ?? {};
  const rows = reads.all<OrderRow>(sql, of, at, checkoutId, orderId, limit + 1);
  return ordersPageOf(rows.map(listedOrder), limit, sortedBy);
}

/** A page of what was found; one more than its limit says that there is another one. */
export function ordersPageOf(
  found: readonly ListedOrder[],
  limit: number,
  sortedBy: 'openedAt' | 'updatedAt' | 'dueAt',
): OrdersPage {
  const orders = found.slice(0, limit);
  const last = orders.at(-1);
  if (found.length <= limit || !last) return { orders, next: undefined };
  const next = { at: last[sortedBy] ?? 0, checkoutId: last.checkoutId, orderId: last.orderId };
  return { orders, next };
}

/** As `ordersPageOf`, of payouts. */
export function payoutsPageOf(found: readonly ListedPayout[], limit: number): PayoutsPage {
  const payouts = found.slice(0, limit);
  const last = payouts.at(-1);
  if (found.length <= limit || !last) return { payouts, next: undefined };
  const { updatedAt: at, seller, payoutId } = last;
  return { payouts, next: { at, seller, payoutId } };
}

export function listedOrder(row: OrderRow): ListedOrder {
  return {
    checkoutId: row.checkout_id,
    orderId: row.payment_order_id,
    currency: row.currency,
    state: row.state,
    openedAt: row.opened_at,
    updatedAt: row.updated_at,
    dueAt: row.due_at ?? undefined,
    order: readFold<OrderFold>(row.fold),
  };
}

export function listedPayout(row: PayoutRow): ListedPayout {
  return {
    seller: row.seller_account,
    payoutId: row.payout_id,
    currency: row.currency,
    amount: BigInt(row.amount),
    state: row.state,
    psp: row.psp,
    pspPayoutId: row.psp_payout_id ?? undefined,
    requestedAt: row.requested_at,
    updatedAt: row.updated_at,
  };
}

function counted(
  reads: ReadTransaction,
  table: string,
  states: readonly string[],
): { readonly [state: string]: number } {
  const counts = states.map((state) => [state, reads.ranked(table, [state]).total()] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}
