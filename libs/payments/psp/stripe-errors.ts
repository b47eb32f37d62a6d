import Stripe from 'stripe';
import type { DeclineNext, DeclineReason, PspDeclined, PspRefused, PspUnknown } from './port.ts';

/**
 * What each error of the official client means for the money. The whole table is in docs/payments-psp.md,
 * and a test compares the two.
 */

export type StripeFailure = PspDeclined | PspRefused | PspUnknown;

/** The provider's decline code → what we say, and what may help. Codes that are not here: `do_not_honor`, ask the buyer. */
export const stripeDeclines: Readonly<Record<string, readonly [DeclineReason, DeclineNext]>> = {
  authentication_required: ['authentication_required', 'ask_buyer'],
  payment_intent_authentication_failure: ['authentication_failed', 'ask_buyer'],
  setup_intent_authentication_failure: ['authentication_failed', 'ask_buyer'],
  insufficient_funds: ['insufficient_funds', 'ask_buyer'],
  card_velocity_exceeded: ['limit_exceeded', 'ask_buyer'],
  withdrawal_count_limit_exceeded: ['limit_exceeded', 'ask_buyer'],
  expired_card: ['expired_card', 'ask_buyer'],
  incorrect_cvc: ['incorrect_details', 'ask_buyer'],
  incorrect_number: ['incorrect_details', 'ask_buyer'],
  incorrect_zip: ['incorrect_details', 'ask_buyer'],
  invalid_cvc: ['incorrect_details', 'ask_buyer'],
  invalid_expiry_month: ['incorrect_details', 'ask_buyer'],
  invalid_expiry_year: ['incorrect_details', 'ask_buyer'],
  invalid_number: ['incorrect_details', 'ask_buyer'],
  card_not_supported: ['not_supported', 'ask_buyer'],
  currency_not_supported: ['not_supported', 'ask_buyer'],
  transaction_not_allowed: ['not_supported', 'ask_buyer'],
  lost_card: ['lost_card', 'fail'],
  stolen_card: ['stolen_card', 'fail'],
  pickup_card: ['stolen_card', 'fail'],
  fraudulent: ['suspected_fraud', 'fail'],
  merchant_blacklist: ['suspected_fraud', 'fail'],
  do_not_try_again: ['do_not_honor', 'fail'],
  processing_error: ['processing_error', 'retry'],
  issuer_not_available: ['processing_error', 'retry'],
  reenter_transaction: ['processing_error', 'retry'],
  try_again_later: ['processing_error', 'retry'],
};

/** Codes of an invalid request that say: the object is not in a state for this. */
export const wrongStateCodes: ReadonlySet<string> = new Set([
  'payment_intent_unexpected_state',
  'setup_intent_unexpected_state',
  'intent_invalid_state',
  'status_transition_invalid',
  'charge_already_captured',
  'charge_already_refunded',
  'charge_disputed',
  'charge_expired_for_capture',
  'capture_charge_authorization_expired',
  'charge_not_refundable',
  'refund_disputed_payment',
  'payout_reconciliation_not_ready',
]);

/** Codes of Node.js and of fetch that say: no connection came about, so no byte was sent. */
export const unsentCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** The answer that an error of the client stands for. An error that is not the client's is a bug, and thrown again. */
export function failureOf(error: unknown): StripeFailure {
  const { errors } = Stripe;
  if (!(error instanceof errors.StripeError)) throw error;
  const requestId = error.requestId ? { requestId: error.requestId } : {};
  const detail = error.message;
  if (error instanceof errors.StripeCardError) return { ...declineOf(error), ...requestId };
  if (error instanceof errors.StripeConnectionError) {
    return { ...connectionFailure(error), ...requestId };
  }
  const reason = refusalReason(error);
  if (reason !== undefined) return { kind: 'refused', reason, detail, ...requestId };
  // 409: another call with this key is under way. Everything else that came from Stripe itself may have had its effect.
  const unknown = error.statusCode === 409 ? 'in_flight' : 'provider_error';
  const replayed = error.headers?.['idempotent-replayed'] === 'true' ? { replayed: true } : {};
  return { kind: 'unknown', reason: unknown, detail, ...replayed, ...requestId };
}

function refusalReason(error: InstanceType<typeof Stripe.errors.StripeError>) {
  const { errors } = Stripe;
  if (error instanceof errors.StripeRateLimitError) return 'rate_limited';
  if (error instanceof errors.StripeIdempotencyError) return 'key_reused';
  if (
    error instanceof errors.StripeAuthenticationError ||
    error instanceof errors.StripePermissionError
  ) {
    return 'not_permitted';
  }
  if (!(error instanceof errors.StripeInvalidRequestError)) return undefined;
  const code = error.code ?? '';
  if (code === 'resource_missing' || error.statusCode === 404) return 'not_found';
  if (code === 'balance_insufficient' || code === 'insufficient_funds') {
    return 'balance_insufficient';
  }
  return wrongStateCodes.has(code) ? 'wrong_state' : 'invalid_request';
}

function declineOf(error: InstanceType<typeof Stripe.errors.StripeCardError>): PspDeclined {
  return { kind: 'declined', ...declineOfCodes(error.code, error.decline_code) };
}

/** `decline_code` says more than `code`, where there is one. */
export function declineOfCodes(
  code: string | undefined,
  declineCode: string | undefined,
): Pick<PspDeclined, 'reason' | 'code' | 'next'> {
  const known = [declineCode, code].find((one) => one && Object.hasOwn(stripeDeclines, one));
  const [reason, next] = stripeDeclines[known ?? ''] ?? ['do_not_honor', 'ask_buyer'];
  return { reason, next, code: declineCode || code || 'card_declined' };
}

function connectionFailure(
  error: InstanceType<typeof Stripe.errors.StripeConnectionError>,
): PspRefused | PspUnknown {
  const codes = codesOf(error.detail);
  const detail = [error.message, ...codes].join(' ');
  if (codes.some((code) => unsentCodes.has(code))) {
    return { kind: 'refused', reason: 'unreachable', detail };
  }
  const reason = codes.includes('ETIMEDOUT') ? 'timeout' : 'connection_lost';
  return { kind: 'unknown', reason, detail };
}

/** The codes of an error and of its causes: fetch puts the one that says something into `cause`. */
function codesOf(error: unknown, depth = 0): string[] {
  if (typeof error !== 'object' || error === null || depth > 4) return [];
  const { code, cause, exception, errors } = error as {
    readonly code?: unknown;
    readonly cause?: unknown;
    readonly exception?: unknown;
    readonly errors?: unknown;
  };
  const below = [cause, exception, ...(Array.isArray(errors) ? errors : [])];
  return [
    ...(typeof code === 'string' ? [code] : []),
    ...below.flatMap((one) => codesOf(one, depth + 1)),
  ];
}
