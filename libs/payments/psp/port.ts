/**
 * A payment service provider (PSP), as far as Annals needs one.
 *
 * This file is the whole port. Adapters: Stripe (`stripe.ts`), which the sandbox PSP answers, too; and a
 * router over several of them (`routing.ts`). `describePsp` in `contract/` is the law they all keep.
 *
 * What may be relied on:
 * - Every call comes to a value. A timeout, a cut connection and a 500 are `unknown`: the effect may or may not
 *   have happened, and it is never taken for a failure. An adapter throws only for bugs.
 * - Nothing is sent twice by the adapter. The caller resends, with the same `key`, or looks up.
 * - The same `key` with the same request has one effect and one answer while the key lives (`keyLifeMs`).
 */

import type { Evidence, EvidenceFile } from './evidence.ts';

/** Minor units of an ISO 4217 currency, its code in upper case. */
export interface PspMoney {
  readonly amount: bigint;
  readonly currency: string;
}

/** What an amount is for: charges, captures and refunds, or payouts. */
export type AmountUse = 'payment' | 'payout';

/** What a call came to. `requestId` is the provider's name of the call, for asking its support. */
export type PspAnswer<T> =
  | PspAnswered<T>
  /** The buyer has to do something first: send the browser to `actionUrl`. No money has moved. */
  | {
      readonly kind: 'requires_action';
      readonly value: T;
      readonly actionUrl: string;
      readonly requestId?: string;
    }
  | PspDeclined
  | PspRefused
  | PspUnknown;

export interface PspAnswered<T> {
  readonly kind: 'answered';
  readonly value: T;
  readonly requestId?: string;
}

/** The bank or the provider said no to this payment; surely no money has moved. */
export interface PspDeclined {
  readonly kind: 'declined';
  readonly reason: DeclineReason;
  /** The provider's own word, for people who ask its support. Never personal data. */
  readonly code: string;
  readonly next: DeclineNext;
  readonly requestId?: string;
}

/** The call surely had no effect. */
export interface PspRefused {
  readonly kind: 'refused';
  readonly reason: RefusalReason;
  readonly detail: string;
  readonly requestId?: string;
}

/** The call may or may not have had its effect: resend it with the same key, or look the object up. */
export interface PspUnknown {
  readonly kind: 'unknown';
  readonly reason: UnknownReason;
  readonly detail: string;
  /** The provider keeps this very answer for the key: resending is in vain while the key lives, only looking helps. */
  readonly replayed?: boolean;
  readonly requestId?: string;
}

export const declineReasons = [
  'insufficient_funds',
  'lost_card',
  'stolen_card',
  'expired_card',
  'incorrect_details',
  'authentication_required',
  'authentication_failed',
  'limit_exceeded',
  'suspected_fraud',
  'not_supported',
  'processing_error',
  'do_not_honor',
] as const;
export type DeclineReason = (typeof declineReasons)[number];

/** What may help after a decline: the same again later, another card or an authentication, or nothing. */
export type DeclineNext = 'retry' | 'ask_buyer' | 'fail';

/**
 * `rate_limited`, `unreachable` (no connection came about): the same may be sent again later.
 * `wrong_state`: the object is not (or no longer) in a state that allows this: retrieve it.
 * `not_found`, `invalid_request`, `not_permitted`, `key_reused`: sending it again comes to the same.
 * `balance_insufficient`: the balance at the provider does not cover it yet.
 * `no_route`: no provider takes this payment. `unavailable`: the provider is known to be down, nothing was sent.
 */
export type RefusalReason =
  | 'rate_limited'
  | 'unreachable'
  | 'unavailable'
  | 'balance_insufficient'
  | 'wrong_state'
  | 'not_found'
  | 'invalid_request'
  | 'not_permitted'
  | 'key_reused'
  | 'no_route';

/** Whether the very same call may succeed later without anybody changing anything. */
export function mayRetry({ reason }: PspRefused): boolean {
  return passing.has(reason);
}

const passing: ReadonlySet<RefusalReason> = new Set([
  'rate_limited',
  'unreachable',
  'unavailable',
  'balance_insufficient',
]);

/** `in_flight`: another call with the same key is under way, and its outcome is not known yet. */
export type UnknownReason = 'timeout' | 'connection_lost' | 'provider_error' | 'in_flight';

