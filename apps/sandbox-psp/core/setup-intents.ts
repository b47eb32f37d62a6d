import { z } from 'zod';
import type { Books } from './books.ts';
import { completeSession } from './checkout-sessions.ts';
import type { ApiErrorBody, PaymentMethod, SetupIntent } from './objects.ts';
import { expanding, fields } from './parameters.ts';
import { behaviourOf, findMethod } from './payment-methods.ts';
import { answer, failure, missing, type Reply } from './reply.ts';
import { type Route, route } from './route.ts';

const customerCreation = z.strictObject({
  ...expanding,
  metadata: fields.metadata.optional(),
  description: fields.text.optional(),
});

const creation = z.strictObject({
  ...expanding,
  customer: fields.id,
  payment_method: fields.id,
  confirm: z.literal('true'),
  return_url: fields.url,
  usage: z.enum(['on_session', 'off_session']).default('off_session'),
  allowed_payment_method_types: z.array(z.literal('card')).optional(),
  metadata: fields.metadata.optional(),
});

/** Made and confirmed in one call: no money moves. */
function create(books: Books, given: z.output<typeof creation>): Reply {
  if (!books.get('customer', given.customer))
    return missing('customer', given.customer, 'customer');
  const method = findMethod(books, given.payment_method);
  if (!method) return missing('PaymentMethod', given.payment_method, 'payment_method');
  const intent = newSetup(books, books.idOf('setup_intent'), given);
  const confirmed = confirmSetup(books, intent, method, given.return_url);
  const { last_setup_error: error } = confirmed;
  return error ? failure(402, { ...error, setup_intent: confirmed }) : answer(confirmed);
}

/** One that waits for a card. */
export function newSetup(
  books: Books,
  id: string,
  {
    customer,
    usage,
    metadata = {},
  }: Pick<SetupIntent, 'usage'> & {
    readonly customer: string;
    readonly metadata?: SetupIntent['metadata'] | undefined;
  },
): SetupIntent {
  const intent: SetupIntent = {
    id,
    object: 'setup_intent',
    client_secret: books.newId(`${id}_secret_`),
    created: books.now,
    customer,
    last_setup_error: null,
    livemode: false,
    metadata,
    next_action: null,
    payment_method: null,
    status: 'requires_payment_method',
    usage,
  };
  books.storage.insert('setup_intent', intent);
  return intent;
}

/** What the card says to it: succeeded, failed, or its holder has to be asked first. */
export function confirmSetup(
  books: Books,
  intent: SetupIntent,
  method: PaymentMethod,
  returnUrl: string,
): SetupIntent {
  const given: SetupIntent = { ...intent, payment_method: method.id, last_setup_error: null };
  const { authentication, decline } = behaviourOf(method);
  if (!authentication && decline) return fail(books, given, setupError(decline.code));
  if (!authentication) return succeed(books, given);
  const url = `${books.means.publicUrl()}/sandbox/3ds/${intent.id}`;
  const asking: SetupIntent = {
    ...given,
    next_action: { type: 'redirect_to_url', redirect_to_url: { url, return_url: returnUrl } },
    status: 'requires_action',
  };
  books.storage.update('setup_intent', asking);
  books.emit('setup_intent.requires_action', asking);
  return asking;
}

/** The method now belongs to the customer, and later payments may rest on this authentication. */
function succeed(books: Books, intent: SetupIntent): SetupIntent {
  const method = books.need('payment_method', intent.payment_method ?? '');
  const customer = books.need('customer', intent.customer ?? '');
  books.storage.update('payment_method', { ...method, customer: customer.id });
  books.storage.update('customer', { ...customer, methods: [...customer.methods, method.id] });
  const succeeded: SetupIntent = { ...intent, next_action: null, status: 'succeeded' };
  books.storage.update('setup_intent', succeeded);
  books.emit('setup_intent.succeeded', succeeded);
  completeSession(books, succeeded);
  return succeeded;
}

function fail(books: Books, intent: SetupIntent, error: ApiErrorBody): SetupIntent {
  const failed: SetupIntent = {
    ...intent,
    last_setup_error: error,
    next_action: null,
    payment_method: null,
    status: 'requires_payment_method',
  };
  books.storage.update('setup_intent', failed);
  books.emit('setup_intent.setup_failed', failed);
  return failed;
}

function setupError(code: string): ApiErrorBody {
  return { type: 'card_error', code, message: 'Your card could not be set up.' };
}

export function finishSetup(
  books: Books,
  id: string,
  outcome: 'succeeded' | 'failed',
): 'done' | 'not-asked' {
  const intent = books.get('setup_intent', id);
  if (intent?.status !== 'requires_action') return 'not-asked';
  if (outcome === 'succeeded') succeed(books, intent);
  else fail(books, intent, setupError('setup_intent_authentication_failure'));
  return 'done';
}

export const setupIntentRoutes: readonly Route[] = [
  route({
    ...{ method: 'POST', path: '/v1/customers', operation: 'customers.create' },
    parameters: customerCreation,
    handle: (books, { metadata = {} }) => {
      const customer = {
        id: books.idOf('customer'),
        object: 'customer',
        created: books.now,
        livemode: false,
        metadata,
        methods: [],
      } as const;
      books.storage.insert('customer', customer);
      books.emit('customer.created', customer);
      return answer(customer);
    },
  }),
  route({
    ...{ method: 'POST', path: '/v1/setup_intents', operation: 'setup_intents.create' },
    parameters: creation,
    handle: create,
  }),
  route({
    ...{ method: 'GET', path: '/v1/setup_intents/:id', operation: 'setup_intents.retrieve' },
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => {
      const intent = books.get('setup_intent', id);
      return intent ? answer(intent) : missing('setupintent', id, 'intent');
    },
  }),
];
