import { eventType } from '@annals/event-log';
import { z } from 'zod';
import { disputeEvidenceRefused, disputeEvidenceRequested } from './evidence-events.ts';
import { storedAmountSchema as amount } from './money.ts';
import {
  cardIdentified,
  paymentPageClosed,
  paymentPageCloseRequested,
  paymentPageCompleted,
  paymentPageExpired,
  paymentPageOpened,
  paymentPageRefused,
  paymentPageRequested,
} from './payment-page-events.ts';
import { captureRefused, voidRefused } from './refused-call-events.ts';
import { buyerSubject } from './streams.ts';

/**
 * The stored formats of a checkout's stream: version them with care. An event that moves money carries every amount
 * that is booked for it, so that ledger and wallets are functions of single events (`journal.ts`). Amounts are
 * decimal strings of minor units in the currency of the checkout; times are milliseconds since 1970.
 */

const time = z.int();
const order = { checkout_id: z.string(), payment_order_id: z.string() };
const attempt = { ...order, attempt: z.int().min(1) };
const pspPayment = { psp: z.string(), psp_payment_id: z.string() };
const booked = { seller_account: z.string(), currency: z.string() };

export const orderTermsSchema = z.strictObject({
  payment_order_id: z.string(),
  seller_account: z.string(),
  amount,
  description: z.string().optional(),
  /** The fee of the platform, as it stood for this seller when the checkout was opened. */
  fee_basis_points: z.int(),
  fee_fixed: amount,
  /** What of each release is held back in reserve. */
  reserve_basis_points: z.int(),
  /** Days after the capture at which money becomes available without a delivery. */
  release_after_days: z.int(),
});

export const checkoutOpened = eventType({
  name: 'checkout-opened',
  schemaVersion: 1,
  schema: z.strictObject({
    checkout_id: z.string(),
    currency: z.string(),
    capture: z.enum(['automatic', 'manual']),
    orders: z.array(orderTermsSchema).min(1),
    expires_at: time,
    return_url: z.string().optional(),
    buyer_info: z.record(z.string(), z.string()),
    /** The provider's token of the card; absent where the buyer gives a card on a page of the provider. */
    method: z.string().optional(),
  }),
  personal: {
    subject: ({ checkout_id }) => buyerSubject(checkout_id),
    fields: ['buyer_info', 'method'],
  },
});

export const orderRiskAssessed = eventType({
  name: 'order-risk-assessed',
  schemaVersion: 1,
  schema: z.strictObject({
    ...order,
    verdict: z.enum(['accepted', 'review', 'rejected']),
    /** The rules that spoke, by name. */
    rules: z.array(z.string()),
  }),
});

export const orderReviewDecided = eventType({
  name: 'order-review-decided',
  schemaVersion: 1,
  schema: z.strictObject({
    ...order,
    verdict: z.enum(['approved', 'rejected']),
    decided_by: z.string(),
  }),
});

export const authenticationRequested = eventType({
  name: 'authentication-requested',
  schemaVersion: 1,
  schema: z.strictObject({
    checkout_id: z.string(),
    psp: z.string(),
    method: z.string(),
    return_url: z.string().optional(),
    call_before: time,
  }),
  personal: { subject: ({ checkout_id }) => buyerSubject(checkout_id), fields: ['method'] },
});

export const authenticationActionRequired = eventType({
  name: 'authentication-action-required',
  schemaVersion: 1,
  schema: z.strictObject({
    checkout_id: z.string(),
    authentication_id: z.string(),
    action_url: z.string(),
  }),
});

/** The buyer was proven to hold the card: every order of the checkout is charged off this. */
export const checkoutAuthenticated = eventType({
  name: 'checkout-authenticated',
  schemaVersion: 1,
  schema: z.strictObject({
    checkout_id: z.string(),
    psp: z.string(),
    authentication_id: z.string(),
  }),
});

/** All orders that have not begun fail with it. */
export const authenticationFailed = eventType({
  name: 'authentication-failed',
  schemaVersion: 1,
  schema: z.strictObject({ checkout_id: z.string(), reason: z.string() }),
});

