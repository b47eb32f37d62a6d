import { eventType } from '@annals/event-log';
import { z } from 'zod';
import { storedAmountSchema as amount } from './money.ts';

/** The stored formats of a capture or a void that a provider surely did not carry out, in the stream of the checkout. */

const refusedCall = {
  checkout_id: z.string(),
  payment_order_id: z.string(),
  attempt: z.int().min(1),
  psp: z.string(),
  psp_payment_id: z.string(),
  /** How many captures and voids of the attempt were refused, this one too: the next one is another call. */
  refusals: z.int().min(1),
  /** Why, in the words of the port, and the provider's sentence. Never personal data. */
  reason: z.string(),
  detail: z.string(),
};

/** Nothing was taken: the order is authorized as before. */
export const captureRefused = eventType({
  name: 'capture-refused',
  schemaVersion: 1,
  schema: z.strictObject({ ...refusedCall, amount, currency: z.string() }),
});

/** The payment was not let go: the order stands where it stood. */
export const voidRefused = eventType({
  name: 'void-refused',
  schemaVersion: 1,
  schema: z.strictObject({
    ...refusedCall,
    /** What the order was to end as. */
    as: z.enum(['canceled', 'expired']),
    /** How many in a row were refused that nobody had asked for, as the checkout had expired; zero for `canceled`. */
    tries: z.int().min(0),
    /** When an expired order is let go again by itself. Absent: only when somebody asks for it. */
    again_at: z.int().optional(),
  }),
});
