import { z } from 'zod';

/** What is to be done later; kept in the books, so that it outlives a kill. */
export const jobSchema = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('finish_processing'), id: z.string() }),
  z.strictObject({ do: z.literal('expire_authorization'), id: z.string() }),
  z.strictObject({ do: z.literal('expire_session'), id: z.string() }),
  z.strictObject({ do: z.literal('finish_refund'), id: z.string() }),
  z.strictObject({ do: z.literal('advance_payout'), id: z.string() }),
  z.strictObject({ do: z.literal('fail_payout'), id: z.string(), code: z.string() }),
  z.strictObject({ do: z.literal('dispute'), charge: z.string(), reason: z.string() }),
  z.strictObject({
    do: z.literal('decide_dispute'),
    id: z.string(),
    status: z.enum(['won', 'lost']),
  }),
  z.strictObject({ do: z.literal('finish_report'), id: z.string() }),
  z.strictObject({
    do: z.literal('deliver'),
    event: z.string(),
    endpoint: z.string(),
    /** Attempts made before this one. */
    attempt: z.int().nonnegative(),
  }),
]);
export type Job = z.output<typeof jobSchema>;
export type Delivering = Extract<Job, { readonly do: 'deliver' }>;
