import { amountSchema, isCurrency } from '../money.ts';

/** Above which amount a payout waits for a second person, by currency, in minor units. */
export type PayoutLimits = ReadonlyMap<string, bigint>;

/**
 * `EUR:1000000,JPY:1500000` as limits: a payout of more than 10,000.00 EUR waits. A text with a currency that is none,
 * twice the same, or an amount that is not above zero comes to a sentence that says so.
 */
export function parsePayoutLimits(text: string): PayoutLimits | string {
  const limits = new Map<string, bigint>();
  for (const part of text.split(',').map((one) => one.trim())) {
    if (part === '') continue;
    const [currency = '', amount = '', ...rest] = part.split(':');
    if (!isCurrency(currency)) return `${currency} is no ISO 4217 currency`;
    if (limits.has(currency)) return `${currency} comes twice`;
    if (rest.length > 0 || !amountSchema.safeParse(amount).success) {
      return `${part} is not CURRENCY:AMOUNT with an amount in minor units`;
    }
    limits.set(currency, BigInt(amount));
  }
  return limits;
}
