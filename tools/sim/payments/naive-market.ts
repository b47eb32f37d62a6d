import { InvariantError } from '../trace.ts';
import { NaivePages } from './naive-pages.ts';

/** One stored event, read without the code under test. */
export interface Fact {
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly data: Members;
  readonly partition: number;
  readonly position: string;
  readonly recordedAt: number;
}

/** The members of an event as they are stored; amounts are texts of minor units. */
export interface Members {
  readonly [member: string]: unknown;
}

export interface NaiveAttempt {
  readonly number: number;
  psp: string;
  paymentId: string | undefined;
  state: 'alive' | 'captured' | 'dead';
  authorized: bigint;
  /** What its order was before nobody knew what became of a call. */
  doubted?: string;
  /** It was looked for, and is said to have done nothing. */
  hasDoneNothing?: boolean;
}

export interface NaiveOrder {
  readonly checkout: string;
  readonly id: string;
  readonly seller: string;
  readonly currency: string;
  readonly amount: bigint;
  readonly feeBasisPoints: bigint;
  readonly feeFixed: bigint;
  state: string;
  captured: bigint;
  readonly attempts: NaiveAttempt[];
  readonly refunds: Map<string, { amount: bigint; state: string; pspRefundId?: string }>;
  readonly disputes: Map<string, { amount: bigint; state: string }>;
}

export interface NaivePayout {
  readonly seller: string;
  readonly id: string;
  readonly psp: string;
  readonly amount: bigint;
  readonly currency: string;
  pspPayoutId: string | undefined;
  state: string;
}

const ended: ReadonlySet<string> = new Set(['failed', 'canceled', 'expired']);
const refundEnds: ReadonlySet<string> = new Set(['succeeded', 'failed']);
/** What may still happen to an order that was paid: its money goes back, or is disputed. */
const afterCapture = /^(?:refund-|dispute-|order-released$|call-dead-lettered$)/;

/** What a provider that is away says nothing with. */
const away: ReadonlySet<string> = new Set(['unreachable', 'unavailable', 'rate_limited']);

/** Whether a refusal was drawn, and does not come of what was asked for. */
function isMeant({ reason, detail }: Members): boolean {
  return reason !== 'invalid_request' || String(detail).includes('a fault was asked for');
}

function must(holds: boolean, invariant: string, detail: string): void {
  if (!holds) throw new InvariantError(invariant, detail);
}

/**
 * A market by hand: what the events say of every order, payout and account. It shares no code with the
 * product, and throws where an event breaks a promise.
 */
export class NaiveMarket {
  readonly orders = new Map<string, NaiveOrder>();
  readonly payouts = new Map<string, NaivePayout>();
  /** Debits less credits, by `account currency`; what is only held stands under `pending account currency`. */
  readonly balances = new Map<string, bigint>();
  /** Authentications that wait for the buyer, by checkout: the provider and its id. */
  readonly authentications = new Map<
    string,
    { psp: string; id: string | undefined; url: string }
  >();
  readonly pages = new NaivePages();
  /** Where buyers have to go, by what they are asked about. */
  readonly actions = new Map<string, string>();

  ordersOf(checkout: string): NaiveOrder[] {
    return [...this.orders.values()].filter((order) => order.checkout === checkout);
  }

  /** What a seller has of an account kind, seen from the seller. */
  owed(kind: string, seller: string, currency: string): bigint {
    return -(this.balances.get(`${kind}:${seller} ${currency}`) ?? 0n);
  }

  apply(fact: Fact): void {
    if (fact.stream.startsWith('seller-')) {
      this.#seller(fact);
      return;
    }
    if (fact.stream.startsWith('settlement-')) {
      this.#settlement(fact);
      return;
    }
    if (!fact.stream.startsWith('checkout-')) return;
    if (!this.pages.take(fact)) this.#checkout(fact);
    const checkout = String(fact.data.checkout_id);
    const states = this.ordersOf(checkout).map(({ state }) => state);
    this.pages.after(
      checkout,
      states.every((state) => ended.has(state)),
    );
  }

