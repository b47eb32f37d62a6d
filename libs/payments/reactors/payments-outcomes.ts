import { doubtRefund, failRefund, observeDispute, observeRefund } from '../decide/after-capture.ts';
import {
  declineAttempt,
  doubtCall,
  observeAuthentication,
  observePayment,
  requestConfirm,
} from '../decide/attempts.ts';
import { type CaptureOrVoid, isUnderWay, refuseCall } from '../decide/captures.ts';
import { giveEvidence, refuseEvidence } from '../decide/evidence.ts';
import { observePage, refusePage, requestCloseAnew } from '../decide/payment-page.ts';
import { doubtPayout, failPayout, observePayout } from '../decide/seller.ts';
import type { CheckoutEvent, RecordedOf, RecordedPaymentsEvent, SellerEvent } from '../events.ts';
import { type Decided, decided, type Refused, refused } from '../outcome.ts';
import type { PspPayment } from '../psp/port.ts';
import type { Seller } from '../seller-state.ts';
import { type Checkout, evolve } from '../state.ts';
import type { PspOutcome } from './psp-intent.ts';

/** What an outcome is in the domain: pure, on the fold of the stream that asked for the call. */

export interface Told {
  readonly at: number;
  /** Until when such a call may be started. */
  readonly callBefore: number;
}

type Final = Exclude<PspOutcome, { readonly kind: 'dead_letter' }>;

/** A payment as it was found; where it was just created, its confirmation is asked for in the same breath. */
export function paymentFound(
  checkout: Checkout | undefined,
  { order, attempt }: { readonly order: string; readonly attempt: number },
  payment: PspPayment,
  { at, callBefore }: Told,
): Decided<CheckoutEvent> | Refused {
  const observed = observePayment(checkout, order, attempt, payment, at);
  if (observed.kind === 'refused') return observed;
  const after = observed.events.reduce(evolve, checkout);
  const confirm = requestConfirm(after, order, { attempt, at, callBefore });
  return confirm.kind === 'refused' ? confirm : decided(...observed.events, ...confirm.events);
}

/** What the outcome of a call that a checkout asked for decides. */
export function checkoutOutcome(
  checkout: Checkout | undefined,
  event: RecordedPaymentsEvent,
  outcome: Final,
  told: Told,
): Decided<CheckoutEvent> | Refused {
  switch (event.type) {
    case 'authentication-requested':
      return authenticationOutcome(checkout, outcome, told);
    case 'payment-page-requested':
      return pageOutcome(checkout, outcome, told);
    case 'payment-page-close-requested':
      return closeOutcome(checkout, event, outcome, told);
    case 'attempt-requested':
    case 'attempt-confirm-requested':
      return attemptOutcome(checkout, event, outcome, told);
    case 'capture-requested':
    case 'void-requested':
      return captureOutcome(checkout, event, outcome, told);
    case 'refund-requested':
      return refundOutcome(checkout, event, outcome, told);
    case 'dispute-evidence-requested':
      return evidenceOutcome(checkout, event, outcome, told);
    default:
      throw new TypeError(`${event.type} asks for no call`);
  }
}

function authenticationOutcome(checkout: Checkout | undefined, outcome: Final, { at }: Told) {
  if (outcome.kind !== 'settled') {
    return observeAuthentication(checkout, { id: '', status: 'failed' }, at);
  }
  if (outcome.object.kind !== 'authentication') throw new TypeError('not an authentication');
  return observeAuthentication(checkout, outcome.object.value, at);
}

function pageOutcome(checkout: Checkout | undefined, outcome: Final, told: Told) {
  if (outcome.kind !== 'settled') return refusePage(checkout, outcome.reason, told.at);
  if (outcome.object.kind !== 'page') throw new TypeError('not a page');
  return observePage(checkout, outcome.object.value, told);
}

function closeOutcome(
  checkout: Checkout | undefined,
  { type, data }: RecordedOf<'payment-page-close-requested'>,
  outcome: Final,
  told: Told,
) {
  if (outcome.kind === 'refused' && outcome.reason === 'key_spent') {
    const { attempt, because } = data;
    return requestCloseAnew(checkout, { attempt, because, ...told });
  }
  if (outcome.kind !== 'settled') return unexplained(type, outcome);
  return pageOutcome(checkout, outcome, told);
}

