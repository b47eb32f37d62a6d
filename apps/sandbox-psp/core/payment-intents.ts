import { z } from 'zod';
import type { Books } from './books.ts';
import { authorize, capture, decline } from './charges.ts';
import { listing, listReply } from './listing.ts';
import type { PaymentIntent, PaymentMethod } from './objects.ts';
import { expanding, fields } from './parameters.ts';
import { behaviourOf, findMethod } from './payment-methods.ts';
import { answer, failure, invalid, missing, type Reply, refusal } from './reply.ts';
import { type Route, route } from './route.ts';
import { addSearchTerms, searchReply } from './search.ts';

const confirming = {
  ...expanding,
  payment_method: fields.id.optional(),
  return_url: fields.url.optional(),
  off_session: fields.flag.optional(),
  allowed_payment_method_types: z.array(z.literal('card')).optional(),
  setup_future_usage: z.enum(['on_session', 'off_session']).optional(),
  receipt_email: fields.text.optional(),
};

const creation = z.strictObject({
  ...confirming,
  amount: fields.amount,
  currency: fields.currency,
  capture_method: z.enum(['automatic', 'automatic_async', 'manual']).default('automatic_async'),
  confirm: fields.flag.optional(),
  customer: fields.id.optional(),
  description: fields.text.optional(),
  metadata: fields.metadata.optional(),
  automatic_payment_methods: z
    .strictObject({ enabled: fields.flag, allow_redirects: fields.text.optional() })
    .optional(),
});

function create(books: Books, given: z.output<typeof creation>): Reply {
  const { amount, currency, customer, description, metadata = {} } = given;
  if (customer !== undefined && !books.get('customer', customer)) {
    return missing('customer', customer, 'customer');
  }
  if (given.confirm !== true && (given.off_session || given.return_url)) {
    const param = given.off_session ? 'off_session' : 'return_url';
    const message = `The parameter \`${param}\` can only be passed when \`confirm=true\`.`;
    return invalid(message, { code: 'parameter_missing', param: 'confirm' });
  }
  const method = given.payment_method ? findMethod(books, given.payment_method) : undefined;
  if (given.payment_method && !method) {
    return missing('PaymentMethod', given.payment_method, 'payment_method');
  }
  const id = books.idOf('payment_intent');
  const intent: PaymentIntent = {
    id,
    object: 'payment_intent',
    amount,
    amount_capturable: 0,
    amount_received: 0,
    canceled_at: null,
    capture_method: given.capture_method,
    client_secret: books.newId(`${id}_secret_`),
    created: books.now,
    currency,
    customer: customer ?? null,
    description: description ?? null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    metadata,
    next_action: null,
    payment_method: method?.id ?? null,
    payment_method_types: ['card'],
    status: method ? 'requires_confirmation' : 'requires_payment_method',
  };
  books.storage.insert('payment_intent', intent);
  addSearchTerms(books, 'payment_intent', intent);
  books.emit('payment_intent.created', intent);
  return given.confirm ? confirm(books, given, id) : answer(intent);
}

const confirmation = z.strictObject(confirming);

function confirm(books: Books, given: z.output<typeof confirmation>, id: string): Reply {
  const intent = books.get('payment_intent', id);
  if (!intent) return missing('payment_intent', id, 'intent');
  if (!confirmable.has(intent.status)) return unexpectedState(intent, 'confirm');
  const named = given.payment_method;
  const method = named
    ? findMethod(books, named)
    : books.get('payment_method', intent.payment_method ?? '');
  if (named && !method) return missing('PaymentMethod', named, 'payment_method');
  if (!method) return unexpectedState(intent, 'confirm without a payment method');
  const asked = { ...intent, payment_method: method.id };
  if (!needsAuthentication(books, intent, method, given.off_session ?? false)) {
    return charge(books, asked, method);
  }
  if (given.off_session) {
    const reason = { code: 'authentication_required', declineCode: 'authentication_required' };
    return failure(402, decline(books, asked, method, reason).error);
  }
  if (!given.return_url) {
    const message = 'A `return_url` must be specified: the holder of the card has to be asked.';
    return invalid(message, { code: 'parameter_missing', param: 'return_url' });
  }
  return answer(askHolder(books, asked, given.return_url));
}

const confirmable: ReadonlySet<string> = new Set([
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
]);

function needsAuthentication(
  books: Books,
  { customer }: PaymentIntent,
  method: PaymentMethod,
  offSession: boolean,
): boolean {
  const { authentication } = behaviourOf(method);
  if (authentication !== 'once') return authentication === 'always';
  const bound = books.get('customer', customer ?? '')?.methods.includes(method.id) ?? false;
  return !(offSession && bound);
}

function askHolder(books: Books, intent: PaymentIntent, returnUrl: string): PaymentIntent {
  const url = `${books.means.publicUrl()}/sandbox/3ds/${intent.id}`;
  const asking: PaymentIntent = {
    ...intent,
    next_action: { type: 'redirect_to_url', redirect_to_url: { url, return_url: returnUrl } },
    status: 'requires_action',
  };
  books.storage.update('payment_intent', asking);
  books.emit('payment_intent.requires_action', asking);
  return asking;
}

