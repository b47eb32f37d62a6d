import type Stripe from 'stripe';
import { type Evidence, evidenceFields } from './evidence.ts';
import type {
  PspAuthentication,
  PspDispute,
  PspDisputeStatus,
  PspMethod,
  PspMoney,
  PspPage,
  PspPayment,
  PspPaymentStatus,
  PspPayout,
  PspPayoutStatus,
  PspRefund,
  PspRefundStatus,
} from './port.ts';
import { declineOfCodes } from './stripe-errors.ts';
import { fromStripeAmount } from './stripe-money.ts';

/** What is asked for with every payment: the charge with its fee. */
export const paymentExpand = ['latest_charge.balance_transaction'];

/** The member of Stripe's metadata that holds our reference. */
export const referenceMember = 'annals_reference';

const paymentStatuses: Readonly<Record<string, PspPaymentStatus>> = {
  requires_confirmation: 'created',
  requires_action: 'requires_action',
  processing: 'processing',
  requires_capture: 'authorized',
  succeeded: 'captured',
  canceled: 'voided',
};

export function paymentOf(psp: string, intent: Stripe.PaymentIntent): PspPayment {
  const { id, currency, last_payment_error: failure } = intent;
  const money = (amount: number): PspMoney => fromStripeAmount(amount, currency);
  const charge = chargeOf(intent);
  const actionUrl = intent.next_action?.redirect_to_url?.url;
  const fingerprint = charge?.payment_method_details?.card?.fingerprint;
  const fee = feeOf(charge);
  return {
    psp,
    id,
    reference: intent.metadata[referenceMember] ?? '',
    status: statusOf(intent),
    amount: money(intent.amount),
    captured: money(charge?.captured ? charge.amount_captured : 0),
    // What a capture of a part releases is counted as refunded at Stripe.
    refunded: money(refundedOf(charge)),
    disputed: charge?.disputed ?? false,
    ...(fee ? { fee } : {}),
    ...(charge ? { chargeId: charge.id } : {}),
    ...(failure ? { declined: declineOfCodes(failure.code, failure.decline_code) } : {}),
    ...(actionUrl ? { actionUrl } : {}),
    ...(fingerprint ? { fingerprint } : {}),
  };
}

/** A payment that waits for a method is new, or its last attempt was declined. */
function statusOf({ status, last_payment_error }: Stripe.PaymentIntent): PspPaymentStatus {
  if (status === 'requires_payment_method') return last_payment_error ? 'declined' : 'created';
  const known = paymentStatuses[status];
  if (!known) throw new TypeError(`Stripe says a payment is ${status}, which is not known here`);
  return known;
}

function chargeOf({ latest_charge }: Stripe.PaymentIntent): Stripe.Charge | undefined {
  if (typeof latest_charge === 'string') {
    throw new TypeError(`the charge ${latest_charge} of a payment was not expanded`);
  }
  return latest_charge ?? undefined;
}

function refundedOf(charge: Stripe.Charge | undefined): number {
  if (!charge?.captured) return 0;
  const released = charge.amount - charge.amount_captured;
  return Math.max(0, charge.amount_refunded - released);
}

function feeOf(charge: Stripe.Charge | undefined): PspMoney | undefined {
  const moved = charge?.balance_transaction;
  if (!moved || typeof moved === 'string') return undefined;
  return fromStripeAmount(moved.fee, moved.currency);
}

const refundStatuses: Readonly<Record<string, PspRefundStatus>> = {
  pending: 'pending',
  requires_action: 'pending',
  succeeded: 'succeeded',
  failed: 'failed',
  canceled: 'canceled',
};

export function refundOf(psp: string, refund: Stripe.Refund): PspRefund {
  const status = refundStatuses[refund.status ?? ''];
  if (!status) throw new TypeError(`Stripe says a refund is ${refund.status}`);
  return {
    psp,
    id: refund.id,
    reference: refund.metadata?.[referenceMember] ?? '',
    paymentId: idOf(refund.payment_intent),
    amount: fromStripeAmount(refund.amount, refund.currency),
    status,
    ...(refund.failure_reason ? { failure: refund.failure_reason } : {}),
  };
}

const payoutStatuses: Readonly<Record<string, PspPayoutStatus>> = {
  pending: 'pending',
  in_transit: 'in_transit',
  paid: 'paid',
  failed: 'failed',
  canceled: 'canceled',
};

export function payoutOf(psp: string, payout: Stripe.Payout): PspPayout {
  const status = payoutStatuses[payout.status];
  if (!status) throw new TypeError(`Stripe says a payout is ${payout.status}`);
  return {
    psp,
    id: payout.id,
    reference: payout.metadata?.[referenceMember] ?? '',
    amount: fromStripeAmount(payout.amount, payout.currency),
    status,
    arrivalAt: payout.arrival_date * 1_000,
    ...(payout.failure_code ? { failure: payout.failure_code } : {}),
  };
}

