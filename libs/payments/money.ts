import * as iso from 'dinero.js/currencies';
import { z } from 'zod';

/**
 * Amounts of money: whole minor units of an ISO 4217 currency, never a float and never a JSON number.
 * In JSON an amount is a string of digits, `"1999"` for 19.99 USD.
 */
export interface Money {
  readonly amount: bigint;
  readonly currency: Currency;
}

/** An ISO 4217 code in upper case that is in circulation. */
export type Currency = string & { readonly __currency: never };

export const moneyLimits = {
  /** Digits of one amount. */
  digitsMax: 18,
  /** Basis points of a fee: 100 %. */
  basisPointsMax: 10_000,
} as const;

interface IsoCurrency {
  readonly code: string;
  readonly base: number | readonly number[];
  readonly exponent: number;
}

/**
 * Decimals of each currency. Where the minor unit is no power of ten (MGA, MRU: a fifth), ISO 4217 gives two
 * decimals, and so does everybody who sends files.
 */
const exponents: ReadonlyMap<string, number> = new Map(
  Object.values(iso as unknown as { readonly [code: string]: IsoCurrency }).map(
    ({ code, base, exponent }) => [code, base === 10 ? exponent : 2],
  ),
);

export function isCurrency(code: string): code is Currency {
  return exponents.has(code);
}

/** Decimals of the currency: 0 for JPY, 2 for USD, 3 for KWD. */
export function exponentOf(currency: Currency): number {
  const exponent = exponents.get(currency);
  if (exponent === undefined) throw new RangeError(`${currency} is no ISO 4217 currency`);
  return exponent;
}

/** Throws RangeError for a code that is no currency: what comes from outside goes through `currencySchema`. */
export function money(amount: bigint | string, currency: string): Money {
  if (!isCurrency(currency)) throw new RangeError(`${currency} is no ISO 4217 currency`);
  return { amount: typeof amount === 'bigint' ? amount : BigInt(amount), currency };
}

export const currencySchema = z
  .string('must be an ISO 4217 code')
  .refine(isCurrency, 'must be an ISO 4217 code in upper case, as USD');

const digits = moneyLimits.digitsMax;

/** An amount above zero, as a string of minor units. */
export const amountSchema = z
  .string('must be a string of minor units, as "1999" for 19.99 USD')
  .regex(
    /^[1-9]\d*$/,
    'must be minor units above zero: digits only, without a sign or leading zeros',
  )
  .max(digits, `must have at most ${digits} digits`);

/** An amount that is stored in an event: it may be zero or below. */
export const storedAmountSchema = z.string().regex(/^(?:0|-?[1-9]\d{0,20})$/);

/** How a fraction of a minor unit is rounded. `half-even`: to the even neighbour where it is just half. */
export type Rounding = 'down' | 'up' | 'half-up' | 'half-even';

/** `numerator / denominator` rounded to a whole number; `down` and `up` are towards and away from zero. */
export function divide(numerator: bigint, denominator: bigint, rounding: Rounding): bigint {
  if (denominator <= 0n) throw new RangeError('the denominator must be above zero');
  const quotient = numerator / denominator;
  const rest = numerator % denominator;
  if (rest === 0n) return quotient;
  const away = numerator < 0n ? -1n : 1n;
  const twice = (rest < 0n ? -rest : rest) * 2n;
  const roundsAway =
    rounding === 'up' ||
    (rounding !== 'down' &&
      (twice > denominator ||
        (twice === denominator && (rounding === 'half-up' || quotient % 2n !== 0n))));
  return roundsAway ? quotient + away : quotient;
}

/**
 * Splits an amount by weights so that the parts sum to it: each gets its share rounded down, and the minor
 * units that are left go to the largest remainders, the earlier part first (Hamilton's method).
 * Throws RangeError without a weight above zero, for a weight below zero, and for an amount below zero.
 */
export function allocate(amount: bigint, weights: readonly bigint[]): bigint[] {
  const sum = weights.reduce((total, weight) => total + weight, 0n);
  if (sum <= 0n || weights.some((weight) => weight < 0n)) {
    throw new RangeError('weights must not be below zero, and one must be above it');
  }
  if (amount < 0n) throw new RangeError('the amount must not be below zero');
  const parts = weights.map((weight) => (amount * weight) / sum);
  const left = amount - parts.reduce((total, part) => total + part, 0n);
  const byRemainder = weights
    .map((weight, index) => ({ index, remainder: (amount * weight) % sum }))
    .sort((a, b) =>
      a.remainder === b.remainder ? a.index - b.index : a.remainder < b.remainder ? 1 : -1,
    );
  for (const { index } of byRemainder.slice(0, Number(left)))
    parts[index] = (parts[index] ?? 0n) + 1n;
  return parts;
}

/** What the platform keeps of a captured amount. */
export interface FeeTerms {
  /** Hundredths of a percent, 0 to 10,000. */
  readonly basisPoints: number;
  /** Minor units that come on top, once for each capture. */
  readonly fixed: bigint;
}

/** Percent and fixed part of an amount, half a minor unit rounded up; never more than the amount itself. */
export function feeOf(amount: bigint, { basisPoints, fixed }: FeeTerms): bigint {
  const fee = divide(amount * BigInt(basisPoints), 10_000n, 'half-up') + fixed;
  return fee > amount ? amount : fee;
}

/** `19.99 USD`: for people. */
export function shownMoney({ amount, currency }: Money): string {
  const exponent = exponentOf(currency);
  const sign = amount < 0n ? '-' : '';
  const digitsOf = String(amount < 0n ? -amount : amount).padStart(exponent + 1, '0');
  if (exponent === 0) return `${sign}${digitsOf} ${currency}`;
  return `${sign}${digitsOf.slice(0, -exponent)}.${digitsOf.slice(-exponent)} ${currency}`;
}

/** Why an amount can't be sent to a provider that takes only multiples of `step`; undefined where it can. */
export function stepProblem(amount: bigint, step: bigint, currency: string): string | undefined {
  if (amount % step === 0n) return undefined;
  return `amount must be a multiple of ${step} minor units of ${currency}: its provider takes no others`;
}
