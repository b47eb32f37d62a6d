import type { SubjectCipher } from '@annals/core';
import type { Encoded, EventLog, NewEvent } from '@annals/event-log';
import {
  assessRisk,
  type Checkout,
  type CheckoutEvent,
  checkoutEvents,
  checkoutStream,
  type Decided,
  evolve,
  evolveSeller,
  journalOf,
  observePayment,
  openCheckout,
  type Refused,
  registerSeller,
  release,
  requestAttempt,
  requestConfirm,
  type Seller,
  type SellerTerms,
  sellerEvents,
  sellerStream,
} from '@annals/payments';
import type { PspPayment } from '@annals/payments/psp';
import { appendAll } from './score-feed.ts';

export const sellerTerms: SellerTerms = {
  currencies: [{ currency: 'USD', fee_basis_points: 500, fee_fixed: '0', payout_minimum: '1' }],
  ...{ reserve_basis_points: 0, release_after_days: 7, payout_schedule: 'manual' },
};

const sellersMax = 1_000;
/** Payments whose buyers' keys are made together. */
const chunkPayments = 1_000;
const callMs = 30_000;
const orderId = 'order-1';
const attempt = 1;

/** Appends payments from the opening of their checkouts to the release of their money, as the service decides them. */
export async function fillWithPayments(
  log: EventLog,
  cipher: SubjectCipher,
  payments: number,
): Promise<void> {
  const at = Date.now();
  const sellers = Array.from({ length: sellersMax }, (_, index) => sellerNumbered(index, at));
  const registered = await stored(
    sellerEvents.encode(
      sellers.map(({ event }) => event),
      cipher,
    ),
  );
  await Promise.all(
    sellers.map(({ seller }, index) =>
      appendAll(log, sellerStream(seller.account), registered.slice(index, index + 1)),
    ),
  );
  for (let done = 0; done < payments; done += chunkPayments) {
    const count = Math.min(chunkPayments, payments - done);
    const made = Array.from({ length: count }, (_, index) => paymentEvents(done + index, at));
    const events = [...(await stored(checkoutEvents.encode(made.flat(), cipher)))];
    await Promise.all(
      made.map((own, index) =>
        appendAll(log, checkoutStream(checkoutId(done + index)), events.splice(0, own.length)),
      ),
    );
  }
}

/** How many postings each of these payments has in the books. */
export function postingsOfPayment(): number {
  return paymentEvents(0, Date.now())
    .map((event) => journalOf(event)?.postings.length ?? 0)
    .reduce((sum, lines) => sum + lines, 0);
}

async function stored(encoding: Promise<Encoded>): Promise<readonly NewEvent[]> {
  const encoded = await encoding;
  if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
  return encoded.events;
}

function sellerNumbered(index: number, at: number) {
  const account = `shop-${index}`;
  const [event] = decisionOf(registerSeller(undefined, { account, terms: sellerTerms, at }));
  const seller = event && evolveSeller(undefined, event);
  if (!event || !seller) throw new Error(`${account} was not registered`);
  return { event, seller };
}

function checkoutId(payment: number): string {
  return `c-${String(payment).padStart(8, '0')}`;
}

/** All events of one payment of one order, captured as it was confirmed, and released. */
function paymentEvents(payment: number, at: number): readonly CheckoutEvent[] {
  const { seller } = sellerNumbered(payment % sellersMax, at);
  const sellers = new Map<string, Seller>([[seller.account, seller]]);
  const events: CheckoutEvent[] = [];
  let checkout: Checkout | undefined;
  const take = (decision: Decided<CheckoutEvent> | Refused) => {
    const made = decisionOf(decision);
    checkout = made.reduce(evolve, checkout);
    events.push(...made);
  };
  const call = { at, callBefore: at + callMs };
  const amount = BigInt(100 + ((payment * 31) % 9_000));
  take(
    openCheckout(undefined, sellers, {
      ...{ checkoutId: checkoutId(payment), currency: 'USD', capture: 'automatic', at },
      ...{ method: 'pm_card_visa', buyerInfo: { name: 'Ann' }, expiresAt: at + 3_600_000 },
      orders: [{ paymentOrderId: orderId, sellerAccount: seller.account, amount }],
    }),
  );
  take(assessRisk(checkout, orderId, { verdict: 'accepted', rules: [], at }));
  take(requestAttempt(checkout, orderId, { psp: 'instant', method: 'pm_card_visa', ...call }));
  take(observePayment(checkout, orderId, attempt, shown(payment, amount, 'created'), at));
  take(requestConfirm(checkout, orderId, { attempt, ...call }));
  take(observePayment(checkout, orderId, attempt, shown(payment, amount, 'captured'), at));
  take(release(checkout, orderId, { because: 'delivered', at }));
  return events;
}

function shown(payment: number, amount: bigint, status: 'created' | 'captured'): PspPayment {
  const usd = (minor: bigint) => ({ amount: minor, currency: 'USD' });
  return {
    ...{ psp: 'instant', id: `pi_${payment}`, reference: `${checkoutId(payment)}/1`, status },
    ...{ amount: usd(amount), refunded: usd(0n), fee: usd(amount / 50n), disputed: false },
    captured: usd(status === 'captured' ? amount : 0n),
  };
}

function decisionOf<Event>(decision: Decided<Event> | Refused): readonly Event[] {
  if (decision.kind === 'refused') throw new Error(`${decision.reason}: ${decision.detail}`);
  return decision.events;
}