type Charging = RecordedOf<'attempt-requested' | 'attempt-confirm-requested'>;

function attemptOutcome(
  checkout: Checkout | undefined,
  { data }: Charging,
  outcome: Final,
  told: Told,
): Decided<CheckoutEvent> | Refused {
  const of = { order: data.payment_order_id, attempt: data.attempt };
  if (outcome.kind === 'settled') {
    if (outcome.object.kind !== 'payment') throw new TypeError('not a payment');
    return paymentFound(checkout, of, outcome.object.value, told);
  }
  if (outcome.kind === 'refused' && outcome.payment) {
    return paymentFound(checkout, of, outcome.payment, told);
  }
  const { at } = told;
  const said =
    outcome.kind === 'declined'
      ? outcome
      : ({ ...outcome, code: outcome.reason, next: nextOf(outcome.reason) } as const);
  const { reason, code, next } = said;
  return declineAttempt(checkout, of.order, { attempt: of.attempt, reason, code, next, at });
}

/** Surely nothing was charged. Another attempt, perhaps elsewhere, may come to more; the rest would come to the same. */
function nextOf(reason: Extract<Final, { kind: 'refused' }>['reason']): 'retry' | 'fail' {
  return anew.has(reason) ? 'retry' : 'fail';
}

const anew: ReadonlySet<string> = new Set([
  'key_spent',
  'unreachable',
  'unavailable',
  'rate_limited',
  'not_permitted',
]);

/** A close that surely did not come about: all stands where it stood, and a person has to look. */
function unexplained(type: string, outcome: Final): Refused {
  const said = outcome.kind === 'refused' ? `${outcome.reason}: ${outcome.detail}` : outcome.kind;
  return refused('call-refused', `${type} was answered with ${said}`);
}

/** Carried out, or surely not: then the order stands where it stood, unless the payment itself has gone on. */
function captureOutcome(
  checkout: Checkout | undefined,
  event: CaptureOrVoid,
  outcome: Final,
  told: Told,
): Decided<CheckoutEvent> | Refused {
  const { payment_order_id: order, attempt } = event.data;
  const payment = outcome.kind === 'declined' ? undefined : paymentOf(outcome);
  const found = payment
    ? paymentFound(checkout, { order, attempt }, payment, told)
    : decided<CheckoutEvent>();
  if (found.kind === 'refused' || outcome.kind === 'settled') return found;
  const after = found.events.reduce(evolve, checkout);
  const { reason } = outcome;
  const detail = outcome.kind === 'declined' ? outcome.code : outcome.detail;
  const over = refuseCall(after, event, { reason, detail, at: told.at });
  return over.kind === 'refused' ? over : decided(...found.events, ...over.events);
}

function paymentOf(outcome: Exclude<Final, { readonly kind: 'declined' }>): PspPayment | undefined {
  if (outcome.kind === 'refused') return outcome.payment;
  if (outcome.object.kind !== 'payment') throw new TypeError('not a payment');
  return outcome.object.value;
}

function refundOutcome(
  checkout: Checkout | undefined,
  { data }: RecordedOf<'refund-requested'>,
  outcome: Final,
  { at }: Told,
) {
  const { payment_order_id: order, refund_id: refundId } = data;
  if (outcome.kind !== 'settled') {
    return failRefund(checkout, order, { refundId, reason: outcome.reason, at });
  }
  if (outcome.object.kind !== 'refund') throw new TypeError('not a refund');
  return observeRefund(checkout, order, refundId, outcome.object.value, at);
}

/** Taken, or refused; where the dispute was decided meanwhile, that is what is told. */
function evidenceOutcome(
  checkout: Checkout | undefined,
  { data }: RecordedOf<'dispute-evidence-requested'>,
  outcome: Final,
  { at }: Told,
): Decided<CheckoutEvent> | Refused {
  const { payment_order_id: order, dispute_id: disputeId, given_by: givenBy } = data;
  if (outcome.kind !== 'settled') {
    return refuseEvidence(checkout, order, { disputeId, reason: outcome.reason, at });
  }
  if (outcome.object.kind !== 'dispute') throw new TypeError('not a dispute');
  // What says nothing, as the texts of a buyer who was erased, is no answer to a provider.
  if (outcome.object.value.status === 'needs_response') {
    return refuseEvidence(checkout, order, { disputeId, reason: 'not_taken', at });
  }
  const given = giveEvidence(checkout, order, { disputeId, givenBy, at });
  const after = given.kind === 'refused' ? checkout : given.events.reduce(evolve, checkout);
  const observed = observeDispute(after, order, outcome.object.value, at);
  if (observed.kind === 'refused' || given.kind === 'refused') return observed;
  return decided(...given.events, ...observed.events);
}

