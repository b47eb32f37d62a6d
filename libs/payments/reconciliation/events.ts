import { type DomainEvent, EventTypes, eventType, type RecordedEvent } from '@annals/event-log';
import { z } from 'zod';
import { storedAmountSchema as amount } from '../money.ts';
import { settlementCategory } from '../streams.ts';
import { breakClasses } from './break-classes.ts';
import { movementStatuses } from './movement.ts';

/**
 * The stored formats of reconciliation: version them with care. One stream for each provider (or bank) and day. Times are
 * milliseconds since 1970.
 */

/** What of a settlement file left the balance at the provider: to the bank, and as fees of no single payment. */
const settled = {
  sha256: z.string(),
  currency: z.string(),
  to_bank: amount,
  from_bank: amount,
  fees: amount,
  fees_returned: amount,
};

/** `psp` is a provider or the name of a bank account; `date` the day in UTC, `YYYY-MM-DD`. */
export function settlementStream(psp: string, date: string): string {
  return `${settlementCategory}-${psp}~${date}`;
}

export const movementSchema = z.strictObject({
  key: z.string(),
  status: z.enum(movementStatuses),
  currency: z.string(),
  amount,
  fee: amount,
  at: z.int(),
  id: z.string(),
  corrects: z.string().optional(),
  waited: z.int().min(0),
});

/** One journal entry in one currency: each line debits one account and credits another. */
const entry = z.strictObject({
  currency: z.string(),
  lines: z
    .array(z.strictObject({ debit: z.string(), credit: z.string(), amount }))
    .min(1)
    .max(20),
  /** What our side says from now on when it is compared: corrections, and entries that were missing. */
  movements: z.array(movementSchema).max(20),
});

const what = { psp: z.string(), date: z.string() };
const one = { ...what, break_id: z.string() };

export const fileReceived = eventType({
  name: 'settlement-file-received',
  schemaVersion: 1,
  schema: z.strictObject({ ...what, sha256: z.string(), format: z.string() }),
});

export const breaksFound = eventType({
  name: 'breaks-found',
  schemaVersion: 1,
  schema: z.strictObject({
    ...what,
    sha256: z.string(),
    breaks: z.array(
      z.strictObject({
        break_id: z.string(),
        class: z.enum(breakClasses),
        treatment: z.enum(['correct', 'wait', 'finance', 'special']),
        key: z.string(),
        line: z.int().optional(),
        detail: z.string().optional(),
        outside: movementSchema.optional(),
        ledger: movementSchema.optional(),
        /** Who gave the file that it comes from, where that is not the provider. */
        uploaded_by: z.string().optional(),
      }),
    ),
  }),
});

export const reconciliationFinished = eventType({
  name: 'reconciliation-finished',
  schemaVersion: 1,
  schema: z.strictObject({
    ...what,
    sha256: z.string(),
    lines: z.int(),
    entries: z.int(),
    matched: z.int(),
    breaks: z.int(),
    /** Who gave the file, where that is not the provider: then nothing was booked with it. */
    uploaded_by: z.string().optional(),
  }),
});

/** Known and safe: the entry that mends it is this event. */
export const breakCorrected = eventType({
  name: 'break-corrected',
  schemaVersion: 1,
  schema: z.strictObject({ ...one, reason: z.enum(breakClasses), entry }),
});

export const breakAssigned = eventType({
  name: 'break-assigned',
  schemaVersion: 1,
  schema: z.strictObject({ ...one, to: z.string(), by: z.string() }),
});

export const breakCommented = eventType({
  name: 'break-commented',
  schemaVersion: 1,
  schema: z.strictObject({ ...one, by: z.string(), comment: z.string() }),
});

/** Nothing is booked yet: another person must approve it. Without an entry the break is closed as it is. */
export const resolutionRequested = eventType({
  name: 'break-resolution-requested',
  schemaVersion: 1,
  schema: z.strictObject({
    ...one,
    by: z.string(),
    reason: z.string(),
    entry: entry.optional(),
    /** Where the entry books what an uploaded file says has left the balance. */
    settles: z.strictObject(settled).optional(),
  }),
});

export const resolutionRejected = eventType({
  name: 'break-resolution-rejected',
  schemaVersion: 1,
  schema: z.strictObject({ ...one, by: z.string(), reason: z.string() }),
});

/** Approved by a second person, and booked by this event. */
export const breakResolved = eventType({
  name: 'break-resolved',
  schemaVersion: 1,
  schema: z.strictObject({
    ...one,
    requested_by: z.string(),
    approved_by: z.string(),
    reason: z.string(),
    entry: entry.optional(),
    settles: z.strictObject(settled).optional(),
  }),
});

/** A later comparison no longer finds it: the other side, or a file that can be used, came after all. Books nothing. */
export const breakCleared = eventType({
  name: 'break-cleared',
  schemaVersion: 1,
  schema: z.strictObject({
    ...one,
    reason: z.enum(['line-came-later', 'entry-came-later', 'file-came-later']),
  }),
});

/**
 * What a settlement file says has left the balance at the provider. One event for each currency; a later file of the same
 * day books what it says otherwise.
 */
export const settlementBooked = eventType({
  name: 'settlement-booked',
  schemaVersion: 1,
  schema: z.strictObject({ ...what, ...settled }),
});

export const settlementEventTypes = [
  fileReceived,
  breaksFound,
  reconciliationFinished,
  breakCorrected,
  breakAssigned,
  breakCommented,
  resolutionRequested,
  resolutionRejected,
  breakResolved,
  breakCleared,
  settlementBooked,
] as const;

export type SettlementEventType = (typeof settlementEventTypes)[number];

export const settlementEvents = new EventTypes([...settlementEventTypes]);

export type SettlementEvent = DomainEvent<SettlementEventType>;
export type RecordedSettlementEvent = RecordedEvent<SettlementEventType>;
export type StoredMovement = z.output<typeof movementSchema>;
/** A correcting journal entry as it is stored. */
export type CorrectingEntry = z.output<typeof entry>;
/** What was settled in one currency, as it is stored. */
export type StoredSettled = Omit<z.output<typeof settlementBooked.schema>, keyof typeof what>;
export type StoredBreak = z.output<typeof breaksFound.schema>['breaks'][number];
