/** What is done about a break. */
export type Treatment = 'correct' | 'wait' | 'finance' | 'special';

export const breakClasses = [
  'missing_in_psp',
  'missing_in_ledger',
  'amount_mismatch',
  'currency_mismatch',
  'status_mismatch',
  'duplicate_in_psp',
  'duplicate_in_ledger',
  'fee_mismatch',
  'timing',
  'rounding',
  'unidentified_row',
] as const;
export type BreakClass = (typeof breakClasses)[number];

export interface BreakClassRow {
  readonly meaning: string;
  readonly treatment: Treatment;
  readonly because: string;
}

/** What each class means and what becomes of it; docs/payments-reconciliation.md prints it. */
export const breakClassTable: { readonly [Class in BreakClass]: BreakClassRow } = {
  missing_in_psp: {
    meaning: 'our entry has no line, and its time to wait is over',
    treatment: 'finance',
    because: 'money may be missing: somebody must ask the provider',
  },
  missing_in_ledger: {
    meaning: 'a line has no entry of ours, and its time to wait is over',
    treatment: 'finance',
    because: 'somebody must find out whose money it is before it is booked',
  },
  amount_mismatch: {
    meaning: 'line and entry agree on the currency, and their amounts differ by more than rounding',
    treatment: 'finance',
    because: 'which side is right is not in the data',
  },
  currency_mismatch: {
    meaning: 'line and entry are in different currencies',
    treatment: 'finance',
    because: 'which side is right is not in the data',
  },
  status_mismatch: {
    meaning: 'both sides know the key, and say that different things happened to it',
    treatment: 'finance',
    because: 'what we did because of the wrong state must be undone by somebody',
  },
  duplicate_in_psp: {
    meaning: 'a second line for the same key and status',
    treatment: 'finance',
    because: 'the provider or the file did it twice: somebody must claim it back',
  },
  duplicate_in_ledger: {
    meaning: 'a second entry of ours for the same key and status',
    treatment: 'finance',
    because: 'we booked twice, which is a fault of ours to find first',
  },
  fee_mismatch: {
    meaning:
      "amounts agree, and the provider's fee differs from the one we booked; or fees of no single payment are above 10 % of what the file has charged",
    treatment: 'correct',
    because:
      'the provider says what it takes; a fee above 10 % of the amount goes to finance, and so do such fees of no single payment',
  },
  timing: {
    meaning:
      'one side only, within 6 hours of the end of the file, for at most 3 files; or a refund that is still pending with us',
    treatment: 'wait',
    because: 'the other side belongs to the next file',
  },
  rounding: {
    meaning: 'amounts differ by one minor unit',
    treatment: 'correct',
    because: 'the difference is booked to FX difference',
  },
  unidentified_row: {
    meaning:
      'a bad line, or one whose kind or reference means nothing to us; a file that cannot be used; or what a provider says of an object that does not fit with our books',
    treatment: 'special',
    because: 'nobody knows what it is: it is looked into by hand',
  },
};
