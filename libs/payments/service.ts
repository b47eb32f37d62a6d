import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { type Changed, changeAndLoad, KeptFolds, type Loaded, loadStream } from './change.ts';
import {
  failRefund,
  observeDispute,
  observeRefund,
  release,
  requestRefund,
} from './decide/after-capture.ts';
import { observePayment } from './decide/attempts.ts';
import { requestCapture, requestEnd, type StepOf } from './decide/captures.ts';
import { decideReview, type OpenCheckout, openCheckout } from './decide/checkout.ts';
import { giveEvidence, requestEvidence } from './decide/evidence.ts';
import {
  failPayout,
  observePayout,
  payoutAmount,
  registerSeller,
  releaseReserve,
  requestPayout,
  setBank,
  type WalletBalance,
} from './decide/seller.ts';
import type { CheckoutEvent, SellerEvent } from './events.ts';
import { keepEvidenceFiles } from './evidence-files.ts';
import type { PayoutLimits } from './finance/payout-limits.ts';
import { type Finance, releaseRequestId } from './finance/service.ts';
import { releaseClosed } from './finance/state.ts';
import {
  checkoutStreams,
  type OpenedCheckout,
  type RegisteredSeller,
  sellerFacts,
  sellerStreams,
} from './known-streams.ts';
import { stepProblem } from './money.ts';
import { type Decided, type Refused, refused } from './outcome.ts';
import { isPayoutDay, scheduledPayoutId } from './payout-schedule.ts';
import type { Evidence, EvidenceFile } from './psp/evidence.ts';
import type { PspDispute, PspPayment, PspPayout, PspRefund } from './psp/port.ts';
import type { PspRouting, Routable } from './psp/routing.ts';
import type { WalletsReadModel } from './read-model/wallets.ts';
import type { Seller, SellerTerms } from './seller-state.ts';
import { type Checkout, lastAttempt } from './state.ts';
import { checkoutStream, sellerStream } from './streams.ts';

export interface PaymentsMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream'>;
  readonly cipher: SubjectCipher;
  readonly clock: Pick<Clock, 'now'>;
  readonly wallets: WalletsReadModel;
  /** How long a payout waits for the wallet to see the seller's last event, in milliseconds; 5,000 unless told. */
  readonly walletMsMax?: number;
  /** How long after it was asked for a call to a provider may still be made, in milliseconds; a minute unless told. */
  readonly callMsMax?: number;
  /** Who asks; see `as`. */
  readonly actor?: string;
  /** Payouts that need a second person. Without it there is no limit. */
  readonly releases?: PayoutReleaseMeans;
  /** Which amounts providers take, as `PspRouting` knows. Without it any. */
  readonly steps?: AmountSteps;
}

/** Of what amounts must be multiples, in minor units. */
export type AmountSteps = Pick<PspRouting, 'amountStep' | 'orderStep'>;

/** Where payouts above a limit wait: `Finance` of `@annals/payments/finance` asks for their release. */
export interface PayoutReleaseMeans {
  /** Above which amount, by currency. */
  readonly above: PayoutLimits;
  readonly finance: Pick<Finance, 'requestRelease' | 'request'>;
}

type CheckoutDecision = Decided<CheckoutEvent> | Refused;
type SellerDecision = Decided<SellerEvent> | Refused;

export type CheckoutChanged = Changed<OpenedCheckout>;
export type SellerChanged = Changed<RegisteredSeller>;

/** When a command was given: a request that is run again gives the time it was begun at. The clock's unless told. */
export interface At {
  readonly at?: number;
}

export interface PayoutCommand extends At {
  readonly seller: string;
  readonly payoutId: string;
  readonly currency: string;
  /** All that is available unless told. */
  readonly amount?: bigint;
  readonly psp: string;
  readonly because: 'schedule' | 'on_demand';
}

/** With a token of the card, or with the provider that makes a page where the buyer gives one. */
export type OpenCommand = Omit<OpenCheckout, 'at' | 'page'> &
  At & { readonly page?: { readonly psp: string; readonly pageExpiresAt: number } };

/** The operations of payments. What is wrong with a request is a value; broken I/O throws. */
export class Payments {
  readonly #means: PaymentsMeans & Required<Pick<PaymentsMeans, 'walletMsMax' | 'callMsMax'>>;
  /** Every payment asks for its sellers: of each only what is new is read. */
  readonly #sellers: KeptFolds<Seller>;

