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
} from '@annals/payments';
import type { Cell, Row } from '@annals/projection';
import { inOrder, type TwinReads } from './twin-reads.ts';

type OrderOfTable = OrderRow & {
  readonly seller_account: string;
  readonly psp: string | null;
  readonly psp_payment_id: string | null;
  readonly refund_open_at: number | null;
};

interface ScheduledSeller extends SellerRow {
  readonly seller_account: string;
  readonly schedule: string;
}

/** Lists of checkouts, orders and payouts over the store twin: tables are read whole, and sorted. */
export function twinPayments(reads: TwinReads): PaymentsReadModel {
  return {
    ...twinOrders(reads),
    ...twinPayouts(reads),
    sellers: (accounts) =>
      reads.answer(async (rows) => {
        const known = (await rows('sellers')) as unknown as ScheduledSeller[];
        const found = known.filter((row) => accounts.includes(row.seller_account));
        return { sellers: new Map(found.map((row) => [row.seller_account, listedSeller(row)])) };
      }),
    sellersOnSchedule: ({ schedule, after, limit }) =>
      reads.answer(async (rows) => {
        const known = (await rows('sellers')) as unknown as ScheduledSeller[];
        const on = known.filter((row) => row.schedule === schedule);
        const place = after === undefined ? undefined : [after];
        const page = inOrder(on, ['seller_account'], { after: place, limit });
        return { sellers: page.map((row) => row.seller_account) };
      }),
    counts: () =>
      reads.answer(async (rows) => ({
        checkouts: counted(await rows('checkouts'), 'status'),
        orders: counted(await rows('orders'), 'state'),
        payouts: counted(await rows('payouts'), 'state'),
      })),
    waitFor: reads.waitFor,
  };
}

function twinOrders(
  reads: TwinReads,
): Pick<
  PaymentsReadModel,
  'checkout' | 'ordersOfSeller' | 'ordersInState' | 'dueOrders' | 'openRefunds' | 'orderOfPayment'
> {
  const orders = (
    time: 'opened_at' | 'updated_at' | 'due_at',
    page: { readonly after?: OrderPlace; readonly limit: number },
    isWanted: (row: OrderOfTable) => boolean,
  ) =>
    reads.answer(async (rows) => {
      const wanted = ((await rows('orders')) as unknown as OrderOfTable[]).filter(isWanted);
      return ordersPage(wanted, time, page);
    });
  return {
    checkout: (id, only) =>
      reads.answer(async (rows) => {
        const isOf = (row: Row) => row.checkout_id === id;
        const head = (await rows('checkouts')).find(isOf) as unknown as FoldRow | undefined;
        const own = (await rows('orders')).filter(
          (row) => isOf(row) && (only === undefined || row.payment_order_id === only),
        );
        const folds = own as unknown as readonly FoldRow[];
        return { checkout: head ? checkoutFrom(head, folds) : undefined };
      }),
    ordersOfSeller: ({ seller, ...page }) =>
      orders('opened_at', page, (row) => row.seller_account === seller),
    ordersInState: ({ state, ...page }) => orders('updated_at', page, (row) => row.state === state),
    dueOrders: ({ before, ...page }) =>
      orders('due_at', page, ({ due_at }) => due_at !== null && due_at < before),
    openRefunds: ({ before, ...page }) =>
      orders('updated_at', page, ({ refund_open_at: at }) => at !== null && at < before),
    orderOfPayment: (psp, paymentId) =>
      reads.answer(async (rows) => {
        const all = (await rows('orders')) as unknown as OrderOfTable[];
        const row = all.find((one) => one.psp === psp && one.psp_payment_id === paymentId);
        return { order: row && listedOrder(row) };
      }),
  };
}

function twinPayouts(
  reads: TwinReads,
): Pick<PaymentsReadModel, 'payoutsOfSeller' | 'payoutsInState'> {
  const page = (
    isWanted: (row: PayoutRow) => boolean,
    order: readonly (keyof PayoutRow)[],
    range: { readonly after?: readonly Cell[] | undefined; readonly limit: number },
  ) =>
    reads.answer(async (rows) => {
      const wanted = ((await rows('payouts')) as unknown as PayoutRow[]).filter(isWanted);
      return { payouts: inOrder(wanted, order, range).map(listedPayout) };
    });
  return {
    payoutsOfSeller: ({ seller, after, limit }) => {
      const range = { after: after && [after.at, after.payoutId], limit };
      return page((row) => row.seller_account === seller, ['requested_at', 'payout_id'], range);
    },
    payoutsInState: async ({ state, after, limit }) => {
      const order = ['updated_at', 'seller_account', 'payout_id'] as const;
      const range = { after: after && [after.at, after.seller, after.payoutId], limit: limit + 1 };
      const found = await page((row) => row.state === state, order, range);
      return found.kind === 'lost' ? found : { ...found, ...payoutsPageOf(found.payouts, limit) };
    },
  };
}

const sortedBy = { opened_at: 'openedAt', updated_at: 'updatedAt', due_at: 'dueAt' } as const;

function ordersPage(
  rows: readonly OrderOfTable[],
  time: keyof typeof sortedBy,
  { after, limit }: { readonly after?: OrderPlace; readonly limit: number },
): OrdersPage {
  const place = after && [after.at, after.checkoutId, after.orderId];
  const order = [time, 'checkout_id', 'payment_order_id'] as const;
  const found: readonly ListedOrder[] = inOrder(rows, order, {
    after: place,
    limit: limit + 1,
  }).map(listedOrder);
  return ordersPageOf(found, limit, sortedBy[time]);
}

function counted(rows: readonly Row[], column: string): { readonly [state: string]: number } {
  const counts: Record<string, number> = {};
  for (const row of rows) counts[String(row[column])] = (counts[String(row[column])] ?? 0) + 1;
  return counts;
}
