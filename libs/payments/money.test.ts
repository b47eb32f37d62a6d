import * as oracle from 'dinero.js/bigint';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  allocate,
  amountSchema,
  currencySchema,
  divide,
  exponentOf,
  feeOf,
  isCurrency,
  type Money,
  money,
  shownMoney,
} from './money.ts';

const amounts = fc.bigInt({ min: 0n, max: 10n ** 18n - 1n });
const signed = fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n });
const currencies = [oracle.USD, oracle.JPY, oracle.KWD, oracle.EUR, oracle.CLF];

describe('currencies', () => {
  it('have the decimals of ISO 4217', () => {
    const decimals = ['JPY', 'USD', 'KWD', 'CLF', 'MGA', 'MRU', 'ISK', 'HUF'].map((code) =>
      isCurrency(code) ? `${code} ${exponentOf(code)}` : `${code} unknown`,
    );
    expect(decimals).toEqual([
      'JPY 0',
      'USD 2',
      'KWD 3',
      'CLF 4',
      'MGA 2',
      'MRU 2',
      'ISK 0',
      'HUF 2',
    ]);
  });

  it('are refused in lower case, with spaces, and when unknown', () => {
    for (const code of ['usd', ' USD', 'ABC', '', 'default', 'constructor']) {
      expect(isCurrency(code), code).toBe(false);
      expect(currencySchema.safeParse(code).success, code).toBe(false);
      expect(() => money(1n, code)).toThrow(RangeError);
    }
  });
});

describe('an amount from outside', () => {
  it('is a string of minor units above zero', () => {
    for (const good of ['1', '1999', '999999999999999999']) {
      expect(amountSchema.parse(good)).toBe(good);
    }
    const bad: unknown[] = [
      1999,
      19.99,
      '0',
      '-1',
      '+1',
      '01',
      '19.99',
      '1e3',
      ' 1',
      '',
      '٣',
      null,
    ];
    for (const one of [...bad, '1000000000000000000', 10n]) {
      expect(amountSchema.safeParse(one).success, String(one)).toBe(false);
    }
  });

  it('that is a JSON number is told what it should be', () => {
    const { error } = amountSchema.safeParse(1999);
    expect(error?.issues[0]?.message).toContain('string of minor units');
  });
});

describe('rounding', () => {
  const roundings = {
    'half-up': oracle.halfAwayFromZero,
    'half-even': oracle.halfEven,
  } as const;

  it('agrees with dinero.js', () => {
    fc.assert(
      fc.property(
        signed,
        fc.constantFrom(...(['half-up', 'half-even'] as const)),
        (amount, rounding) => {
          const cents = oracle.dinero({ amount, currency: oracle.USD, scale: 4n });
          const { amount: rounded } = oracle.toSnapshot(
            oracle.transformScale(cents, 2n, roundings[rounding]),
          );
          expect(divide(amount, 100n, rounding)).toBe(rounded);
        },
      ),
    );
  });

  it('down is towards zero and up away from it', () => {
    expect([divide(7n, 2n, 'down'), divide(-7n, 2n, 'down')]).toEqual([3n, -3n]);
    expect([divide(7n, 3n, 'up'), divide(-7n, 3n, 'up')]).toEqual([3n, -3n]);
    expect(() => divide(1n, 0n, 'down')).toThrow(RangeError);
  });
});

describe('a split', () => {
  const weights = fc.array(fc.bigInt({ min: 0n, max: 1_000_000n }), {
    minLength: 1,
    maxLength: 12,
  });

  it('sums to the amount, and no part is a whole unit off its share', () => {
    fc.assert(
      fc.property(amounts, weights, (amount, ratios) => {
        const sum = ratios.reduce((total, ratio) => total + ratio, 0n);
        fc.pre(sum > 0n);
        const parts = allocate(amount, ratios);
        expect(parts.reduce((total, part) => total + part, 0n)).toBe(amount);
        parts.forEach((part, index) => {
          const off = part * sum - amount * (ratios[index] as bigint);
          expect(off < sum && off > -sum).toBe(true);
        });
      }),
    );
  });

  it('differs from the one of dinero.js only in who gets the last units', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 12n }), weights, (amount, ratios) => {
        fc.pre(ratios.some((ratio) => ratio > 0n));
        const whole = oracle.dinero({ amount, currency: oracle.USD });
        const theirs = oracle.allocate(whole, ratios).map((part) => oracle.toSnapshot(part).amount);
        allocate(amount, ratios).forEach((part, index) => {
          const off = part - (theirs[index] as bigint);
          expect(off >= -1n && off <= 1n).toBe(true);
        });
      }),
    );
  });

  it('gives what is left to the largest remainders', () => {
    expect(allocate(10n, [1n, 1n, 1n])).toEqual([4n, 3n, 3n]);
    expect(allocate(7n, [1n, 2n, 1n])).toEqual([2n, 3n, 2n]);
    expect(allocate(5n, [0n, 1n])).toEqual([0n, 5n]);
  });

  it('is refused without weights', () => {
    expect(() => allocate(1n, [])).toThrow(RangeError);
    expect(() => allocate(1n, [0n])).toThrow(RangeError);
    expect(() => allocate(1n, [2n, -1n])).toThrow(RangeError);
    expect(() => allocate(-1n, [1n])).toThrow(RangeError);
  });
});

describe('a fee', () => {
  it('is percent and fixed part, half a unit up, and never above the amount', () => {
    expect(feeOf(10_000n, { basisPoints: 290, fixed: 30n })).toBe(320n);
    expect(feeOf(50n, { basisPoints: 100, fixed: 0n })).toBe(1n);
    expect(feeOf(49n, { basisPoints: 100, fixed: 0n })).toBe(0n);
    expect(feeOf(20n, { basisPoints: 290, fixed: 30n })).toBe(20n);
  });
});

describe('money for people', () => {
  it('has the decimals of its currency, as dinero.js shows it', () => {
    fc.assert(
      fc.property(signed, fc.constantFrom(...currencies), (amount, currency) => {
        const shown = oracle.toDecimal(oracle.dinero({ amount, currency }));
        const ours: Money = money(amount, currency.code);
        // dinero.js drops the sign of what is above -1.
        const theirs = amount < 0n && !shown.startsWith('-') ? `-${shown}` : shown;
        expect(shownMoney(ours)).toBe(`${theirs} ${currency.code}`);
      }),
    );
  });
});
