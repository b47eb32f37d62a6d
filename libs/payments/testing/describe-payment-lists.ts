import type { SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { SeededRandom } from '@annals/projection/testing';
import { expect, test } from 'vitest';
import { PaymentsWalk, sampleSellers } from '../contract/history.ts';
import { lastAttempt } from '../order-state.ts';
import type {
  ListedOrder,
  ListedPayout,
  OrderPlace,
  PaymentsReadModel,
  PayoutPlace,
} from '../read-model/payments.ts';
import { checkoutStatus, orderStates, payoutStates, refundEnds } from '../transitions.ts';
import { logOf } from './fed-store.ts';

/** The read model of one store, fed with a whole log; those of the same log may be the same. */
export interface ListsStore {
  readonly seeds: readonly number[];
  readonly stepCount: number;
  payments(log: EventLog, cipher: SubjectCipher): Promise<PaymentsReadModel>;
}

/** A random history, its log, and every order as it stands at its end. */
export async function walkOf(seed: number, stepCount: number) {
  const random = new SeededRandom(seed);
  const walk = new PaymentsWalk(random, Date.parse('2026-11-24T12:00:00Z'));
  await walk.begin();
  for (let step = 0; step < stepCount; step += 1) await walk.step();
  walk.erase();
  const log = await logOf(walk.steps, random.int(1, 4), 1_000);
  const all = [...walk.checkouts.values()].flatMap((checkout) =>
    [...checkout.orders.values()].map((order) => ({ checkout, order })),
  );
  return { walk, log, all, limit: random.int(1, 7) };
}

type Page = { readonly orders: readonly ListedOrder[]; readonly next: OrderPlace | undefined };

async function pages(
  read: (after: OrderPlace | undefined) => Promise<({ kind: 'answer' } & Page) | { kind: 'lost' }>,
) {
  const orders: ListedOrder[] = [];
  for (let after: OrderPlace | undefined, end = false; !end; end = after === undefined) {
    const page = await read(after);
    if (page.kind !== 'answer') throw new Error(page.kind);
    orders.push(...page.orders);
    after = page.next;
  }
  return orders;
}

function namesOf(orders: readonly ListedOrder[]) {
  return orders.map(({ checkoutId, orderId }) => `${checkoutId} ${orderId}`);
}

function expectSorted(orders: readonly ListedOrder[], time: 'openedAt' | 'updatedAt' | 'dueAt') {
  const times = orders.map((order) => order[time] ?? 0);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
}

/** The lists and counts on any store are those of the states of a random history. */
export function describePaymentLists(store: ListsStore): void {
  const { seeds, stepCount } = store;

  const walks = new Map<number, ReturnType<typeof walkOf>>();

  async function walked(seed: number) {
    const known = walks.get(seed) ?? walkOf(seed, stepCount);
    walks.set(seed, known);
    const history = await known;
    return { ...history, payments: await store.payments(history.log, history.walk.cipher) };
  }

  test.each(seeds)('the lists of random history %i are those of its states', async (seed) => {
    const { walk, payments, all, limit } = await walked(seed);
    const nameOf = ({ checkout, order }: (typeof all)[number]) =>
      `${checkout.id} ${order.terms.payment_order_id}`;
    for (const seller of sampleSellers) {
      const listed = await pages((after) =>
        payments.ordersOfSeller({ seller, limit, ...(after ? { after } : {}) }),
      );
      const own = all.filter(({ order }) => order.terms.seller_account === seller);
      expect(namesOf(listed).toSorted()).toEqual(own.map(nameOf).toSorted());
      expectSorted(listed, 'openedAt');
      for (const one of listed) {
        const order = walk.checkouts.get(one.checkoutId)?.orders.get(one.orderId);
        expect(one.state).toBe(order?.state);
        expect(one.order).toEqual(order);
      }
      const [first] = listed;
      const whole = first && (await payments.checkout(first.checkoutId));
      expect(whole?.kind === 'answer' && whole.checkout).toEqual(
        first && walk.checkouts.get(first.checkoutId),
      );
      const payouts = await payments.payoutsOfSeller({ seller, limit: 1_000 });
      if (payouts.kind !== 'answer') throw new Error(payouts.kind);
      const known = [...(walk.sellers.get(seller)?.payouts.values() ?? [])];
      const shown = payouts.payouts.map(
        ({ payoutId: id, amount, currency, psp, pspPayoutId, state }) => {
          return { id, amount, currency, psp, pspPayoutId, state };
        },
      );
      const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
      expect(shown.toSorted(byId)).toEqual(known.toSorted(byId));
    }
    for (const state of orderStates) {
      const listed = await pages((after) =>
        payments.ordersInState({ state, limit, ...(after ? { after } : {}) }),
      );
      const own = all.filter(({ order }) => order.state === state);
      expect(namesOf(listed).toSorted()).toEqual(own.map(nameOf).toSorted());
      expectSorted(listed, 'updatedAt');
    }
  });

  test.each(seeds.slice(0, 3))(
    'what is due in history %i is what waits for a release or an expiry',
    async (seed) => {
      const { payments, all, limit } = await walked(seed);
      const dueOf = ({ checkout, order }: (typeof all)[number]) => {
        if (order.state === 'captured') return order.releaseAt ?? Number.POSITIVE_INFINITY;
        const isEnded = ['succeeded', 'failed', 'canceled', 'expired'].includes(order.state);
        return isEnded ? Number.POSITIVE_INFINITY : checkout.expiresAt;
      };
      const times = all
        .map(dueOf)
        .filter(Number.isFinite)
        .toSorted((a, b) => a - b);
      const before = times[Math.floor(times.length / 2)] ?? 0;
      const listed = await pages((after) =>
        payments.dueOrders({ before, limit, ...(after ? { after } : {}) }),
      );
      const due = all.filter((one) => dueOf(one) < before);
      expect(namesOf(listed).toSorted()).toEqual(
        due
          .map(({ checkout, order }) => `${checkout.id} ${order.terms.payment_order_id}`)
          .toSorted(),
      );
      expectSorted(listed, 'dueAt');
    },
  );

  test.each(seeds.slice(0, 3))(
    'the open refunds of history %i are those that have not come to an end',
    async (seed) => {
      const { payments, all, limit } = await walked(seed);
      const isOpen = ({ order }: (typeof all)[number]) =>
        [...order.refunds.values()].some(({ state }) => !refundEnds.has(state));
      const open = all.filter(isOpen).map(({ checkout, order }) => {
        return `${checkout.id} ${order.terms.payment_order_id}`;
      });
      const listedBefore = (before: number) =>
        pages((after) => payments.openRefunds({ before, limit, ...(after ? { after } : {}) }));
      const listed = await listedBefore(Number.MAX_SAFE_INTEGER);
      expect(namesOf(listed).toSorted()).toEqual(open.toSorted());
      expectSorted(listed, 'updatedAt');
      const middle = listed[Math.floor(listed.length / 2)]?.updatedAt ?? 0;
      const older = listed.filter(({ updatedAt }) => updatedAt < middle);
      expect(namesOf(await listedBefore(middle))).toEqual(namesOf(older));
    },
  );

  test('a checkout is the fold of its stream, with all orders or one; sellers are as they registered', async () => {
    const { walk, payments } = await walked(seeds.at(-1) ?? 1);
    expect(walk.checkouts.size).toBeGreaterThan(2);
    for (const [id, checkout] of walk.checkouts) {
      const { orders } = checkout;
      const all = await payments.checkout(id);
      if (all.kind !== 'answer') throw new Error(all.kind);
      expect(all.checkout).toEqual(checkout);
      const [only = ''] = orders.keys();
      const one = await payments.checkout(id, only);
      if (one.kind !== 'answer') throw new Error(one.kind);
      expect([...(one.checkout?.orders ?? [])]).toEqual([[only, orders.get(only)]]);
    }
    expect(await payments.checkout('nobody')).toMatchObject({ checkout: undefined });
    const read = await payments.sellers([...sampleSellers, 'nobody']);
    if (read.kind !== 'answer') throw new Error(read.kind);
    const known = [...walk.sellers].map(([name, { terms, hasBank }]) => [name, { terms, hasBank }]);
    expect(Object.fromEntries(read.sellers)).toEqual(Object.fromEntries(known));
  });

  test('counts add up to what was accepted, by state', async () => {
    const { walk, payments, all } = await walked(seeds[0] ?? 1);
    const counts = await payments.counts();
    if (counts.kind !== 'answer') throw new Error(counts.kind);
    const count = (names: readonly string[]) => {
      const sums: { [name: string]: number } = {};
      for (const name of names) sums[name] = (sums[name] ?? 0) + 1;
      return sums;
    };
    expect(counts.orders).toEqual(count(all.map(({ order }) => order.state)));
    const statuses = [...walk.checkouts.values()].map(({ orders }) =>
      checkoutStatus([...orders.values()].map(({ state }) => state)),
    );
    expect(counts.checkouts).toEqual(count(statuses));
    const payouts = [...walk.sellers.values()].flatMap(({ payouts }) => [...payouts.values()]);
    expect(counts.payouts).toEqual(count(payouts.map(({ state }) => state)));
    for (const state of payoutStates) {
      const listed = await payments.payoutsInState({ state, limit: 1_000 });
      if (listed.kind !== 'answer') throw new Error(listed.kind);
      expect(listed.payouts).toHaveLength(counts.payouts[state] ?? 0);
      expect(listed.next).toBeUndefined();
      const paged: ListedPayout[] = [];
      for (let after: PayoutPlace | undefined; ; ) {
        const query = { state, limit: 2, ...(after ? { after } : {}) };
        const page = await payments.payoutsInState(query);
        if (page.kind !== 'answer') throw new Error(page.kind);
        paged.push(...page.payouts);
        after = page.next;
        if (!after) break;
      }
      expect(paged).toEqual(listed.payouts);
    }
  });

  test("a provider's payment leads to its order, and a schedule to its sellers", async () => {
    const { payments, all } = await walked(seeds.at(-1) ?? 1);
    for (const { checkout, order } of all) {
      const paymentId = lastAttempt(order)?.paymentId;
      if (!paymentId) continue;
      const found = await payments.orderOfPayment('stripe', paymentId);
      const orderId = order.terms.payment_order_id;
      expect(found).toMatchObject({ order: { checkoutId: checkout.id, orderId } });
    }
    expect(await payments.orderOfPayment('stripe', 'pi_none')).toMatchObject({ order: undefined });
    const daily = await payments.sellersOnSchedule({ schedule: 'daily', limit: 2 });
    expect(daily).toMatchObject({ sellers: ['shop-1', 'shop-2'] });
    const rest = await payments.sellersOnSchedule({ schedule: 'daily', after: 'shop-2', limit: 2 });
    expect(rest).toMatchObject({ sellers: ['shop-3'] });
    const named = await payments.sellers(['shop-2', 'nobody']);
    expect(named.kind === 'answer' && [...named.sellers.keys()]).toEqual(['shop-2']);
    expect(await payments.checkout('nobody')).toMatchObject({ checkout: undefined });
    const weekly = await payments.sellersOnSchedule({ schedule: 'weekly', limit: 2 });
    expect(weekly).toMatchObject({ sellers: [] });
  });
}