/** Intent: make a payment known at a provider. Its id is the key of the call. */
export const attemptRequested = eventType({
  name: 'attempt-requested',
  schemaVersion: 1,
  schema: z.strictObject({
    ...attempt,
    ...booked,
    amount,
    psp: z.string(),
    method: z.string(),
    capture: z.enum(['automatic', 'manual']),
    /** The authentication of the checkout that it rests on. */
    authentication_id: z.string().optional(),
    call_before: time,
  }),
  personal: { subject: ({ checkout_id }) => buyerSubject(checkout_id), fields: ['method'] },
});

export const attemptCreated = eventType({
  name: 'attempt-created',
  schemaVersion: 1,
  schema: z.strictObject({ ...attempt, ...pspPayment }),
});

/** Intent: authorize (and capture, where that is automatic). */
export const attemptConfirmRequested = eventType({
  name: 'attempt-confirm-requested',
  schemaVersion: 1,
  schema: z.strictObject({
    ...attempt,
    ...pspPayment,
    authentication_id: z.string().optional(),
    return_url: z.string().optional(),
    call_before: time,
  }),
});

export const attemptActionRequired = eventType({
  name: 'attempt-action-required',
  schemaVersion: 1,
  schema: z.strictObject({ ...attempt, action_url: z.string() }),
});

export const attemptAuthorized = eventType({
  name: 'attempt-authorized',
  schemaVersion: 1,
  schema: z.strictObject({ ...attempt, ...booked, amount }),
});

/** Surely nothing was charged by this attempt, and nothing will be. */
export const attemptDeclined = eventType({
  name: 'attempt-declined',
  schemaVersion: 1,
  schema: z.strictObject({
    ...attempt,
    reason: z.string(),
    /** The provider's own word. */
    code: z.string(),
    /** Whether no other attempt follows: the order has failed. */
    final: z.boolean(),
  }),
});

/** Nobody knows yet what became of a call: it is looked up until somebody does. */
export const callInDoubt = eventType({
  name: 'call-in-doubt',
  schemaVersion: 1,
  schema: z.strictObject({
    ...attempt,
    call: z.enum(['create', 'confirm', 'capture', 'void']),
    reason: z.string(),
  }),
});

/** Nobody could tell in time what became of a call: a person has to look. Its order stays what it is. */
export const callDeadLettered = eventType({
  name: 'call-dead-lettered',
  schemaVersion: 1,
  schema: z.strictObject({
    ...order,
    /** The id of the intent's event: the key of the call. */
    intent_id: z.string(),
    call: z.string(),
    reason: z.string(),
    /** What was tried, for the person who looks. Never personal data. */
    context: z.string(),
  }),
});

/** Intent: take (a part of) what is authorized; the rest of the authorization is let go. */
export const captureRequested = eventType({
  name: 'capture-requested',
  schemaVersion: 1,
  schema: z.strictObject({
    ...attempt,
    ...pspPayment,
    amount,
    currency: z.string(),
    call_before: time,
  }),
});

/** The buyer has paid. `amount` = `platform_fee` + `net`; the provider's fee is the platform's to bear. */
export const orderCaptured = eventType({
  name: 'order-captured',
  schemaVersion: 1,
  schema: z.strictObject({
    ...attempt,
    ...booked,
    amount,
    /** What an earlier `attempt-authorized` held, which is let go with this; zero where nothing was held. */
    authorized: amount,
    platform_fee: amount,
    net: amount,
    /** Zero where the provider has not said it: then the settlement file does. */
    psp_fee: amount,
    /** When `net` becomes available without a delivery. */
    release_at: time,
  }),
});

/** Intent: let go of a payment that has charged nothing. */
export const voidRequested = eventType({
  name: 'void-requested',
  schemaVersion: 1,
  schema: z.strictObject({
    ...attempt,
    ...pspPayment,
    reason: z.enum(['canceled', 'expired']),
    call_before: time,
  }),
});

export const attemptVoided = eventType({
  name: 'attempt-voided',
  schemaVersion: 1,
  schema: z.strictObject({
    ...attempt,
    ...booked,
    /** What was held until now. */
    authorized: amount,
    reason: z.enum(['canceled', 'expired']),
  }),
});

/** Ended before anything was asked of a provider, or after all of it came to nothing. */
export const orderEnded = eventType({
  name: 'order-ended',
  schemaVersion: 1,
  schema: z.strictObject({
    ...order,
    as: z.enum(['failed', 'canceled', 'expired']),
    reason: z.string(),
  }),
});

