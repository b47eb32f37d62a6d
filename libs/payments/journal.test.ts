import { describe, expect, it } from 'vitest';
import { journalOf, postingTable, UnbalancedEntryError } from './journal.ts';

const captured = {
  type: 'order-captured',
  data: {
    seller_account: 'shop',
    currency: 'EUR',
    amount: '1000',
    authorized: '1200',
    platform_fee: '59',
    net: '941',
    psp_fee: '29',
  },
};

/** `1000 psp_clearing > buyer`: debited and credited. */
function lines(event: { type: string; data: unknown }): string[] {
  const { postings = [] } = journalOf(event) ?? {};
  const debits = postings.filter(({ side }) => side === 'debit');
  const credits = postings.filter(({ side }) => side === 'credit');
  return debits.map(({ account, amount, balance }, at) => {
    return `${balance} ${amount} ${account} > ${credits[at]?.account}`;
  });
}

describe('the journal entry of an event', () => {
  it('of a capture books the charge, who gets it, and what the provider keeps', () => {
    expect(lines(captured)).toEqual([
      'pending 1200 buyer > psp_clearing',
      'posted 1000 psp_clearing > buyer',
      'posted 941 buyer > seller_pending:shop',
      'posted 59 buyer > platform_fees',
      'posted 29 psp_fees > psp_clearing',
    ]);
  });

  it('leaves out what is zero', () => {
    const data = { ...captured.data, authorized: '0', psp_fee: '0' };
    expect(lines({ ...captured, data })).toHaveLength(3);
  });

  it('of a payout that fails after it was paid brings the money back from the bank', () => {
    const data = { seller_account: 'shop', currency: 'EUR', amount: '5' };
    const failed = (after_paid: boolean) =>
      lines({ type: 'payout-failed', data: { ...data, after_paid } });
    expect(failed(true)).toEqual(['posted 5 bank > seller_available:shop']);
    expect(failed(false)).toEqual(['posted 5 payouts_in_transit > seller_available:shop']);
  });

  it('is refused where the amounts of the event do not add up, or are below zero', () => {
    const off = { ...captured, data: { ...captured.data, net: '942' } };
    expect(() => journalOf(off)).toThrow(UnbalancedEntryError);
    const below = { ...captured, data: { ...captured.data, net: '-1', platform_fee: '1001' } };
    expect(() => journalOf(below)).toThrow(RangeError);
  });

  it('is none for an event that moves nothing', () => {
    expect(journalOf({ type: 'capture-requested', data: { amount: '5' } })).toBeUndefined();
  });

  it('never debits and credits one account with one line', () => {
    for (const rules of Object.values(postingTable)) {
      for (const { debit, credit } of rules) expect(debit).not.toBe(credit);
    }
  });
});
