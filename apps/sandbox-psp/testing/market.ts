import { type Clock, newId, systemClock } from '@annals/core';
import { EventTypes, eventType, memoryEventLog } from '@annals/event-log';
import {
  assessRisk,
  buyerSubject,
  type Checkout,
  checkoutStream,
  openCheckout,
  registerSeller,
  requestCapture,
  requestEnd,
  requestEvidence,
  requestPayout,
  requestRefund,
  type Seller,
  sellerStream,
  setBank,
} from '@annals/payments';
import { type Psp, PspRouting } from '@annals/payments/psp';
import type { PspSite } from '@annals/payments/psp/contract';
import {
  followHint,
  type ObserverMeans,
  type PaymentsFolds,
  paymentsAdvance,
  paymentsExecutor,
  paymentsFolds,
  paymentsObserver,
  paymentsRisk,
} from '@annals/payments/reactors';
import type { CardLookup, RiskScreen } from '@annals/payments/risk';
import { type Reactor, runReactor } from '@annals/projection';
import {
  eraseSubject,
  erasureEvent,
  erasureStream,
  memorySubjectKeyStore,
  subjectCipher,
  subjectErased,
} from '@annals/subject-keys';

const erasures = new EventTypes([eventType(subjectErased)]);

export interface MarketStart {
  readonly patienceMs?: number;
  /** What assesses orders as soon as their card is known; what `open` opens is let through without it. */
  readonly screen?: RiskScreen;
  readonly cards?: CardLookup;
}

/** A market without HTTP and read models: streams, decisions, and the reactors that talk to providers. */
export class Market {
  readonly log: ReturnType<typeof memoryEventLog>;
  readonly #keys = memorySubjectKeyStore();
  readonly cipher = subjectCipher(this.#keys);
  readonly clock: Clock;
  readonly folds: PaymentsFolds;
  readonly contradictions: string[] = [];
  readonly #sites: readonly PspSite[];
  readonly routing: PspRouting;
  #runs: { readonly stop: AbortController; readonly ended: Promise<unknown> }[] = [];

  /** The first site is preferred. */
  constructor(sites: readonly PspSite[]) {
    this.#sites = sites;
    const now = () => sites[0]?.now() ?? 0;
    this.clock = { now, sleep: (ms, signal) => systemClock.sleep(ms, signal) };
    this.log = memoryEventLog({ clock: this.clock });
    this.folds = paymentsFolds(this.log, this.cipher);
    this.routing = new PspRouting({
      psps: sites.map(({ psp }) => psp),
      rules: sites.map(({ psp }) => ({ psp: psp.name })),
      breaker: { clock: this.clock, callsMin: 1_000 },
    });
  }

  psp = (name: string): Psp | undefined => this.routing.psp(name);

  /** Starts the reactors, with nothing in their memory. */
  start({ patienceMs = 60_000, screen, cards }: MarketStart = {}): void {
    const { log, cipher, clock, psp } = this;
    const limits = { callWithinMs: 100, patienceMs };
    this.#run(paymentsExecutor({ log, cipher, clock, psp, limits }));
    const advance = { retryAfterMs: 20, callWithinMs: 100 };
    const { routing } = this;
    this.#run(paymentsAdvance({ log, cipher, clock, routing, limits: advance }));
    const risk = { log, cipher, clock, routing, ...(cards ? { cards } : {}) };
    if (screen) this.#run(paymentsRisk({ ...risk, screen }));
  }

  #run(reactor: Reactor): void {
    const stop = new AbortController();
    const { log, cipher, clock } = this;
    const run = { log, cipher, clock, reactor, signal: stop.signal, runId: newId(), from: {} };
    const ended = runReactor(run).catch((error: unknown) => {
      this.contradictions.push(String(error));
    });
    this.#runs.push({ stop, ended });
  }

  async stop(): Promise<void> {
    const runs = this.#runs;
    this.#runs = [];
    for (const { stop } of runs) stop.abort();
    await Promise.all(runs.map(({ ended }) => ended));
  }

