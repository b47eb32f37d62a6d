import { identifier, lineOfText } from '@annals/http';
import { amountSchema, currencySchema, holdsPan } from '@annals/payments';
import { z } from 'zod';
import { limits } from './limits.ts';

/** Schemas of the fields of this API. What looks like a card number is refused here, before anything sees it. */

const cardMessage =
  'looks like a card number, which must not come here: send the token that the provider gave for it';

/**
 * An id that the caller makes up. Its letter tells it from a card number, so ids may be written into streams, logs and
 * addresses as they are.
 */
export const idSchema = z
  .string()
  .min(1)
  .max(limits.idCharsMax)
  .regex(
    /^(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]*$/,
    'must hold a letter, and nothing but letters, digits, dots, dashes and low lines',
  );

/** An account of the ledger: `seller_available:shop-1`. */
export const accountSchema = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[a-z_]+(?::[A-Za-z0-9._-]+)?$/, 'must be the name of an account');

/** Text for people, on one line. */
export function freeText(charsMax: number, charsMin = 1) {
  return lineOfText({ charsMin, charsMax }).refine((text) => !holdsPan(text), cardMessage);
}

/** A provider's token of a card or a bank account: never the number itself. */
export const tokenSchema = z
  .string()
  .min(1)
  .max(limits.tokenCharsMax)
  .regex(/^[\x21-\x7e]*$/, 'must be visible ASCII characters')
  .refine((text) => !holdsPan(text), cardMessage)
  .refine((text) => /[A-Za-z]/.test(text), 'must be a token of the provider, never a number');

/** Where a browser is sent back to. */
export const returnUrlSchema = z
  .string()
  .max(limits.urlCharsMax)
  .refine(isWebAddress, 'must be a http or https address')
  .refine((text) => !holdsPan(text), cardMessage);

function isWebAddress(text: string): boolean {
  return /^https?:\/\/[\x21-\x7e]+$/.test(text) && URL.canParse(text);
}

export const amountOfOrder = amountSchema.describe('Minor units, as "1999" for 19.99 USD.');
export const currencyCode = currencySchema.describe('ISO 4217, as USD.');

/** A position as an answer gave it; the log itself says whether it is one. */
export const positionSchema = identifier({ charsMax: 1_024 });

export const positionInAnswer = z
  .string()
  .describe('Opaque. Give it as min-position to read what was written.');
export const asOf = z.string().describe('Opaque: the checkpoint the answer is good for.');

/** What every read may say. */
export const readQuery = { 'min-position': positionSchema.optional() };
export const readHeaders = { 'min-position': positionSchema.optional() };
export const readProblems = [
  'invalid-position',
  'position-ahead',
  'not-there-yet',
  'read-model-lost',
];
export const writeProblems = ['log-overloaded', 'log-unreachable', 'write-outcome-unknown'];

/** The key of a request that has one effect and one answer however often it is sent. */
export const keyHeaders = {
  'idempotency-key': z
    .string()
    .min(1)
    .max(255)
    .regex(/^[\x21-\x7e]+$/, 'must be 1 to 255 visible ASCII characters')
    .optional(),
};
export const keyProblems = [
  'request-in-flight',
  'idempotency-key-reused',
  'subject-erased',
  ...writeProblems,
];

const buyerName = freeText(limits.buyerNameCharsMax);

/** What is said of a buyer: names and values of the caller's own. */
export const buyerInfoSchema = z
  .record(z.string(), freeText(limits.buyerValueCharsMax, 0))
  // Here and not as the schema of names: then a name that must not be written is not repeated in the answer either.
  .refine((info) => Object.keys(info).every((name) => buyerName.safeParse(name).success), {
    message: `its names have 1 to ${limits.buyerNameCharsMax} characters, and none looks like a card number`,
  })
  .refine((info) => Object.keys(info).length <= limits.buyerFieldsMax, {
    message: `must have at most ${limits.buyerFieldsMax} members`,
  });

const orderInput = z.strictObject({
  payment_order_id: idSchema,
  seller_account: idSchema,
  amount: amountOfOrder,
  currency: currencyCode,
  description: freeText(limits.descriptionCharsMax).optional(),
});

const checkoutFields = {
  checkout_id: idSchema,
  buyer_info: buyerInfoSchema,
  payment_orders: z.array(orderInput).min(1).max(limits.ordersMax),
  capture: z.enum(['automatic', 'manual']).optional(),
};

type Orders = readonly z.output<typeof orderInput>[];

/** Each order once, and all in one currency. */
function checkOrders(
  { payment_orders }: { readonly payment_orders: Orders },
  context: z.RefinementCtx,
): void {
  const seen = new Set<string>();
  const currency = payment_orders[0]?.currency;
  for (const [index, order] of payment_orders.entries()) {
    const at = (field: keyof typeof order, message: string) =>
      context.addIssue({ code: 'custom', path: ['payment_orders', index, field], message });
    if (seen.has(order.payment_order_id)) at('payment_order_id', 'is there twice');
    seen.add(order.payment_order_id);
    if (order.currency !== currency) at('currency', `must be ${currency} as in the first order`);
  }
}

export const paymentInput = z
  .strictObject({
    ...checkoutFields,
    credit_card_info: tokenSchema.describe("The provider's token of the card."),
    return_url: returnUrlSchema.optional(),
  })
  .superRefine(checkOrders);

/** Without a card: the buyer gives it on a page of the provider. */
export const paymentPageInput = z
  .strictObject({
    ...checkoutFields,
    return_url: returnUrlSchema.describe('Where the page leads back to, whatever came of it.'),
  })
  .superRefine(checkOrders);

export type PaymentInput = z.output<typeof paymentInput>;
export type PaymentPageInput = z.output<typeof paymentPageInput>;
