import type { Cell, Row } from '@annals/projection';
import type { CassandraReads } from '@annals/store-cassandra';
import type { Checkout } from '../state.ts';
import { checkoutStates, orderStates, payoutStates } from '../transitions.ts';
import { answerFrom, type LiveCassandraGeneration, loaded, rowsOf } from './live-cassandra.ts';
import {
  checkoutFrom,
  type FoldRow,
  type ListedOrder,
  listedOrder,
  listedPayout,
  listedSeller,
  type OrderPlace,
  type OrderRow,
  type OrdersPage,
  ordersPageOf,
  type PaymentsReadModel,
  type PayoutRow,
  payoutsPageOf,
  type SellerRow,
} from './payments.ts';

/** Lists of orders and payouts in Cassandra: each is an order of its table, counted without being read. */
export function cassandraPaymentsReadModel(live: LiveCassandraGeneration): PaymentsReadModel {
  return {
    checkout: (id, only) =>
      answerFrom(live, async (reads) => ({ checkout: await checkoutOf(reads, id, only) })),
    sellers: (accounts) =>
      answerFrom(live, async (reads) => {
        const keys = accounts.map((account) => ({ table: 'sellers', key: [account] }));
        const rows = keys.length === 0 ? [] : await reads.load(keys);
        const sellers = accounts.flatMap((account, n) => {
          const row = rows[n] as unknown as SellerRow | undefined;
          return row ? [[account, listedSeller(row)] as const] : [];
        });
        return { sellers: new Map(sellers) };
      }),
    ordersOfSeller: ({ seller, ...page }) =>
      answerFrom(live, (reads) => ordersPage(reads, { ...lists.seller, group: [seller] }, page)),
    ordersInState: ({ state, ...page }) =>
      answerFrom(live, (reads) => ordersPage(reads, { ...lists.state, group: [state] }, page)),
    dueOrders: ({ before, ...page }) =>
      answerFrom(live, (reads) => ordersPage(reads, { ...lists.due, group: [], before }, page)),
    openRefunds: ({ before, ...page }) =>
      answerFrom(live, (reads) => ordersPage(reads, { ...lists.refunds, group: [], before }, page)),
    orderOfPayment: (psp, paymentId) =>
      answerFrom(live, async (reads) => {
        const range = { from: [psp], limit: 1 };
        const places = await reads.order('orders', 'psp', [paymentId]).forward(range);
        const [row] = await ordersAt(
          reads,
          places.filter((place) => place.psp === psp),
        );
        return { order: row };
      }),
    payoutsOfSeller: ({ seller, after, limit }) =>
      answerFrom(live, (reads) => {
        const start = after ? { after: [after.at, after.payoutId] } : {};
        return payouts(reads, 'seller', seller, { ...start, limit });
      }),
    payoutsInState: ({ state, after, limit }) =>
      answerFrom(live, async (reads) => {
        const start = after ? { after: [after.at, after.seller, after.payoutId] } : {};
        const found = await payouts(reads, 'state', state, { ...start, limit: limit + 1 });
        return payoutsPageOf(found.payouts, limit);
      }),
    sellersOnSchedule: ({ schedule, after, limit }) =>
      answerFrom(live, async (reads) => {
        const start = after === undefined ? {} : { after: [after] };
        const order = reads.order('sellers', 'schedule', [schedule]);
        const rows = await order.forward({ ...start, limit });
        return { sellers: rows.map((row) => row.seller_account as string) };
      }),
    counts: () =>
      answerFrom(live, async (reads) => {
        const [checkouts, orders, payouts] = await Promise.all([
          counted(reads, 'checkouts', checkoutStates),
          counted(reads, 'orders', orderStates),
          counted(reads, 'payouts', payoutStates),
        ]);
        return { checkouts, orders, payouts };
      }),
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

const orderKey = ['checkout_id', 'payment_order_id'] as const;

async function checkoutOf(
  reads: CassandraReads,
  id: string,
  only?: string,
): Promise<Checkout | undefined> {
  const places: Row[] = [];
  if (only !== undefined) places.push({ checkout_id: id, payment_order_id: only });
  else {
    const order = reads.order('orders', 'checkout', [id]);
    for await (const place of rowsOf(order, ['payment_order_id'])) places.push(place);
  }
  const [[head], orders] = await Promise.all([
    reads.load([{ table: 'checkouts', key: [id] }]),
    loaded(reads, 'orders', orderKey, places),
  ]);
  if (!head) return undefined;
  return checkoutFrom(head as unknown as FoldRow, orders as unknown as readonly FoldRow[]);
}

/** The indexes that are lists of orders, and the time that each is sorted by. */
const lists = {
  seller: { index: 'seller', sortedBy: 'openedAt', time: 'opened_at' },
  state: { index: 'state', sortedBy: 'updatedAt', time: 'updated_at' },
  due: { index: 'due', sortedBy: 'dueAt', time: 'due_at' },
  refunds: { index: 'refunds', sortedBy: 'updatedAt', time: 'refund_open_at' },
} as const;

type List = (typeof lists)[keyof typeof lists] & {
  readonly group: readonly Cell[];
  readonly before?: number;
};

async function ordersPage(
  reads: CassandraReads,
  { index, sortedBy, time, group, before = Number.POSITIVE_INFINITY }: List,
  { after, limit }: { readonly after?: OrderPlace; readonly limit: number },
): Promise<OrdersPage> {
  const start = after ? { after: [after.at, after.checkoutId, after.orderId] } : {};
  const sorted = [time, 'checkout_id', 'payment_order_id'];
  const orders: ListedOrder[] = [];
  let places: Row[] = [];
  const order = reads.order('orders', index, group);
  for await (const place of rowsOf(order, sorted, start, limit + 1)) {
    if ((place[time] as number) >= before) break;
    places.push(place);
    if (orders.length + places.length <= limit) continue;
    orders.push(...(await ordersAt(reads, places)));
    places = [];
    if (orders.length > limit) break;
  }
  orders.push(...(await ordersAt(reads, places)));
  return ordersPageOf(orders, limit, sortedBy);
}

async function ordersAt(
  reads: CassandraReads,
  places: readonly Row[],
): Promise<readonly ListedOrder[]> {
  const rows = await loaded(reads, 'orders', orderKey, places);
  return (rows as unknown as readonly OrderRow[]).map(listedOrder);
}

async function payouts(
  reads: CassandraReads,
  index: 'seller' | 'state',
  of: string,
  range: { readonly after?: readonly Cell[]; readonly limit: number },
) {
  const places = await reads.order('payouts', index, [of]).forward(range);
  const rows = await loaded(reads, 'payouts', ['seller_account', 'payout_id'], places);
  return { payouts: (rows as unknown as readonly PayoutRow[]).map(listedPayout) };
}

async function counted(
  reads: CassandraReads,
  table: string,
  states: readonly string[],
): Promise<{ readonly [state: string]: number }> {
  const counts = await Promise.all(
    states.map(async (state) => {
      const { total } = await reads.ranks(table, [state]).counts([]);
      return [state, total] as const;
    }),
  );
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}
