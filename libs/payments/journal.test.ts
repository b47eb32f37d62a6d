import { describe, expect, it } from 'vitest';
import { isAccount, journalOf, postingTable, UnbalancedEntryError } from './journal.ts';

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

  it('of a correction is what its lines say, and refers to the entry that it corrects', () => {
    const entry = {
      currency: 'EUR',
      lines: [
        { debit: 'psp_fees', credit: 'psp_clearing', amount: '5' },
        { debit: 'losses', credit: 'seller_available:shop', amount: '7' },
      ],
      movements: [{}, { corrects: 'event-1' }],
    };
    const corrected = { type: 'break-corrected', data: { entry } };
    expect(lines(corrected)).toEqual([
      'posted 5 psp_fees > psp_clearing',
      'posted 7 losses > seller_available:shop',
    ]);
    expect(journalOf(corrected)).toMatchObject({ currency: 'EUR', corrects: 'event-1' });
    expect(journalOf({ type: 'break-resolved', data: {} })).toBeUndefined();
    for (const wrong of [{ amount: '0' }, { amount: '-1' }, { debit: 'profit' }]) {
      const off = { ...entry, lines: [{ ...entry.lines[0], ...wrong }] };
      expect(() => journalOf({ type: 'break-resolved', data: { entry: off } })).toThrow(RangeError);
    }
  });

  it.each([
    ['bank', true],
    ['seller_available:shop:1', true],
    ['seller_available', false],
    ['seller_available:', false],
    ['bank:1', false],
    ['petty_cash', false],
    ['', false],
  ])('is between accounts that there are: %s', (name, is) => {
    expect(isAccount(name)).toBe(is);
  });

  it('never debits and credits one account with one line', () => {
    for (const rules of Object.values(postingTable)) {
      if ('entry' in rules) continue;
      for (const { debit, credit } of rules) expect(debit).not.toBe(credit);
    }
  });
});
