import { setTimeout as pause } from 'node:timers/promises';
import type { SeededRandom } from '@annals/projection/testing';
import type { OurPayout } from './market-books.ts';
import type { MarketCaller, Told } from './market-caller.ts';

/** One checkout from the first request to the end of all its orders, by somebody who asks until it is told. */

export const sellers = ['shop-1', 'shop-2', 'shop-3'] as const;

/** What shoppers say of themselves and pay with: nobody else may read it. */
export const shopperSecrets = { email: 'shopper@private.example', name: 'Ada Private' } as const;

const cards = [
  ...Array<string>(14).fill('pm_card_visa'),
  'pm_card_visa_chargeDeclined',
  'pm_card_visa_chargeDeclinedInsufficientFunds',
  'pm_card_threeDSecure2Required',
  'pm_card_threeDSecure2Required',
  'pm_card_authenticationRequired',
  'pm_card_pendingRefund',
  'pm_sandbox_processing',
] as const;

export interface OrderPlan {
  readonly id: string;
  readonly seller: string;
  readonly amount: number;
  /** What becomes of it where it is authorized only: so much is captured, nothing: it is let go. */
  readonly captures: number;
  /** Amounts given back, one after the other. */
  readonly refunds: readonly number[];
  readonly refundsFirst: boolean;
}

export interface ShoppingPlan {
  readonly checkout: string;
  readonly card: string;
  readonly capture: 'automatic' | 'manual';
  readonly currency: 'USD' | 'JPY';
  readonly provesIdentity: boolean;
  /** Whether every request is sent twice at the same moment. */
  readonly twice: boolean;
  readonly orders: readonly OrderPlan[];
}

export function shoppingPlan(random: SeededRandom, number: number): ShoppingPlan {
  const capture = random.chance(35) ? 'manual' : 'automatic';
  const orders = Array.from({ length: random.pick([1, 1, 1, 2, 2, 3]) }, (_, index): OrderPlan => {
    const amount = random.int(500, 9_000);
    const part = random.int(200, amount - 100);
    const captures = capture === 'automatic' ? amount : random.pick([amount, part, 0]);
    const half = Math.floor(captures / 2);
    const refunds = captures === 0 ? [] : random.pick([[], [], [captures], [half], [half, half]]);
    const refundsFirst = random.chance(50);
    return {
      ...{ id: `o-${index + 1}`, seller: random.pick(sellers), amount, captures, refunds },
      refundsFirst,
    };
  });
  return {
    ...{ checkout: `c-${number}`, card: random.pick(cards), capture, orders },
    currency: random.chance(20) ? 'JPY' : 'USD',
    provesIdentity: random.chance(80),
    twice: random.chance(15),
  };
}

/** What is looked at until all is over; between two looks, in milliseconds. */
const lookMs = { from: 500, to: 4_000 } as const;

/** Rejects where something is answered that the plan has no reason for, or when the caller's time is over. */
export async function shop(caller: MarketCaller, plan: ShoppingPlan): Promise<void> {
  const { checkout, card, capture, currency, twice } = plan;
  const tell: Tell = (path, key, body) =>
    twice ? caller.tellTwice({ path, key, body }) : caller.tell({ path, key, body });
  const opened = await tell('/v1/payments', checkout, {
    ...{ checkout_id: checkout, credit_card_info: card, capture },
    buyer_info: { ...shopperSecrets },
    return_url: 'http://127.0.0.1:9/back',
    payment_orders: plan.orders.map(({ id, seller, amount }) => ({
      ...{ payment_order_id: id, seller_account: seller, amount: String(amount), currency },
    })),
  });
  expectStatus(opened, [201, 202], checkout);
  await Promise.all([
    identify(caller, plan),
    ...plan.orders.map((order) => orderToItsEnd(caller, plan, order, tell)),
  ]);
}

type Tell = (path: string, key: string, body?: object) => Promise<Told>;

/** Goes to the bank's page as often as the buyer is sent there. */
async function identify(caller: MarketCaller, plan: ShoppingPlan): Promise<void> {
  for (let wait: number = lookMs.from; ; wait = longer(wait)) {
    const payment = await caller.read(`/v1/payments/${plan.checkout}`);
    const pages = [payment.next_action, ...payment.payment_orders.map(actionOf)];
    for (const page of new Set(pages.flatMap((one) => one?.url ?? []))) {
      const body = new URLSearchParams({ outcome: plan.provesIdentity ? 'succeeded' : 'failed' });
      // Where nobody answers, or nobody is asked any more, the next look shows how it stands.
      await fetch(page, { method: 'POST', body, redirect: 'manual' }).catch(() => undefined);
    }
    if (payment.payment_orders.every(({ state }: Order) => isPast(state))) return;
    caller.checkTime(`${plan.checkout}: ${JSON.stringify(payment)}`);
    await pause(wait);
  }
}