/** Where a payment stands. `declined`: it can be confirmed again with another method, or voided. */
export type PspPaymentStatus =
  | 'created'
  | 'requires_action'
  | 'processing'
  | 'declined'
  | 'authorized'
  | 'captured'
  | 'voided';

/** One payment: at most one live authorization or captured charge at a time. */
export interface PspPayment {
  /** Which provider holds it: `stripe`, or the name of an instance behind a router. */
  readonly psp: string;
  readonly id: string;
  /** The reference given when it was created. Empty when it was made by somebody else. */
  readonly reference: string;
  readonly status: PspPaymentStatus;
  readonly amount: PspMoney;
  /** What was captured; zero before. */
  readonly captured: PspMoney;
  readonly refunded: PspMoney;
  readonly disputed: boolean;
  /** What the provider keeps of the captured amount; absent until the provider has said it. */
  readonly fee?: PspMoney;
  /** The provider's id of the charge, once there is one: settlement files name it. */
  readonly chargeId?: string;
  /** Why the last attempt was declined. */
  readonly declined?: Pick<PspDeclined, 'reason' | 'code' | 'next'>;
  /** Where the buyer goes while the status is `requires_action`. */
  readonly actionUrl?: string;
  /** What tells one card from another without being its number. */
  readonly fingerprint?: string;
}

export type PspRefundStatus = 'pending' | 'succeeded' | 'failed' | 'canceled';

export interface PspRefund {
  readonly psp: string;
  readonly id: string;
  readonly reference: string;
  readonly paymentId: string;
  readonly amount: PspMoney;
  readonly status: PspRefundStatus;
  readonly failure?: string;
}

/** `failed` may come after `paid`: the bank sent the money back. */
export type PspPayoutStatus = 'pending' | 'in_transit' | 'paid' | 'failed' | 'canceled';

export interface PspPayout {
  readonly psp: string;
  readonly id: string;
  readonly reference: string;
  readonly amount: PspMoney;
  readonly status: PspPayoutStatus;
  /** When the bank is expected to have it: milliseconds since 1970. */
  readonly arrivalAt: number;
  readonly failure?: string;
}

export type PspDisputeStatus = 'needs_response' | 'under_review' | 'won' | 'lost' | 'warning';

export interface PspDispute {
  readonly psp: string;
  readonly id: string;
  readonly paymentId: string;
  readonly amount: PspMoney;
  /** The provider's fee for the dispute; absent until it has said one. */
  readonly fee?: PspMoney;
  readonly status: PspDisputeStatus;
  readonly reason: string;
  /** Until when evidence is taken: milliseconds since 1970. */
  readonly evidenceBy?: number;
}

/** What can be fetched by its id, and what a webhook speaks of. */
export interface PspObjects {
  readonly payment: PspPayment;
  readonly refund: PspRefund;
  readonly payout: PspPayout;
  readonly dispute: PspDispute;
  /** Also by the provider's own id of it, which is only a part of ours. */
  readonly authentication: PspAuthentication;
  readonly page: PspPage;
}
export type PspObjectKind = keyof PspObjects;

/** Kinds that carry our reference. */
export type PspReferencedKind = 'payment' | 'refund' | 'payout' | 'page';

/** One call that changes something. */
export interface PspCall {
  /** Idempotency key: the effect id of the intent event. The same for every resend. */
  readonly key: string;
  /** Gives up waiting; the answer is then `unknown` with `timeout`, unless nothing was sent. */
  readonly signal?: AbortSignal;
}

export interface CreatePayment extends PspCall {
  /** Ours, and unique: what `find` looks for. Never personal data. */
  readonly reference: string;
  readonly amount: PspMoney;
  /** The token of the payment method, as the provider's page gave it; never a card number. */
  readonly method: string;
  /** `manual` authorizes at `confirm` and waits for `capture`. */
  readonly capture: 'automatic' | 'manual';
  /** The authentication that this payment rests on; see `authenticate`. */
  readonly authentication?: string;
  /** For rules of routing, and for the provider's own search. Never personal data. */
  readonly seller?: string;
}

export interface ConfirmPayment extends PspCall {
  readonly paymentId: string;
  /** The authentication it was created with: the buyer need not be there. */
  readonly authentication?: string;
  /** Where the browser comes back to after an action. */
  readonly returnUrl?: string;
}