  constructor(means: PaymentsMeans, sellers = new KeptFolds<Seller>()) {
    this.#means = { walletMsMax: 5_000, callMsMax: 60_000, ...means };
    this.#sellers = sellers;
  }

  /** The same operations, with the id of the key that asks for them in their events. */
  as(actor: string): Payments {
    return new Payments({ ...this.#means, actor }, this.#sellers);
  }

  /** The checkout as the log has it now. */
  async checkout(id: string): Promise<Loaded<OpenedCheckout>> {
    return loadStream(this.#means, checkoutStreams, checkoutStream(id));
  }

  async seller(account: string): Promise<Loaded<RegisteredSeller>> {
    return loadStream(this.#means, sellerStreams, sellerStream(account));
  }

  /** Opens a checkout; the very same one again changes nothing, so that a request that was cut off can be run again. */
  async open(command: OpenCommand): Promise<CheckoutChanged> {
    for (const { paymentOrderId, sellerAccount, amount } of command.orders) {
      const { currency } = command;
      const problem = this.orderProblem({ amount: { amount, currency }, seller: sellerAccount });
      if (problem !== undefined)
        return refused('amount-step', `order ${paymentOrderId}: ${problem}`);
    }
    const sellers = new Map<string, Seller>();
    for (const account of new Set(command.orders.map((order) => order.sellerAccount))) {
      const { state } = await this.#sellers.load(this.#means, sellerFacts, sellerStream(account));
      if (state) sellers.set(account, state);
    }
    const { page, ...rest } = command;
    const { at, callBefore } = this.#call(command);
    const asked = { ...rest, at, ...(page ? { page: { ...page, callBefore } } : {}) };
    return this.changeCheckout(command.checkoutId, (checkout, { method, buyerInfo }) => {
      const decision = openCheckout(checkout, sellers, asked);
      const isKnown = decision.kind === 'refused' && decision.reason === 'checkout-exists';
      if (!isKnown || !checkout) return decision;
      const isSame =
        sameCheckout(checkout, command) &&
        (command.page ? checkout.page !== undefined : method === command.method) &&
        sameInfo(buyerInfo, command.buyerInfo);
      return isSame ? { kind: 'decided', events: [] } : decision;
    });
  }

  /** Why the provider that an order would go to takes no such amount; undefined where it does. */
  orderProblem(order: Routable): string | undefined {
    const { amount, currency } = order.amount;
    return stepProblem(amount, this.#means.steps?.orderStep(order) ?? 1n, currency);
  }

  /** Takes all or a part of what is authorized; what is being taken already is not taken again. */
  async capture(
    id: string,
    orderId: string,
    command: { readonly amount?: bigint } & At = {},
  ): Promise<CheckoutChanged> {
    return this.changeCheckout(id, (checkout) =>
      isCapturing(checkout, orderId, command.amount)
        ? { kind: 'decided', events: [] }
        : requestCapture(checkout, orderId, {
            ...command,
            ...this.#call(command),
            stepOf: this.#stepOf,
          }),
    );
  }

  async cancel(id: string, orderId: string, command: At = {}): Promise<CheckoutChanged> {
    return this.changeCheckout(id, (checkout) =>
      requestEnd(checkout, orderId, { as: 'canceled', ...this.#call(command) }),
    );
  }

  /** The buyer has the goods: what is pending becomes available. */
  async delivered(id: string, orderId: string, command: At = {}): Promise<CheckoutChanged> {
    return this.changeCheckout(id, (checkout) =>
      release(checkout, orderId, { because: 'delivered', at: this.#at(command) }),
    );
  }

  /** The days are over after which money becomes available without a delivery. */
  async releaseDue(id: string, orderId: string, command: At = {}): Promise<CheckoutChanged> {
    return this.changeCheckout(id, (checkout) =>
      release(checkout, orderId, { because: 'days', at: this.#at(command) }),
    );
  }

  /** Ends an order of a checkout whose time is over; what is authorized is let go first. */
  async expire(id: string, orderId: string, command: At = {}): Promise<CheckoutChanged> {
    return this.changeCheckout(id, (checkout) =>
      requestEnd(checkout, orderId, { as: 'expired', ...this.#call(command) }),
    );
  }

  async review(
    id: string,
    orderId: string,
    command: { readonly verdict: 'approved' | 'rejected'; readonly decidedBy: string } & At,
  ): Promise<CheckoutChanged> {
    return this.changeCheckout(id, (checkout) =>
      decideReview(checkout, orderId, { ...command, at: this.#at(command) }),
    );
  }

  /** Gives back all or a part of what was captured. */
  async refund(
    id: string,
    orderId: string,
    command: { readonly refundId: string; readonly amount: bigint } & At,
  ): Promise<CheckoutChanged> {
    return this.changeCheckout(id, (checkout) =>
      requestRefund(checkout, orderId, {
        ...command,
        ...this.#call(command),
        stepOf: this.#stepOf,
      }),
    );
  }

  async evidence(
    id: string,
    orderId: string,
    command: { readonly disputeId: string; readonly givenBy: string } & At,
  ): Promise<CheckoutChanged> {
    return this.changeCheckout(id, (checkout) =>
      giveEvidence(checkout, orderId, { ...command, at: this.#at(command) }),
    );
  }

  /**
   * Has the provider be sent it. Files are stored first, and only where the dispute takes an answer; `requestId` tells those
   * of one request from those of another.
   */
  async submitEvidence(
    id: string,
    orderId: string,
    command: Parameters<Payments['evidence']>[2] & {
      readonly evidence: Evidence;
      readonly files?: { readonly requestId: string; readonly files: readonly EvidenceFile[] };
    },
  ): Promise<CheckoutChanged> {
    const { files: given, ...rest } = command;
    const request = (files: Parameters<typeof requestEvidence>[2]['files'] = []) =>
      this.changeCheckout(id, (checkout) =>
        requestEvidence(checkout, orderId, { ...rest, ...this.#call(command), files }),
      );
    if (!given || given.files.length === 0) return request();
    const { state } = await this.checkout(id);
    const wanted = requestEvidence(state?.checkout, orderId, { ...rest, ...this.#call(command) });
    if (wanted.kind === 'refused') return wanted;
    const { requestId } = given;
    const of = { checkoutId: id, requestId, at: this.#at(command) };
    const kept = await keepEvidenceFiles(this.#means, of, given.files);
    return kept.kind === 'kept' ? request(kept.files) : kept;
  }

  /** What a provider says, whoever brought it; what changes nothing stores nothing. */
  async observedPayment(
    id: string,
    orderId: string,
    attempt: number,
    payment: PspPayment,
  ): Promise<CheckoutChanged> {
    return this.changeCheckout(id, (checkout) =>
      observePayment(checkout, orderId, attempt, payment, this.#at({})),
    );
  }

  async observedRefund(
    id: string,
    orderId: string,
    refundId: string,
    observed: Pick<PspRefund, 'id' | 'status' | 'failure' | 'amount'>,
  ): Promise<CheckoutChanged> {
    return this.changeCheckout(id, (checkout) =>
      observeRefund(checkout, orderId, refundId, observed, this.#at({})),
    );
  }

  /** A refund that surely never reached the provider. */
  async failedRefund(
    id: string,
    orderId: string,
    command: { readonly refundId: string; readonly reason: string } & At,
  ): Promise<CheckoutChanged> {
    return this.changeCheckout(id, (checkout) =>
      failRefund(checkout, orderId, { ...command, at: this.#at(command) }),
    );
  }

  async observedDispute(
    id: string,
    orderId: string,
    observed: Omit<PspDispute, 'psp' | 'paymentId'>,
  ): Promise<CheckoutChanged> {
    return this.changeCheckout(id, (checkout) =>
      observeDispute(checkout, orderId, observed, this.#at({})),
    );
  }

  /** Registers a seller, or gives one other terms: orders keep those they were opened with. */
  async putSeller(account: string, terms: SellerTerms, command: At = {}): Promise<SellerChanged> {
    return this.changeSeller(account, (seller) =>
      registerSeller(seller, { account, terms, at: this.#at(command) }),
    );
  }

  async putBank(account: string, bankToken: string, command: At = {}): Promise<SellerChanged> {
    return this.changeSeller(account, (seller, known) =>
      known === bankToken
        ? { kind: 'decided', events: [] }
        : setBank(seller, { bankToken, at: this.#at(command) }),
    );
  }

  /**
   * Pays a seller what is available. Decided in the seller's stream against a wallet that has seen all of it. Above the limit
   * of its currency nothing is paid: its release is asked for, and the answer is `needs-release`, or `release-closed` where
   * that was asked for before and has come to nothing.
   */
  async payOut(command: PayoutCommand): Promise<SellerChanged> {
    const { releases } = this.#means;
    const releaseAbove = releases?.above.get(command.currency);
    if (!releases || releaseAbove === undefined) return this.#payOut(command);
    let amount = 0n;
    const changed = await this.#payOut(command, {
      releaseAbove,
      onAmount: (one) => (amount = one),
    });
    if (changed.kind !== 'refused' || changed.reason !== 'needs-release') return changed;
    const { seller, payoutId, currency, psp, because } = command;
    const held = { seller, payoutId, currency, amount, psp, because, by: this.#means.actor };
    const asked = await releases.finance.requestRelease(held);
    if (asked.kind !== 'changed' && asked.kind !== 'refused') return asked;
    const id = releaseRequestId(seller, payoutId);
    const request = asked.kind === 'changed' ? asked.state : await releases.finance.request(id);
    return (request && releaseClosed(request)) ?? changed;
  }

  /** A payout that a second person has released. */
  async payOutReleased(
    command: PayoutCommand & { readonly amount: bigint },
  ): Promise<SellerChanged> {
    return this.#payOut({ ...command, released: true });
  }

  async #payOut(
    command: PayoutCommand & { readonly released?: boolean },
    limit?: { readonly releaseAbove: bigint; readonly onAmount: (amount: bigint) => void },
  ): Promise<SellerChanged> {
    const { seller: account, ...payout } = command;
    return this.#changeWithWallet(account, command.currency, (loaded, wallet) => {
      const { state, revision } = loaded;
      const bankToken = state?.bankToken;
      if (state?.seller.hasBank && bankToken === undefined) {
        return refused('subject-erased', 'the seller was erased, and the bank account with it');
      }
      const step = this.#means.steps?.amountStep(command.psp, 'payout', command.currency) ?? 1n;
      limit?.onAmount(payoutAmount({ ...payout, wallet, step }));
      return requestPayout(state?.seller, {
        ...{ ...payout, step },
        ...this.#call(command),
        ...(limit ? { releaseAbove: limit.releaseAbove } : {}),
        ...{ wallet, revision, bankToken: bankToken ?? '' },
      });
    });
  }

  /**
   * Pays a seller in every currency it sells in, where its schedule pays on that day (`2026-11-24`, UTC). Safe to repeat:
   * there is one payout for each seller, currency and day.
   */
  async payOutOn(
    account: string,
    day: string,
    command: { readonly psp: string } & At,
  ): Promise<ReadonlyMap<string, SellerChanged>> {
    const { state } = await this.seller(account);
    const terms = state?.seller.terms;
    const outcomes = new Map<string, SellerChanged>();
    if (!terms || !isPayoutDay(terms, day)) return outcomes;
    for (const { currency } of terms.currencies) {
      const payoutId = scheduledPayoutId(currency, day);
      const payout = { seller: account, payoutId, currency, because: 'schedule' } as const;
      outcomes.set(currency, await this.payOut({ ...payout, ...command }));
    }
    return outcomes;
  }

  /** Safe to repeat with the same id. */
  async releaseReserve(
    account: string,
    command: {
      readonly releaseId: string;
      readonly currency: string;
      readonly amount: bigint;
    } & At,
  ): Promise<SellerChanged> {
    return this.#changeWithWallet(account, command.currency, ({ state, revision }, wallet) =>
      releaseReserve(state?.seller, { ...command, wallet, revision, at: this.#at(command) }),
    );
  }

  async observedPayout(
    account: string,
    payoutId: string,
    observed: Pick<PspPayout, 'id' | 'status' | 'failure' | 'amount'>,
  ): Promise<SellerChanged> {
    return this.changeSeller(account, (seller) =>
      observePayout(seller, payoutId, observed, this.#at({})),
    );
  }

  /** A payout that surely never left. */
  async failedPayout(
    account: string,
    command: { readonly payoutId: string; readonly reason: string } & At,
  ): Promise<SellerChanged> {
    return this.changeSeller(account, (seller) =>
      failPayout(seller, { ...command, at: this.#at(command) }),
    );
  }

  /** Any other decision about a checkout, as the executor and the steps of a payment make them. */
  async changeCheckout(
    id: string,
    decide: (
      checkout: Checkout | undefined,
      sealed: Pick<OpenedCheckout, 'method' | 'buyerInfo'>,
    ) => CheckoutDecision,
  ): Promise<CheckoutChanged> {
    return changeAndLoad(this.#means, checkoutStreams, checkoutStream(id), ({ state }) =>
      decide(state?.checkout, state ?? { method: undefined, buyerInfo: undefined }),
    );
  }

  async changeSeller(
    account: string,
    decide: (seller: Seller | undefined, bankToken: string | undefined) => SellerDecision,
  ): Promise<SellerChanged> {
    return changeAndLoad(this.#means, sellerStreams, sellerStream(account), ({ state }) =>
      decide(state?.seller, state?.bankToken),
    );
  }

  /** Decides against the wallet, once it has seen the seller's last event. */
  async #changeWithWallet(
    account: string,
    currency: string,
    decide: (loaded: Loaded<RegisteredSeller>, wallet: WalletBalance) => SellerDecision,
  ): Promise<SellerChanged> {
    const { wallets, walletMsMax } = this.#means;
    return changeAndLoad(this.#means, sellerStreams, sellerStream(account), async (loaded) => {
      const reached = await wallets.waitFor(loaded.checkpoint, walletMsMax);
      if (reached !== 'reached') return walletBehind(reached);
      const read = await wallets.wallets(account);
      if (read.kind === 'lost') return walletBehind('lost');
      const { sellerRevision } = read;
      const { available, reserved } = read.wallets.find((one) => one.currency === currency) ?? {
        available: 0n,
        reserved: 0n,
      };
      return decide(loaded, { available, reserved, sellerRevision });
    });
  }

  readonly #stepOf: StepOf = (psp, currency) =>
    this.#means.steps?.amountStep(psp, 'payment', currency) ?? 1n;

  #at({ at }: At): number {
    return at ?? this.#means.clock.now();
  }

  #call(command: At): { readonly at: number; readonly callBefore: number } {
    const at = this.#at(command);
    // Counted from now: a request that goes on after a crash may still be carried out.
    return { at, callBefore: this.#means.clock.now() + this.#means.callMsMax };
  }
}

function walletBehind(why: 'late' | 'lost'): Refused<'wallet-behind' | 'wallet-lost'> {
  return why === 'late'
    ? refused('wallet-behind', 'the wallet has not seen the last payout yet: ask again')
    : refused('wallet-lost', 'the wallets are lost: rebuild them with annals rebuild wallets');
}

/** Whether the checkout that is there is the one of the command; the terms of its sellers may be others by now. */
function sameCheckout(checkout: Checkout, command: OpenCommand): boolean {
  const { currency, capture, expiresAt, returnUrl, orders } = command;
  return (
    checkout.currency === currency &&
    checkout.capture === capture &&
    checkout.expiresAt === expiresAt &&
    checkout.returnUrl === returnUrl &&
    checkout.orders.size === orders.length &&
    orders.every(({ paymentOrderId, sellerAccount, amount, description }) => {
      const terms = checkout.orders.get(paymentOrderId)?.terms;
      return (
        terms?.seller_account === sellerAccount &&
        terms.amount === String(amount) &&
        terms.description === description
      );
    })
  );
}

/** Whether that much is captured, or asked for. */
function isCapturing(
  checkout: Checkout | undefined,
  orderId: string,
  amount: bigint | undefined,
): boolean {
  const order = checkout?.orders.get(orderId);
  const attempt = order && lastAttempt(order);
  if (!order || !attempt) return false;
  if (order.captured > 0n) return order.captured === (amount ?? BigInt(order.terms.amount));
  return attempt.capturing !== undefined && attempt.capturing === (amount ?? attempt.authorized);
}

function sameInfo(a: OpenedCheckout['buyerInfo'], b: OpenCheckout['buyerInfo']): boolean {
  if (!a) return false;
  const entries = Object.entries(b);
  return (
    Object.keys(a).length === entries.length && entries.every(([key, value]) => a[key] === value)
  );
}
