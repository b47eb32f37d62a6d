import { eventType } from '@annals/event-log';
import { z } from 'zod';
import { evidenceFields, evidenceFileFields, evidenceFileTypes } from './psp/evidence.ts';
import { buyerSubject } from './streams.ts';

/** The stored formats of evidence that a provider is sent, in the stream of the checkout. */

const submission = {
  checkout_id: z.string(),
  payment_order_id: z.string(),
  dispute_id: z.string(),
  /** The first one is 1; one that was refused may be followed by another. */
  submission: z.int().min(1),
};

const evidence = z.strictObject(
  Object.fromEntries(evidenceFields.map((field) => [field, z.string().optional()])) as {
    readonly [Field in (typeof evidenceFields)[number]]: z.ZodOptional<z.ZodString>;
  },
);

/** Intent: answer the dispute. What came of it is `dispute-evidence-given`, or that it was refused. */
export const disputeEvidenceRequested = eventType({
  name: 'dispute-evidence-requested',
  schemaVersion: 1,
  schema: z.strictObject({
    ...submission,
    psp: z.string(),
    given_by: z.string(),
    /** It speaks of the buyer: where they live, what they did. */
    evidence,
    /** Files that were stored before, each in a stream of its own (`evidence-files.ts`). Absent where there are none. */
    files: z
      .array(
        z.strictObject({
          field: z.enum(evidenceFileFields),
          type: z.enum(evidenceFileTypes),
          file_id: z.string(),
          bytes: z.int().min(1),
        }),
      )
      .optional(),
    call_before: z.int(),
  }),
  personal: { subject: ({ checkout_id }) => buyerSubject(checkout_id), fields: ['evidence'] },
});

/** The provider has not taken it. */
export const disputeEvidenceRefused = eventType({
  name: 'dispute-evidence-refused',
  schemaVersion: 1,
  schema: z.strictObject({ ...submission, reason: z.string() }),
});