export interface CapturePayment extends PspCall {
  readonly paymentId: string;
  /** At most what is authorized; what is left of the authorization is released. */
  readonly amount: PspMoney;
}

export interface VoidPayment extends PspCall {
  readonly paymentId: string;
}

export interface CreateRefund extends PspCall {
  readonly reference: string;
  readonly paymentId: string;
  readonly amount: PspMoney;
}

export interface CreatePayout extends PspCall {
  readonly reference: string;
  readonly amount: PspMoney;
  /** The token of the seller's bank account, as the provider knows it. */
  readonly destination: string;
}

/** All that is said in a dispute, once: nothing can be added to it later. */
export interface SubmitEvidence extends PspCall {
  readonly disputeId: string;
  readonly evidence: Evidence;
  /** Each field once. */
  readonly files?: readonly EvidenceFile[];
}

/** Proves once that the buyer is the holder of a payment method, for several payments of one checkout. */
export interface Authenticate extends PspCall {
  readonly reference: string;
  readonly method: string;
  readonly returnUrl?: string;
}

export interface PspAuthentication {
  readonly psp: string;
  /** Given to `createPayment` as `authentication`. */
  readonly id: string;
  readonly reference: string;
  readonly status: 'authenticated' | 'requires_action' | 'processing' | 'failed' | 'canceled';
  readonly actionUrl?: string;
}

/** A page of the provider that asks the buyer for a card, with all that the bank wants to know. No money moves. */
export interface OpenPage extends PspCall {
  /** Ours, and unique to the checkout. Never personal data. */
  readonly reference: string;
  readonly currency: string;
  /** Where the page leads back to, whatever came of it. */
  readonly returnUrl: string;
  /** When it takes no card any more, milliseconds since 1970: from half an hour to a day ahead. */
  readonly expiresAt: number;
}

export interface PspPage {
  readonly psp: string;
  readonly id: string;
  readonly reference: string;
  /** `completed`: the three last members are there. */
  readonly status: 'open' | 'completed' | 'expired';
  /** Where the buyer goes while it is open. */
  readonly url?: string;
  /** Given to `createPayment` as `authentication`. */
  readonly authentication?: string;
  readonly method?: string;
  readonly fingerprint?: string;
}

export interface ClosePage extends PspCall {
  readonly pageId: string;
}

/** What a token stands for. */
export interface PspMethod {
  readonly psp: string;
  readonly id: string;
  /** What tells one card from another without being its number: the same in every payment of it. */
  readonly fingerprint?: string;
}

export interface FindQuery {
  readonly reference: string;
  /** When the call that may have made it was first sent, milliseconds since 1970: older objects are not looked at. */
  readonly since: number;
  /** Of a refund: the payment that it gives back. Makes the look cheap. */
  readonly paymentId?: string;
}

/** What a look for our reference came to. */
export type PspFound<T> =
  | { readonly kind: 'found'; readonly value: T; readonly requestId?: string }
  /**
   * Nothing with this reference. It is proof only when it was asked `settledMs` or more after the last moment at
   * which the call may have arrived; before that it means nothing.
   */
  | { readonly kind: 'not_found'; readonly settledMs: number }
  /** More than one: somebody used the reference twice. */
  | { readonly kind: 'ambiguous'; readonly ids: readonly string[] }
  | PspRefused
  | PspUnknown;

/** A webhook is a hint: fetch the object, then decide. */
export interface PspHint {
  readonly psp: string;
  /** The provider's id of the event, the same in every delivery: what duplicates are known by. */
  readonly eventId: string;
  /** The provider's word for what happened. */
  readonly type: string;
  readonly object: { readonly kind: PspObjectKind; readonly id: string };
  readonly occurredAt: number;
}

/** Which of a provider's events are asked for; times are milliseconds since 1970, by the provider's clock. */
export interface HintsQuery {
  /** Inclusive. */
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  /** The `next` of the page before. */
  readonly after?: string;
  /** At most `hintsPageMax`. */
  readonly limit?: number;
}

export const hintsPageMax = 100;

export interface HintsPage {
  readonly hints: readonly PspHint[];
  /** Undefined at the end. */
  readonly next: string | undefined;
}