/** What the outcome of a payout's call decides, in the seller's stream. */
export function payoutOutcome(
  seller: Seller | undefined,
  { data }: RecordedOf<'payout-requested'>,
  outcome: Final,
  { at }: Told,
): Decided<SellerEvent> | Refused {
  const { payout_id: payoutId } = data;
  if (outcome.kind !== 'settled')
    return failPayout(seller, { payoutId, reason: outcome.reason, at });
  if (outcome.object.kind !== 'payout') throw new TypeError('not a payout');
  return observePayout(seller, payoutId, outcome.object.value, at);
}

/** Nobody knows what became of a call: the order says so. An authentication moves no money, and says nothing. */
export function checkoutDoubt(
  checkout: Checkout | undefined,
  event: RecordedPaymentsEvent,
  reason: string,
  at: number,
): Decided<CheckoutEvent> | Refused {
  switch (event.type) {
    case 'attempt-requested':
    case 'attempt-confirm-requested':
    case 'capture-requested':
    case 'void-requested': {
      const { payment_order_id: order, attempt } = event.data;
      return doubtCall(checkout, order, { attempt, call: callNames[event.type], reason, at });
    }
    case 'refund-requested': {
      const { payment_order_id: order, refund_id: refundId } = event.data;
      return doubtRefund(checkout, order, { refundId, reason, at });
    }
    default:
      return decided();
  }
}

const callNames = {
  'attempt-requested': 'create',
  'attempt-confirm-requested': 'confirm',
  'capture-requested': 'capture',
  'void-requested': 'void',
} as const;

export function payoutDoubt(
  seller: Seller | undefined,
  { data }: RecordedOf<'payout-requested'>,
  reason: string,
  at: number,
): Decided<SellerEvent> | Refused {
  return doubtPayout(seller, { payoutId: data.payout_id, reason, at });
}

/** Whether a call still has to be made: a webhook or another process may have brought its outcome already. */
export function stillAsked(checkout: Checkout | undefined, event: RecordedPaymentsEvent): boolean {
  if (event.type === 'authentication-requested') {
    return checkout?.authentication.state === 'requested';
  }
  if (event.type === 'payment-page-requested') return checkout?.page?.state === 'requested';
  if (event.type === 'payment-page-close-requested') {
    return checkout?.page?.state === 'opened' && checkout.page.closing === event.data.attempt;
  }
  if (event.type === 'refund-requested') {
    const { payment_order_id, refund_id } = event.data;
    const state = checkout?.orders.get(payment_order_id)?.refunds.get(refund_id)?.state;
    return state === 'requested' || state === 'unknown';
  }
  if (event.type === 'dispute-evidence-requested') {
    const { payment_order_id, dispute_id, submission } = event.data;
    const dispute = checkout?.orders.get(payment_order_id)?.disputes.get(dispute_id);
    const isOnItsWay = dispute?.submittedBy !== undefined && dispute.submissions === submission;
    return isOnItsWay && dispute.state === 'opened';
  }
  if (!(event.type in callNames)) throw new TypeError(`${event.type} asks for no call`);
  const { data } = event as Charging | CaptureOrVoid;
  const order = checkout?.orders.get(data.payment_order_id);
  const attempt = order?.attempts.find(({ number }) => number === data.attempt);
  if (!attempt) return false;
  switch (event.type as keyof typeof callNames) {
    case 'attempt-requested':
      return attempt.state === 'requested';
    case 'attempt-confirm-requested':
      return attempt.state === 'confirming';
    case 'capture-requested':
    case 'void-requested':
      return isUnderWay(attempt, event as CaptureOrVoid);
  }
}

export function payoutStillAsked(
  seller: Seller | undefined,
  { data }: RecordedOf<'payout-requested'>,
): boolean {
  const state = seller?.payouts.get(data.payout_id)?.state;
  return state === 'requested' || state === 'unknown';
}
