import { type DomainEvent, EventTypes, eventType, type RecordedEvent } from '@annals/event-log';
import { z } from 'zod';
import { storedAmountSchema as amount } from '../money.ts';

/**
 * The stored formats of finance: what one person asks for and another one approves, each request in a stream of its own.
 * Version them with care.
 */

export const financeCategory = 'finance';

export function financeStream(requestId: string): string {
  return `${financeCategory}-${requestId}`;
}

const time = z.int();
const request = { request_id: z.string() };

/** A payout above the limit of its currency. */
const payout = {
  seller_account: z.string(),
  payout_id: z.string(),
  currency: z.string(),
  amount,
  psp: z.string(),
  because: z.enum(['schedule', 'on_demand']),
};

/** A correcting entry: each line debits one account and credits another. */
export const manualEntrySchema = z.strictObject({
  currency: z.string(),
  lines: z.array(z.strictObject({ debit: z.string(), credit: z.string(), amount })).min(1),
});
const correction = {
  entry: manualEntrySchema,
  /** The id of the event whose entry it corrects. */
  corrects: z.string(),
};

export const financeRequested = eventType({
  name: 'finance-requested',
  schemaVersion: 1,
  schema: z.strictObject({
    ...request,
    requested_by: z.string(),
    reason: z.string(),
    expires_at: time,
    asks: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('payout-release'), ...payout }),
      z.strictObject({ kind: z.literal('manual-entry'), ...correction }),
    ]),
  }),
});

const approved = { ...request, requested_by: z.string(), approved_by: z.string() };

/** Approved: the payout is asked for in its seller's stream. */
export const payoutReleaseApproved = eventType({
  name: 'payout-release-approved',
  schemaVersion: 1,
  schema: z.strictObject({ ...approved, ...payout }),
});

/** Approved, and it could not be carried out any more. */
export const payoutReleaseRefused = eventType({
  name: 'payout-release-refused',
  schemaVersion: 1,
  schema: z.strictObject({ ...request, reason: z.string() }),
});

/** Approved and booked, by one event. */
export const manualEntryBooked = eventType({
  name: 'manual-entry-booked',
  schemaVersion: 1,
  schema: z.strictObject({ ...approved, reason: z.string(), ...correction }),
});

export const financeRejected = eventType({
  name: 'finance-rejected',
  schemaVersion: 1,
  schema: z.strictObject({ ...request, rejected_by: z.string(), reason: z.string() }),
});

export const financeExpired = eventType({
  name: 'finance-expired',
  schemaVersion: 1,
  schema: z.strictObject(request),
});

export const financeEventTypes = [
  financeRequested,
  payoutReleaseApproved,
  payoutReleaseRefused,
  manualEntryBooked,
  financeRejected,
  financeExpired,
] as const;

export type FinanceEventType = (typeof financeEventTypes)[number];
export const financeEvents = new EventTypes<FinanceEventType>(financeEventTypes);
export type FinanceEvent = DomainEvent<FinanceEventType>;
export type RecordedFinanceEvent = RecordedEvent<FinanceEventType>;
export type FinanceAsks = z.output<typeof financeRequested.schema>['asks'];
export type ManualEntry = z.output<typeof manualEntrySchema>;