export type ParsedWebhook =
  | { readonly kind: 'hint'; readonly hint: PspHint }
  /** Genuine, and nothing that Annals follows: answer it with success. */
  | { readonly kind: 'ignored'; readonly eventId: string; readonly type: string }
  /** Not to be believed. */
  | {
      readonly kind: 'refused';
      readonly reason: 'wrong_signature' | 'stale' | 'malformed' | 'too_large';
      readonly detail: string;
    };

export interface WebhookDelivery {
  /** The very bytes that came: a signature covers bytes. */
  readonly body: Uint8Array;
  readonly signature: string | undefined;
  readonly receivedAt: number;
}

/** One day's file of everything that moved the balance at the provider. */
export interface SettlementFile {
  readonly psp: string;
  /** The day in UTC, `YYYY-MM-DD`. */
  readonly date: string;
  /** Which mapper reads it. */
  readonly format: 'stripe-balance-change-itemized-3';
  /** Its bytes as they come. Throws SettlementFileError when it breaks off. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** The file broke off on its way: begin again from its first byte. */
export class SettlementFileError extends Error {
  readonly code = 'settlement-file-broken';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SettlementFileError';
  }
}

/** What a provider promises about its own behaviour. */
export interface PspTerms {
  /** How long a key is remembered: a resend after that may have a second effect. */
  readonly keyLifeMs: number;
  /** The longest a call waits for its answer. */
  readonly callMsMax: number;
  /** After this the provider has surely finished with (or dropped) a call that was sent. */
  readonly inFlightMsMax: number;
}

export interface Psp {
  readonly name: string;
  readonly terms: PspTerms;

  /** Of what an amount must be a multiple, in minor units: 1 where any will do. Pure: a table of the adapter's. */
  amountStep(use: AmountUse, currency: string): bigint;

  /** Once for a checkout with several payments, before they are confirmed. Moves no money. */
  authenticate(request: Authenticate): Promise<PspAnswer<PspAuthentication>>;

  /** Makes a page where the buyer gives a card: what comes of it is told by the page itself. */
  openPage(request: OpenPage): Promise<PspAnswer<PspPage>>;

  /** The page takes no card any more: it is `expired` then. `wrong_state` where it is not open. */
  closePage(request: ClosePage): Promise<PspAnswer<PspPage>>;

  /** Makes the payment known at the provider and moves nothing: store its id before it is confirmed. */
  createPayment(request: CreatePayment): Promise<PspAnswer<PspPayment>>;
  /** Authorizes, and captures where `capture` is automatic. */
  confirmPayment(request: ConfirmPayment): Promise<PspAnswer<PspPayment>>;
  capturePayment(request: CapturePayment): Promise<PspAnswer<PspPayment>>;
  /** Lets go of an authorization, or of a payment that was never confirmed. */
  voidPayment(request: VoidPayment): Promise<PspAnswer<PspPayment>>;
  createRefund(request: CreateRefund): Promise<PspAnswer<PspRefund>>;
  createPayout(request: CreatePayout): Promise<PspAnswer<PspPayout>>;
  /** `wrong_state` where the dispute is decided or was answered already. */
  submitEvidence(request: SubmitEvidence): Promise<PspAnswer<PspDispute>>;

  /** The object as the provider holds it now; consistent at once. Never `declined` or `requires_action`. */
  retrieve<Kind extends PspObjectKind>(
    kind: Kind,
    id: string,
  ): Promise<PspAnswered<PspObjects[Kind]> | PspRefused | PspUnknown>;
  /** What a token stands for, before anything is charged. Changes nothing. */
  method(token: string): Promise<PspAnswered<PspMethod> | PspRefused | PspUnknown>;
  find<Kind extends PspReferencedKind>(
    kind: Kind,
    query: FindQuery,
  ): Promise<PspFound<PspObjects[Kind]>>;

  /** Pure, but for the secrets it was made with: no I/O. */
  parseWebhook(delivery: WebhookDelivery): ParsedWebhook;
  /**
   * What the provider told, or wanted to tell, by webhooks about what it alone brings to pass: refunds, disputes, payouts,
   * authentications. The newest come first. The same event has the same id here and in its webhook.
   */
  hints(query: HintsQuery): Promise<PspAnswered<HintsPage> | PspRefused | PspUnknown>;
  /** Asked for a day that is not over, or not ready: `refused` with `wrong_state`. */
  settlementFile(date: string): Promise<PspAnswered<SettlementFile> | PspRefused | PspUnknown>;
}
