import { eventType } from '@annals/event-log';
import { z } from 'zod';
import { storedAmountSchema as amount } from './money.ts';
import { sellerSubject } from './streams.ts';

/** The stored formats of a seller's stream: version them with care. */

const time = z.int();
const payout = {
  seller_account: z.string(),
  payout_id: z.string(),
  amount,
  currency: z.string(),
};

/** What a seller pays, and when it is paid. One `currencies` entry for each currency it sells in. */
export const sellerTermsSchema = z.strictObject({
  currencies: z
    .array(
      z.strictObject({
        currency: z.string(),
        fee_basis_points: z.int(),
        fee_fixed: amount,
        payout_minimum: amount,
      }),
    )
    .min(1),
  reserve_basis_points: z.int(),
  release_after_days: z.int(),
  /** `weekly` on `payout_day` 1 (Monday) to 7; `monthly` on day 1 to 31, or the last of a shorter month. */
  payout_schedule: z.enum(['manual', 'daily', 'weekly', 'monthly']),
  payout_day: z.int().optional(),
});

export const sellerRegistered = eventType({
  name: 'seller-registered',
  schemaVersion: 1,
  schema: z.strictObject({ seller_account: z.string(), terms: sellerTermsSchema }),
});

export const sellerTermsChanged = eventType({
  name: 'seller-terms-changed',
  schemaVersion: 1,
  schema: z.strictObject({ seller_account: z.string(), terms: sellerTermsSchema }),
});

export const sellerBankSet = eventType({
  name: 'seller-bank-set',
  schemaVersion: 1,
  schema: z.strictObject({ seller_account: z.string(), bank_token: z.string() }),
  personal: {
    subject: ({ seller_account }) => sellerSubject(seller_account),
    fields: ['bank_token'],
  },
});

/** Intent, and the money is no longer available. */
export const payoutRequested = eventType({
  name: 'payout-requested',
  schemaVersion: 1,
  schema: z.strictObject({
    ...payout,
    psp: z.string(),
    bank_token: z.string(),
    because: z.enum(['schedule', 'on_demand']),
    call_before: time,
    /** A second person has released it. */
    released: z.boolean().optional(),
  }),
  personal: {
    subject: ({ seller_account }) => sellerSubject(seller_account),
    fields: ['bank_token'],
  },
});

export const payoutSent = eventType({
  name: 'payout-sent',
  schemaVersion: 1,
  schema: z.strictObject({ ...payout, psp_payout_id: z.string() }),
});

export const payoutPaid = eventType({
  name: 'payout-paid',
  schemaVersion: 1,
  schema: z.strictObject(payout),
});

/** The money is available again. `after_paid`: the bank had taken it and sent it back. */
export const payoutFailed = eventType({
  name: 'payout-failed',
  schemaVersion: 1,
  schema: z.strictObject({ ...payout, reason: z.string(), after_paid: z.boolean() }),
});

export const payoutInDoubt = eventType({
  name: 'payout-in-doubt',
  schemaVersion: 1,
  schema: z.strictObject({
    seller_account: z.string(),
    payout_id: z.string(),
    reason: z.string(),
  }),
});

export const reserveReleased = eventType({
  name: 'reserve-released',
  schemaVersion: 1,
  schema: z.strictObject({
    seller_account: z.string(),
    amount,
    currency: z.string(),
    /** Absent in events from before releases had ids. */
    release_id: z.string().optional(),
  }),
});

export const sellerEventTypes = [
  sellerRegistered,
  sellerTermsChanged,
  sellerBankSet,
  payoutRequested,
  payoutSent,
  payoutPaid,
  payoutFailed,
  payoutInDoubt,
  reserveReleased,
] as const;
