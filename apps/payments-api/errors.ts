import { defineErrors, logErrors, logProblem, type Problem } from '@annals/http';
import type { Refused } from '@annals/payments';
import { reconciliationErrorRows } from './reconciliation-errors.ts';

/** The read models that answers come from. */
export type ProjectionName = 'payments' | 'ledger' | 'wallets' | 'webhooks' | 'reconciliation';

/** The commands that bring a lost read model back, as an operator types them. */
export function repairCommand(projection: ProjectionName): string {
  return `npx annals rebuild ${projection} && npx annals promote ${projection}`;
}

/** What payments refuse, beside what every route may refuse. */
export const paymentsErrors = defineErrors('payments', {
  'checkout-too-large': {
    status: 400,
    title: 'The checkout is too large',
    detail: 'Refused: {what}.',
    when: 'The orders and the buyer_info of a checkout are more together than one event may hold.',
  },
  'amount-step': {
    status: 400,
    title: 'The provider takes no such amount',
    detail: 'Refused: {what}.',
    when:
      'Some currencies are taken only in multiples of so many minor units, as KWD in tens. `errors` names the field, and the ' +
      'message the step. A payout without an amount is rounded down to it.',
  },
  'wrong-entry': {
    status: 400,
    title: 'The entry cannot be booked',
    detail: 'Refused: {what}.',
    when: 'An entry by hand over an account that there is not, one account twice, or amounts that are not above zero.',
  },
  'unknown-checkout': {
    status: 404,
    title: 'No such payment',
    detail: 'Refused: {what}.',
    when: 'No payment has this checkout_id.',
  },
  'unknown-order': {
    status: 404,
    title: 'No such payment order',
    detail: 'Refused: {what}.',
    when: 'The payment has no order of this id.',
  },
  'no-provider': {
    status: 422,
    title: 'No provider takes this payment',
    detail: 'Refused: {what}.',
    when: 'A payment page, where no rule of routing fits the first order of the checkout.',
  },
  'unknown-seller': {
    status: 404,
    title: 'No such seller',
    detail: 'Refused: {what}; PUT /v1/sellers/<account> registers one.',
    when: 'The seller was never registered. In a payment, `errors` names the order.',
  },
  'unknown-dispute': {
    status: 404,
    title: 'No such dispute',
    detail: 'Refused: {what}.',
    when: 'The order has no dispute of this id.',
  },
  'unknown-endpoint': {
    status: 404,
    title: 'No such webhook endpoint',
    detail: 'Refused: {what}.',
    when: 'No webhook endpoint has this id, or it was removed.',
  },
  'unknown-delivery': {
    status: 404,
    title: 'No such delivery',
    detail: 'Refused: {what}.',
    when: 'The webhook endpoint has no delivery of this id, or the delivery log has not seen it yet.',
  },
  'unknown-request': {
    status: 404,
    title: 'No such request',
    detail: 'Refused: {what}.',
    when: 'Nobody has asked finance for something under this id.',
  },
  'unknown-entry': {
    status: 404,
    title: 'No such entry',
    detail: 'Refused: {what}.',
    when: 'What is to be corrected has booked nothing.',
  },
  'currency-not-sold': {
    status: 409,
    title: 'The seller does not sell in this currency',
    detail: 'Refused: {what}.',
    when: 'The currency is not among those of the seller.',
  },
  'checkout-exists': {
    status: 409,
    title: 'The payment exists already',
    detail: 'Refused: {what}.',
    when: 'Another payment has this checkout_id, or the same one was sent with another Idempotency-Key.',
  },
  'not-authorized': {
    status: 409,
    title: 'The order is not authorized',
    detail: 'Refused: {what}.',
    when: 'Capture of an order that holds no authorization.',
  },
  'above-authorized': {
    status: 409,
    title: 'More than is authorized',
    detail: 'Refused: {what}.',
    when: 'Capture of more than the authorization holds.',
  },
  'already-captured': {
    status: 409,
    title: 'The order is paid',
    detail: 'Refused: {what}.',
    when: 'Cancel of an order that is paid: it can be refunded.',
  },
  'order-ended': {
    status: 409,
    title: 'The order has ended',
    detail: 'Refused: {what}.',
    when: 'The order has failed, or was canceled, or has expired.',
  },
  'in-progress': {
    status: 409,
    title: 'The order waits for the provider',
    detail: 'Refused: {what}.',
    when: 'A call to the provider is under way. Retry-After says when to ask again; nothing was kept of this request.',
  },
  'not-captured': {
    status: 409,
    title: 'The order is not paid',
    detail: 'Refused: {what}.',
    when: 'Delivery or refund of an order that is not captured.',
  },
  'above-refundable': {
    status: 409,
    title: 'More than can be refunded',
    detail: 'Refused: {what}.',
    when: 'Refund of more than was captured, less what is refunded or disputed.',
  },
  'refund-exists': {
    status: 409,
    title: 'The refund exists already',
    detail: 'Refused: {what}.',
    when: 'The order has a refund of this refund_id about another amount.',
  },
  'not-in-review': {
    status: 409,
    title: 'The order is not in review',
    detail: 'Refused: {what}.',
    when: 'A review of an order that does not wait for one, or that was decided otherwise.',
  },
  'not-open': {
    status: 409,
    title: 'The dispute is not open',
    detail: 'Refused: {what}.',
    when: 'Evidence for a dispute that is decided.',
  },
  'nothing-known': {
    status: 409,
    title: 'Nothing is known of who paid',
    detail: 'Refused: {what}.',
    when: 'A deny list, by a checkout that there is not, whose buyer was erased or said no country, or of whose card the provider says nothing.',
  },
  'subject-erased': {
    status: 409,
    title: 'Whom it is about was erased',
    detail: 'Refused: {what}.',
    when: 'The personal data of the buyer or the seller was erased.',
  },
  'no-bank-account': {
    status: 409,
    title: 'The seller has no bank account',
    detail: 'Refused: {what}.',
    when: 'A payout to a seller whose bank token was never set.',
  },
  'payout-exists': {
    status: 409,
    title: 'The payout exists already',
    detail: 'Refused: {what}.',
    when: 'The seller has a payout of this payout_id about another amount or currency.',
  },
  'insufficient-funds': {
    status: 409,
    title: 'Not that much is available',
    detail: 'Refused: {what}.',
    when: 'A payout of more than is available.',
  },
  'below-minimum': {
    status: 409,
    title: 'Below the minimum of the seller',
    detail: 'Refused: {what}.',
    when: "A payout below the seller's payout_minimum.",
  },
  'needs-release': {
    status: 409,
    title: 'The payout needs a second person',
    detail: 'Not paid: {what}.',
    when: 'A payout above the limit of its currency, alone or with what was paid to the seller on demand in the last 24 hours: its release is asked for, see GET /v1/finance_requests.',
  },
  'release-closed': {
    status: 409,
    title: 'The release of the payout has come to nothing',
    detail: 'Not paid: {what}.',
    when: 'A payout whose release was rejected, taken back or has expired, or was approved when the money was not there any more.',
  },
  'too-many-endpoints': {
    status: 409,
    title: 'Too many webhook endpoints',
    detail: 'Refused: {what}.',
    when: 'One more webhook endpoint than there may be.',
  },
  'request-exists': {
    status: 409,
    title: 'The request exists already',
    detail: 'Refused: {what}.',
    when: 'Something else was asked of finance under this id.',
  },
  'request-closed': {
    status: 409,
    title: 'The request is decided',
    detail: 'Refused: {what}.',
    when: 'Approval or rejection of a request that was approved, rejected or has expired.',
  },
  'request-expired': {
    status: 409,
    title: 'The request has expired',
    detail: 'Refused: {what}.',
    when: 'Approval of a request that has waited for longer than a week.',
  },
  'same-person': {
    status: 409,
    title: 'A second person is needed',
    detail: 'Refused: {what}.',
    when: 'Approval with the key that asked.',
  },
  'request-in-flight': {
    status: 409,
    title: 'The same request is being worked on',
    detail: 'A request with this idempotency key is being worked on: ask again in a moment.',
    when: 'The same key comes again before its first request is answered. Retry-After says when to ask again; a request that was cut off is taken over after half a minute.',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'The idempotency key belongs to another request',
    detail: 'Refused: {what}.',
    when: 'The key was sent before by the same caller with another path or body.',
  },
  'webhook-not-believed': {
    status: 400,
    title: 'The webhook is not believed',
    detail: 'Refused: {what}.',
    when: 'An event of a payment provider whose signature is wrong, missing or too old, or that is no event at all.',
  },
  'provider-not-answering': {
    status: 503,
    title: 'The provider does not answer',
    detail: 'The object could not be fetched from {what}: send the event again.',
    when: 'A webhook, while the provider cannot be asked what has become of its object, or before what is under way with it has ended.',
  },
  ...reconciliationErrorRows,
  'wallet-behind': {
    status: 503,
    title: 'The wallets are behind',
    detail: 'Not decided yet: {what}.',
    when: "A payout, while the wallets have not seen the seller's last event. Retry-After says when to try again.",
  },
});