  #checkout({ type, data }: Fact): void {
    if (type === 'checkout-opened') {
      this.#opened(data);
      return;
    }
    if (type.startsWith('authentication-') || type === 'checkout-authenticated') {
      this.#authentication(type, data);
      return;
    }
    const order = this.orders.get(`${data.checkout_id} ${data.payment_order_id}`);
    if (!order) throw new InvariantError('terminal', `${type} of an order that is not there`);
    this.#mayMove(order, type);
    if (type.startsWith('refund-')) {
      this.#refund(order, type, data);
      return;
    }
    if (type.startsWith('dispute-')) {
      this.#dispute(order, type, data);
      return;
    }
    this.#charge(order, type, data);
  }

  /** What the state of a checkout is, by its orders. */
  statusOf(checkout: string): string {
    const states = this.ordersOf(checkout).map(({ state }) => state);
    if (states.some((state) => !ended.has(state) && state !== 'succeeded')) return 'open';
    const succeeded = states.filter((state) => state === 'succeeded').length;
    if (succeeded === states.length) return 'succeeded';
    if (succeeded > 0) return 'partially_succeeded';
    return states.every((state) => state === 'expired') ? 'expired' : 'failed';
  }

  #opened(data: Members): void {
    for (const terms of data.orders as readonly Members[]) {
      const order: NaiveOrder = {
        checkout: String(data.checkout_id),
        id: String(terms.payment_order_id),
        seller: String(terms.seller_account),
        currency: String(data.currency),
        amount: amountOf(terms.amount),
        feeBasisPoints: BigInt(Number(terms.fee_basis_points)),
        feeFixed: amountOf(terms.fee_fixed),
        state: 'not_started',
        captured: 0n,
        ...{ attempts: [], refunds: new Map(), disputes: new Map() },
      };
      const key = `${order.checkout} ${order.id}`;
      must(!this.orders.has(key), 'once', `${key} was opened twice`);
      this.orders.set(key, order);
    }
  }

  #authentication(type: string, data: Members): void {
    const checkout = String(data.checkout_id);
    const known = this.authentications.get(checkout);
    if (type === 'authentication-requested') {
      this.authentications.set(checkout, { psp: String(data.psp), id: undefined, url: '' });
    } else if (type === 'authentication-action-required' && known) {
      known.id = String(data.authentication_id);
      known.url = String(data.action_url);
      this.actions.set(checkout, known.url);
    } else {
      this.authentications.delete(checkout);
      this.actions.delete(checkout);
    }
  }

  /** Nothing follows an end but what is documented. */
  #mayMove({ checkout, id, state }: NaiveOrder, type: string): void {
    const isPaid = state === 'captured' || state === 'succeeded';
    const may = isPaid
      ? afterCapture.test(type) && !(state === 'succeeded' && type === 'order-released')
      : !ended.has(state) || type === 'call-dead-lettered';
    must(may, 'terminal', `${type} of ${checkout} ${id}, which is ${state}`);
  }

  #charge(order: NaiveOrder, type: string, data: Members): void {
    const attempt = order.attempts.find(({ number }) => number === data.attempt);
    const name = `${order.checkout} ${order.id}`;
    if (type !== 'attempt-action-required') this.actions.delete(name);
    switch (type) {
      case 'order-risk-assessed':
        if (data.verdict !== 'accepted') {
          order.state = data.verdict === 'review' ? 'risk_review' : 'failed';
        }
        return;
      case 'order-review-decided':
        order.state = data.verdict === 'approved' ? 'not_started' : 'failed';
        return;
      case 'order-ended':
        order.state = String(data.as);
        return;
      case 'attempt-requested':
        this.#begin(order, data);
        return;
      case 'order-released':
        this.#release(order, data);
        return;
      case 'capture-requested':
      case 'void-requested':
      case 'call-dead-lettered':
        return;
      default:
    }
    if (!attempt) throw new InvariantError('terminal', `${type} of ${name}: no such attempt`);
    must(attempt.state === 'alive', 'terminal', `${type} of ${name}, which is ${attempt.state}`);
    this.#attempt(order, attempt, type, data);
  }

  #begin(order: NaiveOrder, data: Members): void {
    const alive = order.attempts.find(({ state }) => state !== 'dead');
    const name = `${order.checkout} ${order.id}`;
    must(!alive, 'one-charge', `${name}: attempt ${data.attempt} beside one that is alive`);
    const psp = String(data.psp);
    const begun = { paymentId: undefined, state: 'alive', authorized: 0n } as const;
    order.attempts.push({ number: Number(data.attempt), psp, ...begun });
    order.state = 'executing';
  }

  #attempt(order: NaiveOrder, attempt: NaiveAttempt, type: string, data: Members): void {
    const { currency } = order;
    switch (type) {
      case 'attempt-created':
        attempt.paymentId = String(data.psp_payment_id);
        order.state = 'executing';
        return;
      case 'attempt-confirm-requested':
        order.state = 'executing';
        return;
      case 'attempt-action-required':
        order.state = 'requires_action';
        this.actions.set(`${order.checkout} ${order.id}`, String(data.action_url));
        return;
      case 'call-in-doubt':
        if (order.state !== 'unknown') attempt.doubted = order.state;
        order.state = 'unknown';
        return;
      case 'capture-refused':
      case 'void-refused':
        must(isMeant(data), 'amounts', `${type} of ${order.checkout} ${order.id}: ${data.detail}`);
        if (order.state === 'unknown') order.state = attempt.doubted ?? 'unknown';
        return;
      case 'attempt-authorized':
        attempt.authorized = amountOf(data.amount);
        must(attempt.authorized <= order.amount, 'limits', 'more was authorized than is due');
        this.#hold(currency, attempt.authorized);
        order.state = 'authorized';
        return;
      case 'attempt-declined':
        must(!away.has(String(data.reason)), 'outage', `${data.reason} is no answer to a charge`);
        attempt.state = 'dead';
        attempt.hasDoneNothing = data.reason === 'key_spent';
        order.state = data.final ? 'failed' : 'executing';
        return;
      case 'attempt-voided':
        this.#hold(currency, -attempt.authorized);
        attempt.state = 'dead';
        order.state = String(data.reason);
        return;
      case 'order-captured':
        this.#captured(order, attempt, data);
        return;
      default:
        throw new InvariantError('known', `an order knows no ${type}`);
    }
  }

  #captured(order: NaiveOrder, attempt: NaiveAttempt, data: Members): void {
    const { currency, seller, feeBasisPoints, feeFixed } = order;
    const amount = amountOf(data.amount);
    const limit = attempt.authorized > 0n ? attempt.authorized : order.amount;
    must(amount > 0n && amount <= limit, 'limits', `${amount} captured of ${limit}`);
    const percent = (amount * feeBasisPoints + 5_000n) / 10_000n + feeFixed;
    const fee = percent > amount ? amount : percent;
    const said = `${data.net} net and ${data.platform_fee} fee of ${amount}`;
    must(amountOf(data.net) === amount - fee, 'balanced', said);
    must(amountOf(data.platform_fee) === fee, 'balanced', said);
    this.#hold(currency, -attempt.authorized);
    this.#post(currency, 'psp_clearing', 'buyer', amount);
    this.#post(currency, 'buyer', `seller_pending:${seller}`, amount - fee);
    this.#post(currency, 'buyer', 'platform_fees', fee);
    this.#post(currency, 'psp_fees', 'psp_clearing', amountOf(data.psp_fee));
    attempt.state = 'captured';
    order.captured = amount;
    order.state = 'captured';
  }

  #release({ currency, seller, ...order }: NaiveOrder, data: Members): void {
    const [amount, reserve] = [amountOf(data.amount), amountOf(data.reserve)];
    must(reserve <= amount, 'limits', 'more is held in reserve than was released');
    this.#post(currency, `seller_pending:${seller}`, `seller_available:${seller}`, amount);
    this.#post(currency, `seller_available:${seller}`, `seller_reserve:${seller}`, reserve);
    const of = this.orders.get(`${order.checkout} ${order.id}`);
    if (of) of.state = 'succeeded';
  }

  #refund(order: NaiveOrder, type: string, data: Members): void {
    const { currency, seller, refunds } = order;
    const id = String(data.refund_id);
    const known = refunds.get(id);
    const state = known?.state ?? 'none';
    const name = `refund ${id} of ${order.checkout} ${order.id}`;
    if (type === 'refund-requested') {
      must(!known, 'once', `${name} twice`);
      const amount = amountOf(data.amount);
      refunds.set(id, { amount, state: 'requested' });
      this.#split(currency, seller, data, 'refunds', 1n);
      this.#mustBeLeft(order);
      return;
    }
    if (!known) throw new InvariantError('terminal', `${name} is not there`);
    if (type === 'refund-in-doubt') {
      must(state === 'requested', 'terminal', `${name} is ${state}, and in doubt`);
    } else if (type === 'refund-pending') {
      must(state === 'requested' || state === 'doubted', 'terminal', `${name} is ${state}`);
      known.pspRefundId = String(data.psp_refund_id);
    } else if (type === 'refund-succeeded') {
      must(!refundEnds.has(state), 'terminal', `${name} is ${state}`);
      this.#post(currency, 'refunds', 'psp_clearing', known.amount);
    } else if (type === 'refund-failed') {
      must(state !== 'failed', 'terminal', `${name} failed twice`);
      must((state === 'succeeded') === data.after_succeeded, 'terminal', `${name} was ${state}`);
      if (state === 'succeeded') this.#post(currency, 'psp_clearing', 'refunds', known.amount);
      this.#split(currency, seller, data, 'refunds', -1n);
    }
    const states = {
      'refund-in-doubt': 'doubted',
      'refund-pending': 'pending',
      'refund-succeeded': 'succeeded',
    } as const;
    known.state = states[type as keyof typeof states] ?? 'failed';
  }

  #dispute(order: NaiveOrder, type: string, data: Members): void {
    const { currency, seller, disputes } = order;
    const id = String(data.dispute_id);
    const known = disputes.get(id);
    if (type === 'dispute-opened') {
      must(!known, 'once', `dispute ${id} twice`);
      const amount = amountOf(data.amount);
      disputes.set(id, { amount, state: 'open' });
      this.#post(currency, 'disputes', 'psp_clearing', amount);
      this.#post(currency, 'psp_fees', 'psp_clearing', amountOf(data.psp_fee));
      this.#split(currency, seller, data, `seller_disputed:${seller}`, 1n);
      this.#mustBeLeft(order);
      return;
    }
    if (!known) throw new InvariantError('terminal', `dispute ${id} is not there`);
    must(known.state === 'open', 'terminal', `${type} of dispute ${id}, which is ${known.state}`);
    if (type === 'dispute-lost') {
      this.#post(currency, `seller_disputed:${seller}`, 'disputes', known.amount);
      known.state = 'lost';
    } else if (type === 'dispute-won') {
      this.#post(currency, 'psp_clearing', 'disputes', known.amount);
      this.#split(currency, seller, data, `seller_disputed:${seller}`, -1n);
      known.state = 'won';
    }
  }

  /** Refunded and disputed, but for what failed or was won: never above what was captured. */
  #mustBeLeft({ captured, refunds, disputes, checkout, id }: NaiveOrder): void {
    let back = 0n;
    for (const { amount, state } of refunds.values()) if (state !== 'failed') back += amount;
    for (const { amount, state } of disputes.values()) if (state !== 'won') back += amount;
    must(back <= captured, 'limits', `${back} of ${captured} of ${checkout} ${id} went back`);
  }

  /** What a settlement file says has gone to the bank, or was taken. An entry is corrected only where a file was tampered with. */
  #settlement({ type, data, stream }: Fact): void {
    must(type !== 'break-corrected', 'reconciled', `an entry was corrected: ${stream}`);
    if (type !== 'settlement-booked') return;
    const currency = String(data.currency);
    this.#post(currency, 'bank', 'psp_clearing', amountOf(data.to_bank));
    this.#post(currency, 'psp_clearing', 'bank', amountOf(data.from_bank));
    this.#post(currency, 'psp_fees', 'psp_clearing', amountOf(data.fees));
    this.#post(currency, 'psp_clearing', 'psp_fees', amountOf(data.fees_returned));
  }

  #seller({ type, data }: Fact): void {
    const seller = String(data.seller_account);
    const currency = String(data.currency);
    const available = `seller_available:${seller}`;
    if (type === 'reserve-released') {
      const amount = amountOf(data.amount);
      const held = this.owed('seller_reserve', seller, currency);
      must(amount <= held, 'limits', `${amount} let go of ${held} in reserve`);
      this.#post(currency, `seller_reserve:${seller}`, available, amount);
      return;
    }
    if (!type.startsWith('payout-')) return;
    const id = String(data.payout_id);
    const key = `${seller} ${id}`;
    const known = this.payouts.get(key);
    if (type === 'payout-requested') {
      must(!known, 'once', `payout ${key} twice`);
      const amount = amountOf(data.amount);
      const asked = { pspPayoutId: undefined, state: 'requested', psp: String(data.psp) };
      this.payouts.set(key, { seller, id, amount, currency, ...asked });
      this.#post(currency, available, 'payouts_in_transit', amount);
      return;
    }
    if (!known) throw new InvariantError('terminal', `payout ${key} is not there`);
    this.#payout(known, type, data);
  }

  #payout(payout: NaivePayout, type: string, data: Members): void {
    const { seller, id, state, amount, currency } = payout;
    const isOver = state === 'failed' || (state === 'paid' && type !== 'payout-failed');
    must(!isOver, 'terminal', `${type} of ${seller} ${id}, which is ${state}`);
    if (type === 'payout-paid') this.#post(currency, 'payouts_in_transit', 'bank', amount);
    if (type === 'payout-failed') {
      must(data.reason !== 'invalid_request', 'amounts', `payout ${id} is about ${amount}`);
      must((state === 'paid') === data.after_paid, 'terminal', `payout ${id} was ${state}`);
      const from = state === 'paid' ? 'bank' : 'payouts_in_transit';
      this.#post(currency, from, `seller_available:${seller}`, amount);
    }
    if (type === 'payout-sent') payout.pspPayoutId = String(data.psp_payout_id);
    payout.state = type.replace(/^payout-/, '');
  }

  /** From what the seller has pending and available to another account, or back. */
  #split(currency: string, seller: string, data: Members, to: string, sign: bigint): void {
    const [pending, available] = [amountOf(data.pending), amountOf(data.available)];
    must(pending + available === amountOf(data.amount), 'balanced', `${pending} + ${available}`);
    this.#post(currency, `seller_pending:${seller}`, to, sign * pending);
    this.#post(currency, `seller_available:${seller}`, to, sign * available);
  }

  #hold(currency: string, amount: bigint): void {
    this.#post(currency, 'psp_clearing', 'buyer', amount, 'pending ');
  }

  #post(currency: string, debit: string, credit: string, amount: bigint, held = ''): void {
    for (const [account, change] of [
      [debit, amount],
      [credit, -amount],
    ] as const) {
      const key = `${held}${account} ${currency}`;
      this.balances.set(key, (this.balances.get(key) ?? 0n) + change);
    }
  }
}

function amountOf(text: unknown): bigint {
  if (typeof text !== 'string' || !/^\d+$/.test(text)) {
    throw new InvariantError('balanced', `${String(text)} is no amount`);
  }
  return BigInt(text);
}