const disputeStatuses: Readonly<Record<string, PspDisputeStatus>> = {
  needs_response: 'needs_response',
  under_review: 'under_review',
  won: 'won',
  lost: 'lost',
  warning_needs_response: 'warning',
  warning_under_review: 'warning',
  warning_closed: 'warning',
  prevented: 'won',
  appeal_needs_response: 'needs_response',
  appeal_under_review: 'under_review',
};

export function disputeOf(psp: string, dispute: Stripe.Dispute): PspDispute {
  const status = disputeStatuses[dispute.status];
  if (!status) throw new TypeError(`Stripe says a dispute is ${dispute.status}`);
  const moves = dispute.balance_transactions;
  const fees = moves.reduce((sum, move) => sum + move.fee, 0);
  const [{ currency } = { currency: dispute.currency }] = moves;
  const due = dispute.evidence_details.due_by;
  return {
    psp,
    id: dispute.id,
    paymentId: idOf(dispute.payment_intent),
    amount: fromStripeAmount(dispute.amount, dispute.currency),
    ...(moves.length > 0 ? { fee: fromStripeAmount(fees, currency) } : {}),
    status,
    reason: dispute.reason,
    ...(due ? { evidenceBy: due * 1_000 } : {}),
  };
}

const authenticationStatuses: Readonly<Record<string, PspAuthentication['status']>> = {
  requires_confirmation: 'processing',
  requires_action: 'requires_action',
  processing: 'processing',
  succeeded: 'authenticated',
  canceled: 'canceled',
};

/** Names the customer and its method, too: later payments rest on the three. */
export function authenticationOf(psp: string, intent: Stripe.SetupIntent): PspAuthentication {
  const status = authenticationStatus(intent);
  const actionUrl = intent.next_action?.redirect_to_url?.url;
  return {
    psp,
    id: [intent.id, idOf(intent.customer), idOf(intent.payment_method)].join('.'),
    reference: intent.metadata?.[referenceMember] ?? '',
    status,
    ...(actionUrl ? { actionUrl } : {}),
  };
}

function authenticationStatus({
  status,
  last_setup_error,
}: Stripe.SetupIntent): PspAuthentication['status'] {
  if (status === 'requires_payment_method') return last_setup_error ? 'failed' : 'processing';
  const known = authenticationStatuses[status];
  if (!known) throw new TypeError(`Stripe says an authentication is ${status}`);
  return known;
}

/** What is asked for with every page: the card that was given. */
export const pageExpand = ['setup_intent.payment_method'];

/** A session of Stripe's Checkout that sets a card up. */
export function pageOf(psp: string, session: Stripe.Checkout.Session): PspPage {
  const { id, metadata, status, url } = session;
  const page = { psp, id, reference: metadata?.[referenceMember] ?? '' };
  const intent = session.setup_intent;
  if (status === 'expired') return { ...page, status: 'expired' };
  if (typeof intent === 'string')
    throw new TypeError(`the setup of the session ${id} is not expanded`);
  if (status !== 'complete' || intent?.status !== 'succeeded') {
    return { ...page, status: 'open', ...(url ? { url } : {}) };
  }
  const method = intent.payment_method;
  if (!method || typeof method === 'string')
    throw new TypeError(`the card of the session ${id} is not expanded`);
  const { id: authentication } = authenticationOf(psp, intent);
  const { id: methodId, fingerprint } = methodOf(psp, method);
  return {
    ...{ ...page, status: 'completed', authentication, method: methodId },
    ...(fingerprint === undefined ? {} : { fingerprint }),
  };
}

export function methodOf(psp: string, { id, card }: Stripe.PaymentMethod): PspMethod {
  return { psp, id, ...(card?.fingerprint ? { fingerprint: card.fingerprint } : {}) };
}

/** The ids that `authenticationOf` put together. */
export function authenticationParts(id: string) {
  const parts = id.split('.');
  const [intent, customer, method] = parts;
  if (!intent || !customer || method === undefined || parts.length !== 3) {
    throw new TypeError(`${id} is no authentication that this adapter gave`);
  }
  return { intent, customer, method };
}

function idOf(object: string | { readonly id: string } | null | undefined): string {
  return (typeof object === 'string' ? object : object?.id) ?? '';
}

/** Members have the names of Stripe, but for what has no name there. */
export function stripeEvidence(evidence: Evidence): Stripe.DisputeUpdateParams.Evidence {
  const named = evidenceFields.flatMap((field) => {
    const text = evidence[field];
    if (text === undefined) return [];
    return [[field === 'statement' ? 'uncategorized_text' : field, text] as const];
  });
  return Object.fromEntries(named);
}