/** What is left of `net` becomes available, less what is held in reserve. */
export const orderReleased = eventType({
  name: 'order-released',
  schemaVersion: 1,
  schema: z.strictObject({
    ...order,
    ...booked,
    amount,
    reserve: amount,
    because: z.enum(['delivered', 'days']),
  }),
});

/** Where money is taken from a seller, or given back to: what is not released yet, and what is. */
const sellerParts = { pending: amount, available: amount };

/** Intent, and the seller's money is set aside for it. `amount` = `pending` + `available`. */
export const refundRequested = eventType({
  name: 'refund-requested',
  schemaVersion: 1,
  schema: z.strictObject({
    ...order,
    ...booked,
    ...pspPayment,
    ...sellerParts,
    refund_id: z.string(),
    amount,
    call_before: time,
  }),
});

/** The provider has taken it on, and says later what became of it: by this id it is asked. */
export const refundPending = eventType({
  name: 'refund-pending',
  schemaVersion: 1,
  schema: z.strictObject({
    ...order,
    ...booked,
    refund_id: z.string(),
    amount,
    psp_refund_id: z.string(),
  }),
});

export const refundSucceeded = eventType({
  name: 'refund-succeeded',
  schemaVersion: 1,
  schema: z.strictObject({
    ...order,
    ...booked,
    refund_id: z.string(),
    amount,
    psp_refund_id: z.string(),
  }),
});

/** The seller gets it back. */
export const refundFailed = eventType({
  name: 'refund-failed',
  schemaVersion: 1,
  schema: z.strictObject({
    ...order,
    ...booked,
    ...sellerParts,
    refund_id: z.string(),
    amount,
    reason: z.string(),
    /** A bank has sent back what had been refunded already. */
    after_succeeded: z.boolean(),
  }),
});

export const refundInDoubt = eventType({
  name: 'refund-in-doubt',
  schemaVersion: 1,
  schema: z.strictObject({ ...order, refund_id: z.string(), reason: z.string() }),
});

/** The provider has taken the disputed amount and a fee; the amount is held from the seller. */
export const disputeOpened = eventType({
  name: 'dispute-opened',
  schemaVersion: 1,
  schema: z.strictObject({
    ...order,
    ...booked,
    ...sellerParts,
    dispute_id: z.string(),
    amount,
    psp_fee: amount,
    reason: z.string(),
    evidence_by: time.optional(),
  }),
});

export const disputeEvidenceGiven = eventType({
  name: 'dispute-evidence-given',
  schemaVersion: 1,
  schema: z.strictObject({ ...order, dispute_id: z.string(), given_by: z.string() }),
});

/** The provider gives the amount back, and so does the platform to the seller. */
export const disputeWon = eventType({
  name: 'dispute-won',
  schemaVersion: 1,
  schema: z.strictObject({ ...order, ...booked, ...sellerParts, dispute_id: z.string(), amount }),
});

export const disputeLost = eventType({
  name: 'dispute-lost',
  schemaVersion: 1,
  schema: z.strictObject({ ...order, ...booked, dispute_id: z.string(), amount }),
});

export const checkoutEventTypes = [
  checkoutOpened,
  paymentPageRequested,
  paymentPageOpened,
  paymentPageCompleted,
  paymentPageCloseRequested,
  paymentPageClosed,
  paymentPageExpired,
  paymentPageRefused,
  cardIdentified,
  orderRiskAssessed,
  orderReviewDecided,
  authenticationRequested,
  authenticationActionRequired,
  checkoutAuthenticated,
  authenticationFailed,
  attemptRequested,
  attemptCreated,
  attemptConfirmRequested,
  attemptActionRequired,
  attemptAuthorized,
  attemptDeclined,
  callInDoubt,
  callDeadLettered,
  captureRequested,
  captureRefused,
  orderCaptured,
  voidRequested,
  voidRefused,
  attemptVoided,
  orderEnded,
  orderReleased,
  refundRequested,
  refundPending,
  refundSucceeded,
  refundFailed,
  refundInDoubt,
  disputeOpened,
  disputeEvidenceRequested,
  disputeEvidenceRefused,
  disputeEvidenceGiven,
  disputeWon,
  disputeLost,
] as const;
