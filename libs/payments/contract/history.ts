import type { EventTypes } from '@annals/event-log';
import type { History, HistoryStep } from '@annals/projection/contract';
import type { SeededRandom, VirtualClock } from '@annals/projection/testing';
import { memorySubjectKeyStore, type SubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { observeDispute, observeRefund, release, requestRefund } from '../decide/after-capture.ts';
import {
  doubtCall,
  observeAuthentication,
  observePayment,
  requestAttempt,
  requestAuthentication,
  requestConfirm,
} from '../decide/attempts.ts';
import { requestCapture, requestEnd } from '../decide/captures.ts';
import { assessRisk, decideReview, openCheckout } from '../decide/checkout.ts';
import { observePage, refusePage } from '../decide/payment-page.ts';
import {
  observePayout,
  registerSeller,
  releaseReserve,
  requestPayout,
  setBank,
} from '../decide/seller.ts';
import {
  type CheckoutEvent,
  type PaymentsEvent,
  paymentsEvents,
  type SellerEvent,
} from '../events.ts';
import { approveFinance, askFinance, rejectFinance } from '../finance/decide.ts';
import { financeStream } from '../finance/events.ts';
import { evolveFinance, type FinanceRequest } from '../finance/state.ts';
import { journalOf } from '../journal.ts';
import { type Currency, money } from '../money.ts';
import { lastAttempt, type OrderFold } from '../order-state.ts';
import type { Decided, Refused } from '../outcome.ts';
import { walletChangesOf } from '../projections/wallets.ts';
import type { PspPaymentStatus } from '../psp/port.ts';
import { settlementStream } from '../reconciliation/events.ts';
import type { Movement } from '../reconciliation/movement.ts';
import { evolveDay, newDay, type SettlementDay } from '../reconciliation/state.ts';
import { evolveSeller, type Seller } from '../seller-state.ts';
import { type Checkout, evolve } from '../state.ts';
import { buyerSubject, checkoutStream, sellerStream } from '../streams.ts';
import { dayMs, dayOf } from '../utc-days.ts';
import { settlementStep } from './settlement-walk.ts';

export const sampleSellers = ['shop-1', 'shop-2', 'shop-3'] as const;
export const sampleCurrencies = ['USD', 'JPY', 'KWD'] as const;
const checkoutIds = Array.from({ length: 16 }, (_, index) => `c-${index + 1}`);

const verdicts = ['accepted', 'accepted', 'accepted', 'accepted', 'review', 'rejected'] as const;
const statuses = [
  'created',
  'requires_action',
  'authorized',
  'authorized',
  'captured',
  'captured',
  'captured',
  'declined',
  'voided',
] as const;

/** What the naive books of a history know of one seller's money: available and reserved by currency. */
type Balances = Map<string, { available: bigint; reserved: bigint }>;

type Decision = Decided<CheckoutEvent> | Decided<SellerEvent> | Refused;

/**
 * A random history that the decisions of this package made: orders that fail, wait and are paid, refunds, disputes,
 * payouts that come back, corrections. Every event of it is one that could be in a log.
 */
export class PaymentsWalk {
  readonly steps: HistoryStep[] = [];
  readonly keys: SubjectKeyStore = memorySubjectKeyStore();
  readonly cipher = subjectCipher(this.keys);
  readonly checkouts = new Map<string, Checkout>();
  readonly sellers = new Map<string, Seller>();
  readonly #days = new Map<string, SettlementDay>();
  readonly #balances: Balances = new Map();
  readonly #revisions = new Map<string, number>();
  readonly #bookedIds: string[] = [];
  readonly #random: SeededRandom;
  #at: number;
  #count = 0;

  constructor(random: SeededRandom, at: number) {
    this.#random = random;
    this.#at = at;
  }

  async begin(): Promise<void> {
    for (const account of sampleSellers) {
      const currencies = sampleCurrencies.map((currency) => {
        const fees = { fee_basis_points: this.#random.int(0, 500), fee_fixed: '3' };
        return { currency, ...fees, payout_minimum: '1' };
      });
      const terms = { currencies, reserve_basis_points: 1_000, release_after_days: 2 };
      const command = { ...terms, payout_schedule: 'daily' } as const;
      await this.#seller(account, () =>
        registerSeller(undefined, { account, terms: command, at: this.#at }),
      );
      await this.#seller(account, (seller) =>
        setBank(seller, { bankToken: 'btok_1', at: this.#at }),
      );
    }
  }

  async step(): Promise<void> {
    this.#at += this.#random.int(0, 3_000_000);
    this.#count += 1;
    const roll = this.#random.int(0, 99);
    if (roll < 15) return this.#open();
    if (roll < 27) return this.#payout();
    if (roll < 36) return this.#settle();
    if (roll < 39) return this.#correct();
    const id = this.#random.pick(checkoutIds);
    const checkout = this.checkouts.get(id);
    if (!checkout) return this.#open();
    const order = this.#random.pick([...checkout.orders.values()]);
    await this.#checkout(id, (now) => this.#move(now, order));
  }

  /** A buyer is erased: what is sealed with the key can be read no more. */
  erase(): void {
    const subject = buyerSubject(this.#random.pick(checkoutIds));
    this.steps.push({ act: async () => void (await this.keys.destroy([subject])) });
  }

  async #open(): Promise<void> {
    const checkoutId = this.#random.pick(checkoutIds);
    if (this.checkouts.has(checkoutId)) return;
    const orders = Array.from({ length: this.#random.int(1, 3) }, (_, index) => ({
      paymentOrderId: `o-${index + 1}`,
      sellerAccount: this.#random.pick(sampleSellers),
      amount: BigInt(this.#random.int(10, 90_000)),
    }));
    const currency = this.#random.pick(sampleCurrencies);
    const capture: 'automatic' | 'manual' = this.#random.chance(60) ? 'automatic' : 'manual';
    const buyerInfo = { email: 'ann@example.org' };
    const times = { at: this.#at, expiresAt: this.#at + 900_000_000 };
    const command = {
      ...{ checkoutId, currency, capture, orders, buyerInfo, ...times },
      ...(checkoutId === 'c-14' ? this.#page() : { method: 'tok_1' }),
    } as const;
    await this.#checkout(checkoutId, () => openCheckout(undefined, this.sellers, command));
  }

  /** Of one checkout: the buyer gives a card on a page. */
  #page() {
    const pageExpiresAt = this.#at + 800_000_000;
    const page = { psp: 'stripe', pageExpiresAt, callBefore: this.#at + 60_000 };
    return { page, returnUrl: 'https://shop.example/back' };
  }

  #atPage(checkout: Checkout | undefined): Decision {
    const [at, id] = [this.#at, 'cs_1'];
    const told = { at, callBefore: at + 60_000 };
    if (checkout?.page?.state === 'requested') {
      if (this.#random.chance(5)) return refusePage(checkout, 'not_permitted', at);
      return observePage(checkout, { id, status: 'open', url: 'https://psp.example/cs_1' }, told);
    }
    if (this.#random.chance(10)) return observePage(checkout, { id, status: 'expired' }, told);
    const card = { authentication: 'seti_1.cus_1.pm_1', method: 'pm_1', fingerprint: 'card_1' };
    return observePage(checkout, { id, status: 'completed', ...card }, told);
  }

  /** The next thing that happens to an order, right or wrong: what the decisions refuse does not happen. */
  #move(checkout: Checkout | undefined, order: OrderFold): Decision {
    const id = order.terms.payment_order_id;
    const at = this.#at;
    const callBefore = at + 60_000;
    const random = this.#random;
    if (random.chance(2))
      return requestEnd(checkout, id, { as: random.pick(['canceled', 'expired']), at, callBefore });
    const page = checkout?.page?.state;
    if (page === 'requested' || page === 'opened') return this.#atPage(checkout);
    if (!order.cleared && order.state === 'not_started') {
      const verdict = random.pick(verdicts);
      return assessRisk(checkout, id, { verdict, rules: [], at });
    }
    if (order.state === 'risk_review') {
      const verdict = random.pick(['approved', 'rejected'] as const);
      return decideReview(checkout, id, { verdict, decidedBy: 'key-1', at });
    }
    const attempt = lastAttempt(order);
    const call = { psp: 'stripe', method: 'tok_1', at, callBefore };
    if (checkout && checkout.orders.size > 1 && checkout.authentication.state !== 'authenticated') {
      if (checkout.authentication.state === 'none') return requestAuthentication(checkout, call);
      return observeAuthentication(checkout, { id: 'seti_1', status: 'authenticated' }, at);
    }
    if (!attempt || attempt.state === 'declined' || attempt.state === 'voided') {
      return requestAttempt(checkout, id, call);
    }
    if (order.state === 'captured' || order.state === 'succeeded')
      return this.#after(checkout, order);
    if (random.chance(10)) {
      return doubtCall(checkout, id, {
        attempt: attempt.number,
        call: attempt.state === 'requested' ? 'create' : 'confirm',
        reason: 'timeout',
        at,
      });
    }
    if (attempt.state === 'authorized' && random.chance(50)) {
      return requestCapture(checkout, id, { at, callBefore });
    }
    if (attempt.state === 'created' && random.chance(50)) {
      return requestConfirm(checkout, id, { attempt: attempt.number, at, callBefore });
    }
    return this.#observed(checkout, order, attempt.number, random.pick(statuses));
  }

  #observed(
    checkout: Checkout | undefined,
    order: OrderFold,
    attempt: number,
    status: PspPaymentStatus,
  ) {
    const { payment_order_id: id, amount } = order.terms;
    const of = (minor: bigint) => money(minor, checkout?.currency as Currency);
    const due = BigInt(amount);
    const next = this.#random.pick(['retry', 'fail'] as const);
    return observePayment(
      checkout,
      id,
      attempt,
      {
        ...{ psp: 'stripe', id: `pi_${checkout?.id}_${id}_${attempt}`, reference: '', status },
        amount: of(due),
        captured: of(status === 'captured' ? due - BigInt(this.#random.int(0, 3)) : 0n),
        refunded: of(0n),
        disputed: false,
        ...(this.#random.chance(80) ? { fee: of(due / 50n) } : {}),
        declined: { reason: 'processing_error', code: 'declined', next },
        actionUrl: 'https://psp.example/action',
      },
      this.#at,
    );
  }

  #after(checkout: Checkout | undefined, order: OrderFold): Decision {
    const random = this.#random;
    const id = order.terms.payment_order_id;
    const at = this.#at;
    const of = (minor: bigint) => money(minor, checkout?.currency as Currency);
    const refund = [...order.refunds.values()].at(-1);
    const dispute = [...order.disputes.values()].at(-1);
    switch (random.int(0, 4)) {
      case 0:
        return release(checkout, id, { because: random.pick(['delivered', 'days']), at });
      case 1: {
        const amount = order.captured / BigInt(random.int(1, 4)) || 1n;
        return requestRefund(checkout, id, {
          refundId: `r-${this.#count}`,
          amount,
          at,
          callBefore: at + 1,
        });
      }
      case 2: {
        if (!refund) return { kind: 'decided', events: [] };
        const status = random.pick(['succeeded', 'failed', 'pending'] as const);
        return observeRefund(
          checkout,
          id,
          refund.id,
          { id: `re_${refund.id}`, status, amount: of(refund.amount) },
          at,
        );
      }
      default: {
        const isNew = !dispute || random.chance(20);
        const disputeId = isNew ? `dp-${this.#count}` : dispute.id;
        const amount = of(isNew ? order.captured / 3n || 1n : dispute.amount);
        const status = isNew
          ? 'needs_response'
          : random.pick(['won', 'lost', 'under_review'] as const);
        const observed = {
          id: disputeId,
          amount,
          fee: of(15n),
          status,
          reason: 'fraudulent',
        } as const;
        return observeDispute(checkout, id, observed, at);
      }
    }
  }

  async #payout(): Promise<void> {
    const account = this.#random.pick(sampleSellers);
    const currency = this.#random.pick(sampleCurrencies);
    const balance = this.#balances.get(`${account} ${currency}`) ?? { available: 0n, reserved: 0n };
    const revision = this.#revisions.get(sellerStream(account)) ?? -1;
    const wallet = { ...balance, sellerRevision: revision };
    const at = this.#at;
    const seller = this.sellers.get(account);
    const open = [...(seller?.payouts.values() ?? [])].at(-1);
    const roll = this.#random.int(0, 9);
    await this.#seller(account, (now) => {
      if (roll < 4) {
        const called = {
          psp: 'stripe',
          bankToken: 'btok_1',
          because: 'schedule',
          at,
          callBefore: at + 1,
        } as const;
        return requestPayout(now, {
          payoutId: `p-${this.#count}`,
          currency,
          wallet,
          revision,
          ...called,
        });
      }
      if (roll < 5) {
        const amount = balance.reserved / 2n;
        const releaseId = `rr-${this.#count}`;
        return releaseReserve(now, { releaseId, currency, amount, wallet, revision, at });
      }
      if (!open) return { kind: 'decided', events: [] };
      const status = this.#random.pick(['pending', 'in_transit', 'paid', 'failed'] as const);
      const amount = money(open.amount, open.currency);
      return observePayout(now, open.id, { id: `po_${open.id}`, status, amount }, at);
    });
  }

  async #settle(): Promise<void> {
    const of = {
      psp: 'stripe',
      date: dayOf(this.#at - this.#random.int(0, 2) * dayMs),
      at: this.#at,
    };
    const stream = settlementStream(of.psp, of.date);
    const before = this.#days.get(stream) ?? newDay;
    const decision = settlementStep(this.#random, before, {
      ...{ of, ours: this.#moved(), currencies: sampleCurrencies, sellers: sampleSellers },
    });
    if (decision.kind === 'refused' || decision.events.length === 0) return;
    this.#days.set(stream, decision.events.reduce(evolveDay, before));
    await this.#add(stream, decision.events);
  }

  /** An entry by hand: one key asks, another one approves, or does not. */
  async #correct(): Promise<void> {
    const random = this.#random;
    const corrects = this.#bookedIds.at(-1);
    if (corrects === undefined) return;
    const seller = random.pick(sampleSellers);
    const amount = String(random.int(1, 900));
    const debit = random.pick(['losses', 'psp_fees', 'platform_fees']);
    const line = { debit, credit: `seller_available:${seller}`, amount };
    const entry = { currency: random.pick(sampleCurrencies), lines: [line] };
    const id = `m-${this.#count}`;
    const at = this.#at;
    const asked = askFinance(undefined, {
      ...{
        id,
        asks: { kind: 'manual-entry', entry, corrects },
        by: 'key-1',
        reason: 'by hand',
        at,
      },
      expiresAt: at + dayMs,
    });
    if (asked.kind === 'refused') return;
    const request = asked.events.reduce<FinanceRequest | undefined>(evolveFinance, undefined);
    const decision = random.chance(80)
      ? approveFinance(request, { by: 'key-2', at })
      : rejectFinance(request, { by: 'key-2', reason: 'no', at });
    const decided = decision.kind === 'refused' ? [] : decision.events;
    await this.#add(financeStream(id), [...asked.events, ...decided]);
  }

  /** Something that was captured, as reconciliation sees it. */
  #moved(): Movement | undefined {
    const moved = [...this.checkouts.values()].flatMap(({ id, currency, orders }) =>
      [...orders.values()].flatMap(({ captured, terms: { payment_order_id: order } }) => {
        if (captured === 0n) return [];
        const names = { key: `pi_${id}_${order}`, id: `captured ${id} ${order}` };
        return { ...names, status: 'captured', currency, amount: captured } as const;
      }),
    );
    if (moved.length === 0) return undefined;
    return { ...this.#random.pick(moved), fee: 15n, at: this.#at, waited: 0 };
  }

  async #checkout(id: string, decide: (now: Checkout | undefined) => Decision): Promise<void> {
    const decision = decide(this.checkouts.get(id));
    if (decision.kind === 'refused' || decision.events.length === 0) return;
    for (const event of decision.events) {
      const after = evolve(this.checkouts.get(id), event as CheckoutEvent);
      if (after) this.checkouts.set(id, after);
    }
    await this.#add(checkoutStream(id), decision.events);
  }

  async #seller(account: string, decide: (now: Seller | undefined) => Decision): Promise<void> {
    const decision = decide(this.sellers.get(account));
    if (decision.kind === 'refused' || decision.events.length === 0) return;
    for (const event of decision.events) {
      const after = evolveSeller(this.sellers.get(account), event as SellerEvent);
      if (after) this.sellers.set(account, after);
    }
    await this.#add(sellerStream(account), decision.events);
  }

  async #add(stream: string, events: readonly PaymentsEvent[]): Promise<void> {
    const encoded = await (paymentsEvents as EventTypes<never>).encode(
      events as never,
      this.cipher,
    );
    if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
    this.steps.push({ stream, events: encoded.events });
    this.#revisions.set(stream, (this.#revisions.get(stream) ?? -1) + events.length);
    for (const event of events) {
      if (journalOf(event)) this.#bookedIds.push(event.id);
      const { currency, changes } = walletChangesOf(event);
      for (const { seller, part, amount } of changes) {
        if (part !== 'available' && part !== 'reserved') continue;
        const key = `${seller} ${currency}`;
        const before = this.#balances.get(key) ?? { available: 0n, reserved: 0n };
        this.#balances.set(key, { ...before, [part]: before[part] + amount });
      }
    }
  }
}

/** For `describeRebuildEqualsLive`: all the projections of this package read these streams. */
export async function paymentsHistory(random: SeededRandom, clock: VirtualClock): Promise<History> {
  const walk = new PaymentsWalk(random, clock.now());
  await walk.begin();
  for (let step = 0; step < 250; step += 1) await walk.step();
  walk.erase();
  return { cipher: walk.cipher, steps: walk.steps };
}
