import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { type AmountSteps, orderProblem, paymentStepOf } from './amount-steps.ts';
import { KeptFolds, type Loaded } from './change.ts';
import { type CheckoutChanged, changeCheckout, loadCheckout } from './change-checkout.ts';
import { changeSeller, changeWithWallet, loadSeller, type SellerChanged } from './change-seller.ts';
import { type At, calledAt, givenAt } from './command-time.ts';
import {
  failRefund,
  observeDispute,
  observeRefund,
  release,
  requestRefund,
} from './decide/after-capture.ts';
import { observePayment } from './decide/attempts.ts';
import { requestCapture, requestEnd } from './decide/captures.ts';
import { decideReview } from './decide/checkout.ts';
import { giveEvidence } from './decide/evidence.ts';
import {
  failPayout,
  observePayout,
  registerSeller,
  releaseReserve,
  setBank,
} from './decide/seller.ts';
import type { OpenedCheckout, RegisteredSeller } from './known-streams.ts';
import { type OpenCommand, openOnce } from './open-checkout.ts';
import { lastAttempt } from './order-state.ts';
import {
  type PayoutCommand,
  type PayoutReleaseMeans,
  payOut,
  payOutOn,
  payOutReleased,
} from './pay-out.ts';
import type { PspDispute, PspPayment, PspPayout, PspRefund } from './psp/port.ts';
import type { Routable } from './psp/routing.ts';
import type { WalletsReadModel } from './read-model/wallets.ts';
import type { Seller, SellerTerms } from './seller-state.ts';
import type { Checkout } from './state.ts';
import {
  type EvidenceCommand,
  type SubmitEvidenceCommand,
  submitEvidence,
} from './submit-evidence.ts';

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
  checkout(id: string): Promise<Loaded<OpenedCheckout>> {
    return loadCheckout(this.#means, id);
  }

  seller(account: string): Promise<Loaded<RegisteredSeller>> {
    return loadSeller(this.#means, account);
  }

  /** Opens a checkout; the very same one again changes nothing, so that a request that was cut off can be run again. */
  open(command: OpenCommand): Promise<CheckoutChanged> {
    return openOnce(this.#means, this.#sellers, command);
  }

  /** Why the provider that an order would go to takes no such amount; undefined where it does. */
  orderProblem(order: Routable): string | undefined {
    return orderProblem(order, this.#means.steps);
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
            stepOf: paymentStepOf(this.#means.steps),
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
        stepOf: paymentStepOf(this.#means.steps),
      }),
    );
  }

  async evidence(id: string, orderId: string, command: EvidenceCommand): Promise<CheckoutChanged> {
    return this.changeCheckout(id, (checkout) =>
      giveEvidence(checkout, orderId, { ...command, at: this.#at(command) }),
    );
  }

  /**
   * Has the provider be sent it. Files are stored first, and only where the dispute takes an answer; `requestId` tells those
   * of one request from those of another.
   */
  submitEvidence(
    id: string,
    orderId: string,
    command: SubmitEvidenceCommand,
  ): Promise<CheckoutChanged> {
    return submitEvidence(this.#means, id, orderId, command);
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
  payOut(command: PayoutCommand): Promise<SellerChanged> {
    return payOut(this.#means, command);
  }

  /** A payout that a second person has released. */
  payOutReleased(command: PayoutCommand & { readonly amount: bigint }): Promise<SellerChanged> {
    return payOutReleased(this.#means, command);
  }

  /**
   * Pays a seller in every currency it sells in, where its schedule pays on that day (`2026-11-24`, UTC). Safe to repeat:
   * there is one payout for each seller, currency and day.
   */
  payOutOn(
    account: string,
    day: string,
    command: { readonly psp: string } & At,
  ): Promise<ReadonlyMap<string, SellerChanged>> {
    return payOutOn(this.#means, account, day, command);
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
    const { currency } = command;
    return changeWithWallet(this.#means, account, currency, ({ state, revision }, wallet) =>
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
  changeCheckout(
    id: string,
    decide: Parameters<typeof changeCheckout>[2],
  ): Promise<CheckoutChanged> {
    return changeCheckout(this.#means, id, decide);
  }

  changeSeller(
    account: string,
    decide: Parameters<typeof changeSeller>[2],
  ): Promise<SellerChanged> {
    return changeSeller(this.#means, account, decide);
  }

  #at(command: At): number {
    return givenAt(command, this.#means.clock);
  }

  #call(command: At): ReturnType<typeof calledAt> {
    return calledAt(command, this.#means);
  }
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
