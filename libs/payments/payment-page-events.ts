import { eventType } from '@annals/event-log';
import { z } from 'zod';
import { buyerSubject } from './streams.ts';

/**
 * The stored formats of the page where a provider asks the buyer for a card, and of what is known of a card by itself.
 * Times are milliseconds since 1970.
 */

const time = z.int();
const checkout = { checkout_id: z.string() };
const personalOf = <Field extends string>(...fields: readonly Field[]) => ({
  subject: ({ checkout_id }: { readonly checkout_id: string }) => buyerSubject(checkout_id),
  fields,
});

/** Intent: have the provider make a page. Its id is the key of the call; it is stored with the checkout. */
export const paymentPageRequested = eventType({
  name: 'payment-page-requested',
  schemaVersion: 1,
  schema: z.strictObject({
    ...checkout,
    psp: z.string(),
    currency: z.string(),
    /** Where the page leads back to. */
    return_url: z.string(),
    /** When the page takes no card any more. */
    expires_at: time,
    call_before: time,
  }),
});

export const paymentPageOpened = eventType({
  name: 'payment-page-opened',
  schemaVersion: 1,
  schema: z.strictObject({ ...checkout, page_id: z.string(), page_url: z.string() }),
});

/** The buyer has given a card, and was proven to hold it: every order of the checkout is charged off this. */
export const paymentPageCompleted = eventType({
  name: 'payment-page-completed',
  schemaVersion: 1,
  schema: z.strictObject({
    ...checkout,
    psp: z.string(),
    page_id: z.string(),
    authentication_id: z.string(),
    /** The provider's token of the card. */
    method: z.string(),
    /** What tells one card from another; absent where the provider has not said it. */
    fingerprint: z.string().optional(),
  }),
  personal: personalOf('method', 'fingerprint'),
});

/** Nobody gave a card in time. All orders that have not begun expire with it. */
export const paymentPageExpired = eventType({
  name: 'payment-page-expired',
  schemaVersion: 1,
  schema: z.strictObject({ ...checkout, page_id: z.string() }),
});

/** Intent: have the provider close the page, since nothing that could be paid there is left. Its id is the key of the call. */
export const paymentPageCloseRequested = eventType({
  name: 'payment-page-close-requested',
  schemaVersion: 1,
  schema: z.strictObject({
    ...checkout,
    psp: z.string(),
    page_id: z.string(),
    /** From 1: another one is begun only where the provider keeps a fault of its own for the key before. */
    attempt: z.int().min(1),
    because: z.enum(['orders-ended', 'buyer-erased']),
    call_before: time,
  }),
});

/** It takes no card any more, and never had one. All orders that have not begun expire with it. */
export const paymentPageClosed = eventType({
  name: 'payment-page-closed',
  schemaVersion: 1,
  schema: z.strictObject({ ...checkout, page_id: z.string() }),
});

/** The provider makes no page for this checkout. All orders that have not begun fail with it. */
export const paymentPageRefused = eventType({
  name: 'payment-page-refused',
  schemaVersion: 1,
  schema: z.strictObject({ ...checkout, reason: z.string() }),
});

/** What the provider said of a token before risk was assessed; only where a rule asks about cards. */
export const cardIdentified = eventType({
  name: 'card-identified',
  schemaVersion: 1,
  schema: z.strictObject({ ...checkout, psp: z.string(), fingerprint: z.string() }),
  personal: personalOf('fingerprint'),
});
