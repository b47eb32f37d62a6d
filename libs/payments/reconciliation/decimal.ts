import { moneyLimits } from '../money.ts';

/**
 * The minor units of a decimal text: `-12.34` with exponent 2 is -1234n. Undefined where it is no such
 * number, or too long. `exact`: just as many decimals as the exponent says. `fitting`: fewer are allowed, and more
 * where they are zeros.
 */
export function minorUnits(
  text: string,
  exponent: number,
  decimals: 'exact' | 'fitting',
): bigint | undefined {
  const match = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (!match) return undefined;
  const [, sign, whole = '', fraction = ''] = match;
  if (decimals === 'exact' && fraction.length !== exponent) return undefined;
  if (/[^0]/.test(fraction.slice(exponent))) return undefined;
  const digits = `${whole}${fraction.slice(0, exponent).padEnd(exponent, '0')}`;
  if (digits.replace(/^0+/, '').length > moneyLimits.digitsMax) return undefined;
  const amount = BigInt(digits);
  return sign === '-' ? -amount : amount;
}