type Code = keyof typeof paymentsErrors.rows;

const soon = { headers: { 'retry-after': '1' } } as const;
/** Problems that pass by themselves: with the same idempotency key it is decided anew. */
const passing: ReadonlySet<string> = new Set(['in-progress', 'request-in-flight', 'wallet-behind']);

type Failure =
  | Refused
  | { readonly kind: 'late' | 'lost' | 'overloaded' | 'unreachable' }
  | { readonly kind: 'unknown'; readonly detail: string };

/** The problem that a refusal of the domain, the log or a read model is answered with. */
export function problemOf(failure: Failure, projection: ProjectionName = 'payments'): Problem {
  if (failure.kind !== 'refused') return logProblem(failure, repairCommand(projection));
  const { reason, detail: what } = failure;
  if (reason === 'wallet-lost') return logProblem({ kind: 'lost' }, repairCommand('wallets'));
  if (isOfLog(reason)) return logErrors.problem(reason, { what });
  if (!isCode(reason)) throw new TypeError(`no problem has the code ${reason}: ${what}`);
  // Only commands that name an amount are refused for it.
  if (reason === 'amount-step') return amountStepProblem('amount', what);
  return paymentsErrors.problem(reason, { what }, passing.has(reason) ? soon : {});
}

export function amountStepProblem(field: string, message: string): Problem {
  const errors = [{ in: 'body', field, message }] as const;
  return paymentsErrors.problem('amount-step', { what: message }, { errors });
}

function isCode(reason: string): reason is Code {
  return Object.hasOwn(paymentsErrors.rows, reason);
}

function isOfLog(
  reason: string,
): reason is 'invalid-cursor' | 'invalid-position' | 'position-ahead' {
  return Object.hasOwn(logErrors.rows, reason);
}

/**
 * Whether a problem is the answer of its idempotency key from now on: a decision about how things stood. What is wrong
 * with the request itself (400, 404, 422), what passes, and what broke is not kept.
 */
export function isKept({ status, code }: Pick<Problem, 'status' | 'code'>): boolean {
  return status === 409 && !passing.has(code);
}