  async addSeller(account: string): Promise<void> {
    const currency = {
      currency: 'USD',
      fee_basis_points: 500,
      fee_fixed: '0',
      payout_minimum: '1',
    };
    const terms = {
      currencies: [currency],
      ...{ reserve_basis_points: 0, release_after_days: 7, payout_schedule: 'manual' as const },
    };
    const at = this.clock.now();
    const seller = this.folds.sellers;
    await seller.decide(sellerStream(account), (one) =>
      registerSeller(one, { account, terms, at }),
    );
  }

  /** Opens a checkout of orders of ten dollars each; risk lets all of them through. */
  async open(checkoutId: string, options?: Parameters<Market['openOnly']>[1]): Promise<void> {
    const at = this.clock.now();
    const names = await this.openOnly(checkoutId, options);
    for (const order of names) {
      await this.#decide(checkoutId, (checkout) =>
        assessRisk(checkout, order, { verdict: 'accepted', rules: [], at }),
      );
    }
  }

  /** Opens one, and leaves it to a screen to assess. */
  openOnly(
    checkoutId: string,
    { method = 'pm_card_visa', orders = 1, capture = 'automatic' as 'automatic' | 'manual' } = {},
  ): Promise<readonly string[]> {
    return this.#opened(checkoutId, orders, { capture, method });
  }

  /** Opens one without a card: its buyer gives one on a page that takes it for an hour. */
  async register(checkoutId: string, { orders = 1 } = {}): Promise<void> {
    const [{ psp } = { psp: undefined }] = this.#sites;
    const { at, callBefore } = this.#times();
    const page = { psp: psp?.name ?? '', pageExpiresAt: at + 3_600_000, callBefore };
    await this.#opened(checkoutId, orders, { capture: 'automatic', page });
  }

  /** The address of its page, once there is one. */
  async pageUrl(checkoutId: string): Promise<string> {
    for (;;) {
      const { page } = await this.checkout(checkoutId);
      if (page?.url) return page.url;
      if (page?.state !== 'requested') throw new Error(`the page is ${page?.state}`);
      await systemClock.sleep(5);
    }
  }

  async #opened(
    checkoutId: string,
    orders: number,
    how: Pick<Parameters<typeof openCheckout>[2], 'capture' | 'method' | 'page'>,
  ): Promise<readonly string[]> {
    await this.addSeller('shop');
    const { state: shop } = await this.folds.sellers.load(sellerStream('shop'));
    const sellers = new Map<string, Seller>(shop ? [['shop', shop]] : []);
    const at = this.clock.now();
    const names = Array.from({ length: orders }, (_, index) => `order-${index + 1}`);
    await this.#decide(checkoutId, (checkout) =>
      openCheckout(checkout, sellers, {
        ...{ checkoutId, currency: 'USD', buyerInfo: { name: 'Ann' }, at, ...how },
        orders: names.map((paymentOrderId) => ({
          ...{ paymentOrderId, sellerAccount: 'shop', amount: 1_000n },
        })),
        ...{ returnUrl: 'http://shop.test/back', expiresAt: at + 2 * 3_600_000 },
      }),
    );
    return names;
  }

  async capture(checkoutId: string, amount: bigint): Promise<void> {
    const { at, callBefore } = this.#times();
    await this.#decide(checkoutId, (checkout) =>
      requestCapture(checkout, 'order-1', { amount, at, callBefore }),
    );
  }

  async cancel(checkoutId: string, order = 'order-1'): Promise<void> {
    const { at, callBefore } = this.#times();
    await this.#decide(checkoutId, (checkout) =>
      requestEnd(checkout, order, { as: 'canceled', at, callBefore }),
    );
  }

  /** The buyer is forgotten, as the command does it. */
  async erase(checkoutId: string): Promise<void> {
    const appendErased = async (subject: string) => {
      const event = erasureEvent(subject, this.clock.now());
      const encoded = await erasures.encode([event], this.cipher);
      if (encoded.kind !== 'encoded') throw new TypeError('an erasure names no person');
      return this.log.append(erasureStream(subject), encoded.events, { expected: 'any' });
    };
    await eraseSubject({ appendErased, keys: this.#keys }, buyerSubject(checkoutId));
  }

  async expire(checkoutId: string): Promise<void> {
    const { at, callBefore } = this.#times();
    await this.#decide(checkoutId, (checkout) =>
      requestEnd(checkout, 'order-1', { as: 'expired', at, callBefore }),
    );
  }

  async refund(checkoutId: string, refundId: string, amount: bigint): Promise<void> {
    const { at, callBefore } = this.#times();
    await this.#decide(checkoutId, (checkout) =>
      requestRefund(checkout, 'order-1', { refundId, amount, at, callBefore }),
    );
  }

  async answerDispute(checkoutId: string, disputeId: string, statement: string | undefined) {
    const { at, callBefore } = this.#times();
    const given = { disputeId, givenBy: 'ann', evidence: statement ? { statement } : {} };
    return this.folds.checkouts.decide(checkoutStream(checkoutId), (checkout) =>
      requestEvidence(checkout, 'order-1', { ...given, at, callBefore }),
    );
  }

  /** Pays out of a wallet that is taken to hold enough. */
  async payOut(payoutId: string, amount: bigint, bankToken: string): Promise<void> {
    const { at, callBefore } = this.#times();
    const stream = sellerStream('shop');
    await this.addSeller('shop');
    await this.folds.sellers.decide(stream, (seller) => setBank(seller, { bankToken, at }));
    const { revision } = await this.folds.sellers.load(stream);
    const wallet = { available: amount, reserved: 0n, sellerRevision: revision };
    const psp = this.#sites[0]?.psp.name ?? '';
    const request = { payoutId, currency: 'USD', amount, wallet, revision, psp, bankToken };
    const applied = await this.folds.sellers.decide(stream, (seller) =>
      requestPayout(seller, { ...request, because: 'on_demand', at, callBefore }),
    );
    if (applied.kind === 'refused') throw new Error(applied.detail);
  }

  async checkout(checkoutId: string): Promise<Checkout> {
    const { state } = await this.folds.checkouts.load(checkoutStream(checkoutId));
    if (!state) throw new Error(`there is no ${checkoutId}`);
    return state;
  }

  async order(checkoutId: string, order = 'order-1') {
    const found = (await this.checkout(checkoutId)).orders.get(order);
    if (!found) throw new Error(`${checkoutId} has no ${order}`);
    return found;
  }

  async payout(payoutId: string) {
    const { state } = await this.folds.sellers.load(sellerStream('shop'));
    return state?.payouts.get(payoutId);
  }

  observer(): ObserverMeans {
    const { log, cipher, clock, psp } = this;
    const onContradiction = (_: unknown, why: string) => this.contradictions.push(why);
    return paymentsObserver({ log, cipher, clock, psp, onContradiction });
  }

  /** Every webhook that has come so far, followed; `turn` orders and repeats them. */
  async followWebhooks(turn = <T>(all: readonly T[]): readonly T[] => all): Promise<void> {
    const means = this.observer();
    for (const site of this.#sites) {
      for (const delivery of turn(site.deliveries())) {
        const parsed = site.psp.parseWebhook(delivery);
        if (parsed.kind === 'hint') await followHint(means, parsed.hint);
      }
    }
  }

  async #decide(
    checkoutId: string,
    decide: Parameters<PaymentsFolds['checkouts']['decide']>[1],
  ): Promise<void> {
    const applied = await this.folds.checkouts.decide(checkoutStream(checkoutId), decide);
    if (applied.kind === 'refused') throw new Error(`${applied.reason}: ${applied.detail}`);
  }

  #times() {
    const at = this.clock.now();
    return { at, callBefore: at + 100 };
  }
}