/** Asks the card for the money. */
function charge(books: Books, intent: PaymentIntent, method: PaymentMethod): Reply {
  const { processing, decline: reason } = behaviourOf(method);
  if (processing) {
    const waiting: PaymentIntent = { ...intent, next_action: null, status: 'processing' };
    books.storage.update('payment_intent', waiting);
    books.emit('payment_intent.processing', waiting);
    books.job(books.pace.processingMs, { do: 'finish_processing', id: intent.id });
    return answer(waiting);
  }
  if (reason) return failure(402, decline(books, intent, method, reason).error);
  return answer(authorize(books, intent, method));
}

export function finishProcessing(books: Books, id: string): void {
  const intent = books.need('payment_intent', id);
  if (intent.status !== 'processing') return;
  const method = books.need('payment_method', intent.payment_method ?? '');
  const { decline: reason } = behaviourOf(method);
  if (reason) decline(books, intent, method, reason);
  else authorize(books, intent, method);
}

/** What the holder of the card did on the page of the bank. */
export function finishAuthentication(
  books: Books,
  id: string,
  outcome: 'succeeded' | 'failed',
): 'done' | 'not-asked' {
  const intent = books.get('payment_intent', id);
  if (intent?.status !== 'requires_action') return 'not-asked';
  const method = books.need('payment_method', intent.payment_method ?? '');
  if (outcome === 'succeeded') {
    charge(books, intent, method);
    return 'done';
  }
  const code = 'payment_intent_authentication_failure';
  decline(books, intent, method, { code, declineCode: code });
  return 'done';
}

const capturing = z.strictObject({
  ...expanding,
  amount_to_capture: fields.amount.optional(),
  metadata: fields.metadata.optional(),
});

function captureIntent(books: Books, given: z.output<typeof capturing>, id: string): Reply {
  const intent = books.get('payment_intent', id);
  if (!intent) return missing('payment_intent', id, 'intent');
  if (intent.status !== 'requires_capture') return unexpectedState(intent, 'capture');
  const amount = given.amount_to_capture ?? intent.amount_capturable;
  if (amount > intent.amount_capturable) {
    const message = 'The amount to capture is greater than the amount that can be captured.';
    return refusal(message, { code: 'amount_too_large', param: 'amount_to_capture' });
  }
  return answer(capture(books, intent, amount));
}

const canceling = z.strictObject({ ...expanding, cancellation_reason: fields.text.optional() });

function cancel(books: Books, _: z.output<typeof canceling>, id: string): Reply {
  const intent = books.get('payment_intent', id);
  if (!intent) return missing('payment_intent', id, 'intent');
  if (!cancelable.has(intent.status)) return unexpectedState(intent, 'cancel');
  return answer(voidIntent(books, intent));
}

const cancelable: ReadonlySet<string> = new Set([...confirmable, 'requires_capture']);

function voidIntent(books: Books, intent: PaymentIntent): PaymentIntent {
  const authorized = intent.status === 'requires_capture' && intent.latest_charge !== null;
  if (authorized) {
    const held = books.need('charge', intent.latest_charge ?? '');
    books.storage.update('charge', { ...held, amount_refunded: held.amount, refunded: true });
  }
  const canceled: PaymentIntent = {
    ...intent,
    amount_capturable: 0,
    canceled_at: books.now,
    next_action: null,
    status: 'canceled',
  };
  books.storage.update('payment_intent', canceled);
  books.emit('payment_intent.canceled', canceled);
  return canceled;
}

export function expireAuthorization(books: Books, id: string): void {
  const intent = books.need('payment_intent', id);
  if (intent.status === 'requires_capture') voidIntent(books, intent);
}

function unexpectedState(intent: PaymentIntent, what: string): Reply {
  const message = `You cannot ${what} this PaymentIntent because it has a status of ${intent.status}.`;
  return refusal(message, { code: 'payment_intent_unexpected_state', payment_intent: intent });
}

export const paymentIntentRoutes: readonly Route[] = [
  route({
    ...{ method: 'POST', path: '/v1/payment_intents', operation: 'payment_intents.create' },
    parameters: creation,
    handle: create,
  }),
  route({
    ...{ method: 'GET', path: '/v1/payment_intents', operation: 'payment_intents.list' },
    parameters: z.strictObject(listing),
    handle: (books, query) => listReply(books, 'payment_intent', '/v1/payment_intents', query),
  }),
  route({
    ...{ method: 'GET', path: '/v1/payment_intents/search' },
    operation: 'payment_intents.search',
    parameters: z.strictObject({
      ...expanding,
      query: z.string().min(1).max(1_000),
      limit: listing.limit,
      page: fields.text.optional(),
    }),
    handle: (books, query) => searchReply(books, 'payment_intent', query),
  }),
  route({
    ...{ method: 'GET', path: '/v1/payment_intents/:id', operation: 'payment_intents.retrieve' },
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => {
      const intent = books.get('payment_intent', id);
      return intent ? answer(intent) : missing('payment_intent', id, 'intent');
    },
  }),
  route({
    ...{ method: 'POST', path: '/v1/payment_intents/:id/confirm' },
    operation: 'payment_intents.confirm',
    parameters: confirmation,
    handle: confirm,
  }),
  route({
    ...{ method: 'POST', path: '/v1/payment_intents/:id/capture' },
    operation: 'payment_intents.capture',
    parameters: capturing,
    handle: captureIntent,
  }),
  route({
    ...{ method: 'POST', path: '/v1/payment_intents/:id/cancel' },
    operation: 'payment_intents.cancel',
    parameters: canceling,
    handle: cancel,
  }),
];
