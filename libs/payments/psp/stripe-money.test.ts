import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromStripeAmount, stripeAmountStep, toStripeAmount } from './stripe-money.ts';

test.each([
  ['USD', 1_999n, 1_999],
  ['JPY', 500n, 500],
  ['KWD', 1_230n, 1_230],
  ['ISK', 100n, 10_000],
  ['UGX', 3n, 300],
  ['MGA', 12_300n, 123],
])('%s: %d minor units of ISO 4217 are %d at Stripe, and back', (currency, amount, atStripe) => {
  expect(toStripeAmount({ amount, currency })).toEqual({
    kind: 'amount',
    value: { amount: atStripe, currency: currency.toLowerCase() },
  });
  expect(fromStripeAmount(atStripe, currency.toLowerCase())).toEqual({ amount, currency });
});

test.each([
  ['nothing', 0n, 'USD'],
  ['less than nothing', -1n, 'USD'],
  ['thousandths of a dinar', 1_234n, 'KWD'],
  ['a part of an ariary', 12_345n, 'MGA'],
  ['more than a number holds', 2n ** 53n, 'USD'],
  ['more than a number holds at Stripe', 2n ** 50n, 'ISK'],
  ['a code in lower case', 1n, 'usd'],
  ['a code that is none', 1n, 'DOLLAR'],
])('%s is refused before it is sent', (_, amount, currency) => {
  expect(toStripeAmount({ amount, currency })).toMatchObject({ kind: 'refused' });
});

test.each([
  ['USD', 1n, 1n],
  ['JPY', 1n, 1n],
  ['ISK', 1n, 1n],
  ['KWD', 10n, 10n],
  ['BHD', 10n, 10n],
  ['JOD', 10n, 10n],
  ['OMR', 10n, 10n],
  ['TND', 10n, 10n],
  ['MGA', 100n, 100n],
  ['HUF', 1n, 100n],
  ['TWD', 1n, 100n],
])('%s is charged in steps of %d, and paid out in steps of %d', (currency, payment, payout) => {
  expect(stripeAmountStep('payment', currency)).toBe(payment);
  expect(stripeAmountStep('payout', currency)).toBe(payout);
  for (const [use, step] of [['payment', payment] as const, ['payout', payout] as const]) {
    expect(toStripeAmount({ amount: step * 7n, currency }, use).kind).toBe('amount');
    const between = toStripeAmount({ amount: step * 7n + 1n, currency }, use);
    expect(between.kind).toBe(step === 1n ? 'amount' : 'refused');
  }
});

test('an amount that is not whole in ISO 4217 stops the program', () => {
  expect(() => fromStripeAmount(150, 'isk')).toThrow(RangeError);
  expect(() => fromStripeAmount(1.5, 'usd')).toThrow(RangeError);
});

test('what can be sent comes back as it was', () => {
  const currency = fc.constantFrom('USD', 'EUR', 'JPY', 'KWD', 'ISK', 'UGX', 'MGA');
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: 10n ** 11n }), currency, (tens, code) => {
      const money = { amount: tens * 100n, currency: code };
      const sent = toStripeAmount(money);
      if (sent.kind !== 'amount') throw new Error(sent.detail);
      expect(fromStripeAmount(sent.value.amount, sent.value.currency)).toEqual(money);
    }),
  );
});
