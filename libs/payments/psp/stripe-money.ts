import type { AmountUse, PspMoney } from './port.ts';

/**
 * Stripe counts some currencies in other units than ISO 4217 does
 * (https://docs.stripe.com/currencies, "zero-decimal currencies" and "special cases"):
 * ISK and UGX have no minor unit, and Stripe wants two decimals that are 0; MGA has a fifth as its minor unit,
 * which ISO counts as two decimals and Stripe as none; of three decimals Stripe takes only tens.
 */
const timesAtStripe: ReadonlyMap<string, bigint> = new Map([
  ['ISK', 100n],
  ['UGX', 100n],
]);
const partsAtStripe: ReadonlyMap<string, bigint> = new Map([['MGA', 100n]]);

/** Of what amounts must be multiples, in minor units of ISO 4217; any whole amount of the others. */
export const stripeSteps: ReadonlyMap<string, bigint> = new Map([
  ['BHD', 10n],
  ['JOD', 10n],
  ['KWD', 10n],
  ['MGA', 100n],
  ['OMR', 10n],
  ['TND', 10n],
]);
/** Beside that, of payouts alone: Stripe charges in these with two decimals, and pays out in whole units. */
export const stripePayoutSteps: ReadonlyMap<string, bigint> = new Map([
  ['HUF', 100n],
  ['TWD', 100n],
]);

export function stripeAmountStep(use: AmountUse, currency: string): bigint {
  const ofPayouts = use === 'payout' ? stripePayoutSteps.get(currency) : undefined;
  return ofPayouts ?? stripeSteps.get(currency) ?? 1n;
}

export interface StripeAmount {
  readonly amount: number;
  /** Lower case. */
  readonly currency: string;
}

export type ToStripeAmount =
  | { readonly kind: 'amount'; readonly value: StripeAmount }
  | { readonly kind: 'refused'; readonly detail: string };

/** Minor units as Stripe takes them, or why it can't take them. */
export function toStripeAmount(
  { amount, currency }: PspMoney,
  use: AmountUse = 'payment',
): ToStripeAmount {
  const refuse = (detail: string): ToStripeAmount => ({ kind: 'refused', detail });
  if (!/^[A-Z]{3}$/.test(currency)) return refuse(`${currency} is no ISO 4217 code`);
  if (amount <= 0n) return refuse('the amount is not above zero');
  const step = stripeAmountStep(use, currency);
  if (amount % step !== 0n) {
    return refuse(`Stripe takes ${currency} in multiples of ${step} minor units only`);
  }
  const parts = partsAtStripe.get(currency) ?? 1n;
  const units = (amount * (timesAtStripe.get(currency) ?? 1n)) / parts;
  if (units > BigInt(Number.MAX_SAFE_INTEGER)) return refuse('the amount is too large');
  return { kind: 'amount', value: { amount: Number(units), currency: currency.toLowerCase() } };
}

/** An amount that Stripe gave, in ISO 4217's minor units. Throws RangeError for one that is no whole number. */
export function fromStripeAmount(amount: number, currency: string): PspMoney {
  const code = currency.toUpperCase();
  if (!Number.isSafeInteger(amount)) throw new RangeError(`${amount} ${code} is no whole amount`);
  const times = timesAtStripe.get(code) ?? 1n;
  const units = BigInt(amount) * (partsAtStripe.get(code) ?? 1n);
  if (units % times !== 0n) throw new RangeError(`${amount} ${code} is no whole amount`);
  return { amount: units / times, currency: code };
}