interface Order {
  readonly state: string;
  readonly refunds: readonly { readonly state: string }[];
  readonly next_action: { readonly url: string } | null;
}

const actionOf = (order: Order) => order.next_action;
const ends = ['succeeded', 'failed', 'canceled', 'expired'];
const isPast = (state: string) => [...ends, 'authorized', 'captured'].includes(state);

async function orderToItsEnd(
  caller: MarketCaller,
  { checkout, capture }: ShoppingPlan,
  plan: OrderPlan,
  tell: Tell,
): Promise<void> {
  const path = `/v1/payment_orders/${checkout}/${plan.id}`;
  const key = (what: string) => `${checkout}.${plan.id}.${what}`;
  const reach = (what: (order: Order) => boolean) => reached(caller, path, what);
  const isTaken = ({ state }: Order) => state === 'captured' || ends.includes(state);

  if (capture === 'manual') {
    const { state } = await reach((order) => isPast(order.state));
    if (state === 'authorized' && plan.captures === 0) {
      expectStatus(await tell(`${path}/cancel`, key('cancel')), [202], key('cancel'));
    } else if (state === 'authorized') {
      const body = { amount: String(plan.captures) };
      expectStatus(await tell(`${path}/capture`, key('capture'), body), [202], key('capture'));
    }
  }
  const { state } = await reach(isTaken);
  if (state !== 'captured') return;
  const deliver = async () => {
    const told = await tell(`${path}/delivered`, key('delivered'));
    expectStatus(told, [200], key('delivered'));
  };
  if (!plan.refundsFirst) await deliver();
  for (const [index, amount] of plan.refunds.entries()) {
    const refund = key(`refund-${index + 1}`);
    expectStatus(await tell(`${path}/refunds`, refund, { amount: String(amount) }), [202], refund);
  }
  if (plan.refundsFirst) await deliver();
  await reach(
    (order) =>
      order.state === 'succeeded' &&
      order.refunds.every((refund) => ['succeeded', 'failed'].includes(refund.state)),
  );
}

async function reached(
  caller: MarketCaller,
  path: string,
  is: (order: Order) => boolean,
): Promise<Order> {
  for (let wait: number = lookMs.from; ; wait = longer(wait)) {
    const order = await caller.read(path);
    if (is(order)) return order;
    caller.checkTime(`${path}: ${JSON.stringify(order)}`);
    await pause(wait);
  }
}

function longer(ms: number): number {
  return Math.min(ms * 1.5, lookMs.to);
}

function expectStatus(told: Told, statuses: readonly number[], what: string): void {
  if (!statuses.includes(told.status)) throw new Error(`${what}: ${told.status} ${told.text}`);
}

export const sellerTerms = {
  currencies: ['USD', 'JPY'].map((currency) => ({
    ...{ currency, fee_basis_points: 500, fee_fixed: '0', payout_minimum: '1' },
  })),
  ...{ reserve_basis_points: 500, release_after_days: 7, payout_schedule: 'manual' },
  bank_token: 'ba_sandbox',
};

/** Pays a seller out what is available, if anything is, until the bank has it. */
export async function payOut(
  caller: MarketCaller,
  seller: string,
  currency: string,
  number: number,
): Promise<void> {
  const key = `payout-${number}`;
  const body = { seller_account: seller, currency };
  const told = await caller.tell({ path: '/v1/payouts', key, body });
  if (told.status === 409 && nothingToPay.has(told.json.code)) return;
  expectStatus(told, [202], key);
  for (let wait: number = lookMs.from; ; wait = longer(wait)) {
    const payouts = await payoutsOf(caller, seller);
    const found = payouts.find(({ payout_id }) => payout_id === told.json.payout_id);
    if (found?.state === 'paid') return;
    caller.checkTime(`${key}: ${JSON.stringify(found)}`);
    await pause(wait);
  }
}

const nothingToPay = new Set(['insufficient-funds', 'below-minimum']);

export async function payoutsOf(
  caller: MarketCaller,
  seller: string,
): Promise<readonly OurPayout[]> {
  const { data, next_cursor } = await caller.read(`/v1/payouts?seller_account=${seller}&limit=100`);
  if (next_cursor !== null) throw new Error(`${seller} has more payouts than one page has`);
  return data;
}
