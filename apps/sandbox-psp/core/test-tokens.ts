/**
 * What a buyer's card and a seller's bank account may do in the sandbox. The names and numbers are Stripe's own
 * where Stripe has them (https://docs.stripe.com/testing); those of the sandbox alone say `sandbox`.
 */

export interface Decline {
  readonly code: string;
  readonly declineCode: string;
}

export interface CardBehaviour {
  readonly token: string;
  /** The number to type into the hosted page; none where Stripe has none. */
  readonly number?: string;
  readonly says: string;
  /** Declined when it is charged. */
  readonly decline?: Decline;
  /**
   * Whether the holder has to prove who it is: `once`: before the first payment, later ones rest on it;
   * `always`: at every payment, so that one without the buyer is declined.
   */
  readonly authentication?: 'once' | 'always';
  /** Stays `processing`, then succeeds or is declined. */
  readonly processing?: true;
  readonly refunds?: 'pending' | 'failing';
  /** Disputed some time after it was captured. */
  readonly dispute?: 'fraudulent' | 'product_not_received';
}

function declined(token: string, number: string, code: string, declineCode: string): CardBehaviour {
  const says = `is declined: ${declineCode}`;
  return { token, number, says, decline: { code, declineCode } };
}

export const cards: readonly CardBehaviour[] = [
  { token: 'pm_card_visa', number: '4242424242424242', says: 'pays' },
  { token: 'pm_card_mastercard', number: '5555555555554444', says: 'pays' },
  { token: 'pm_card_amex', number: '378282246310005', says: 'pays' },
  declined('pm_card_visa_chargeDeclined', '4000000000000002', 'card_declined', 'generic_decline'),
  declined(
    'pm_card_visa_chargeDeclinedInsufficientFunds',
    ...(['4000000000009995', 'card_declined', 'insufficient_funds'] as const),
  ),
  declined(
    'pm_card_visa_chargeDeclinedLostCard',
    ...(['4000000000009987', 'card_declined', 'lost_card'] as const),
  ),
  declined(
    'pm_card_visa_chargeDeclinedStolenCard',
    ...(['4000000000009979', 'card_declined', 'stolen_card'] as const),
  ),
  declined(
    'pm_card_chargeDeclinedExpiredCard',
    ...(['4000000000000069', 'expired_card', 'expired_card'] as const),
  ),
  declined(
    'pm_card_chargeDeclinedIncorrectCvc',
    ...(['4000000000000127', 'incorrect_cvc', 'incorrect_cvc'] as const),
  ),
  declined(
    'pm_card_chargeDeclinedProcessingError',
    ...(['4000000000000119', 'processing_error', 'processing_error'] as const),
  ),
  declined(
    'pm_card_visa_chargeDeclinedVelocityLimitExceeded',
    ...(['4000000000006975', 'card_declined', 'card_velocity_exceeded'] as const),
  ),
  declined('pm_card_radarBlock', '4100000000000019', 'card_declined', 'fraudulent'),
  {
    token: 'pm_card_threeDSecure2Required',
    number: '4000000000003220',
    says: 'pays after 3-D Secure, once for a checkout',
    authentication: 'once',
  },
  {
    token: 'pm_card_authenticationRequired',
    number: '4000002760003184',
    says: 'pays after 3-D Secure at every payment',
    authentication: 'always',
  },
  {
    token: 'pm_card_authenticationRequiredChargeDeclinedInsufficientFunds',
    number: '4000008260003178',
    says: 'is declined after 3-D Secure: insufficient_funds',
    authentication: 'once',
    decline: { code: 'card_declined', declineCode: 'insufficient_funds' },
  },
  {
    token: 'pm_card_createDispute',
    number: '4000000000000259',
    says: 'pays, and is disputed later as fraudulent',
    dispute: 'fraudulent',
  },
  {
    token: 'pm_card_createDisputeProductNotReceived',
    number: '4000000000002685',
    says: 'pays, and is disputed later: product not received',
    dispute: 'product_not_received',
  },
  {
    token: 'pm_card_pendingRefund',
    number: '4000000000007726',
    says: 'pays; its refunds are pending first',
    refunds: 'pending',
  },
  {
    token: 'pm_card_refundFail',
    number: '4000000000005126',
    says: 'pays; its refunds fail later',
    refunds: 'failing',
  },
  { token: 'pm_sandbox_processing', says: 'is processing first, then pays', processing: true },
  {
    token: 'pm_sandbox_processingDeclined',
    says: 'is processing first, then is declined: generic_decline',
    processing: true,
    decline: { code: 'card_declined', declineCode: 'generic_decline' },
  },
];

const byToken: ReadonlyMap<string, CardBehaviour> = new Map(cards.map((one) => [one.token, one]));
const byNumber: ReadonlyMap<string, CardBehaviour> = new Map(
  cards.flatMap((one) => (one.number === undefined ? [] : [[one.number, one] as const])),
);

export function cardOfToken(token: string): CardBehaviour | undefined {
  return byToken.get(token);
}

export function cardOfNumber(number: string): CardBehaviour | undefined {
  return byNumber.get(number);
}

export interface BankBehaviour {
  readonly token: string;
  readonly says: string;
  /** Fails instead of being paid, or after it was paid. */
  readonly fails?: { readonly when: 'in_transit' | 'paid'; readonly code: string };
}

/** Every other `ba_` or `btok_` account is paid, too. */
export const bankAccounts: readonly BankBehaviour[] = [
  { token: 'ba_sandbox', says: 'is paid' },
  {
    token: 'ba_sandbox_no_account',
    says: 'fails in transit: no_account',
    fails: { when: 'in_transit', code: 'no_account' },
  },
  {
    token: 'ba_sandbox_account_closed',
    says: 'fails in transit: account_closed',
    fails: { when: 'in_transit', code: 'account_closed' },
  },
  {
    token: 'ba_sandbox_fails_after_paid',
    says: 'is paid, and fails later: could_not_process',
    fails: { when: 'paid', code: 'could_not_process' },
  },
];

export function bankOfToken(token: string): BankBehaviour | undefined {
  const known = bankAccounts.find((one) => one.token === token);
  if (known || !/^(?:ba|btok)_\w{1,200}$/.test(token)) return known;
  return token.startsWith('ba_sandbox_') ? undefined : { token, says: 'is paid' };
}
