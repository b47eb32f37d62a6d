import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Posting } from '../journal.ts';
import { postingsText, readPostings } from './postings-text.ts';

test('postings are read as they were written, whatever an account is named and however large an amount is', () => {
  const posting: fc.Arbitrary<Posting> = fc.record({
    account: fc.oneof(
      fc.constantFrom('bank', 'seller_available:shop-1'),
      fc.string({ unit: 'binary' }),
    ),
    balance: fc.constantFrom('posted', 'pending'),
    side: fc.constantFrom('debit', 'credit'),
    amount: fc.bigInt({ min: 1n, max: 10n ** 30n }),
  });
  fc.assert(
    fc.property(fc.array(posting), (postings) => {
      const text = postingsText(postings);
      expect(readPostings(text)).toEqual(postings);
      const lines = postings.map(({ account, balance, side, amount }) => {
        return [account, balance, side, String(amount)];
      });
      expect(text).toBe(JSON.stringify(lines));
    }),
  );
});
