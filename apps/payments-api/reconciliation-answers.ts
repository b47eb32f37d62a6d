import { breakClasses, breakStates, type QueuedBreak } from '@annals/payments/reconciliation';
import { z } from 'zod';

const treatment = z.enum(['correct', 'wait', 'finance', 'special']);
const minorUnits = z.string().describe('Minor units; below zero where money leaves.');

const side = z.strictObject({
  key: z.string(),
  status: z.string(),
  currency: z.string(),
  amount: minorUnits,
  fee: minorUnits,
  at: z.int(),
  id: z.string(),
  corrects: z.string().optional(),
  waited: z.int(),
});

const proposal = z.strictObject({
  by: z.string().describe('The key that asked: another one approves.'),
  reason: z.string(),
  entry: z
    .strictObject({
      currency: z.string(),
      lines: z.array(z.strictObject({ debit: z.string(), credit: z.string(), amount: minorUnits })),
      movements: z.array(side).describe('What our side says from then on.'),
    })
    .optional(),
  settles: z
    .strictObject({
      ...{ sha256: z.string(), currency: z.string(), to_bank: minorUnits, from_bank: minorUnits },
      ...{ fees: minorUnits, fees_returned: minorUnits },
    })
    .optional()
    .describe('What the uploaded file says has left the balance.'),
});

const reported = z.strictObject({
  break_id: z.string(),
  class: z.enum(breakClasses),
  treatment,
  key: z.string(),
  line: z.int().optional(),
  detail: z.string().optional(),
  outside: side.optional(),
  ledger: side.optional(),
  uploaded_by: z.string().optional().describe('The key that gave the file it comes from.'),
  state: z.enum(breakStates),
  assigned_to: z.string().optional(),
  proposal: proposal.optional().describe('What waits for its second person.'),
});

export const reportAnswer = z.strictObject({
  psp: z.string(),
  date: z.string(),
  files: z.array(z.string()).readonly().describe('SHA-256 of each file that was taken.'),
  counts: z.record(z.enum(breakClasses), z.int()),
  open: z.int().describe('Breaks that somebody has to look at.'),
  breaks: z.array(reported).readonly(),
});

export const comparedAnswer = z.strictObject({
  run: z.strictObject({
    sha256: z.string(),
    lines: z.int(),
    entries: z.int(),
    matched: z.int(),
  }),
  report: reportAnswer,
});

const queued = z.strictObject({
  break_id: z.string(),
  psp: z.string(),
  date: z.string(),
  class: z.enum(breakClasses),
  state: z.enum(breakStates),
  key: z.string(),
  detail: z.string(),
  assigned_to: z.string().optional(),
  requested_by: z.string().optional(),
  comments: z.int(),
  found_at: z.iso.datetime(),
});

export const queueAnswer = z.strictObject({
  breaks: z.array(queued).readonly(),
  next: z.string().optional().describe('Give it as after; absent at the end.'),
});

export function shownQueued(one: QueuedBreak): z.output<typeof queued> {
  const { breakId: break_id, psp, date, state, key, detail, comments } = one;
  const { assignedTo: assigned_to, requestedBy: requested_by } = one;
  return {
    ...{ break_id, psp, date, class: one.class, state, key, detail, comments },
    found_at: new Date(one.foundAt).toISOString(),
    ...(assigned_to === undefined ? {} : { assigned_to }),
    ...(requested_by === undefined ? {} : { requested_by }),
  };
}
