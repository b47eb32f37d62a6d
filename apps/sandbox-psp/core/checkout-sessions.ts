import { z } from 'zod';
import type { Books } from './books.ts';
import { listing, listReply } from './listing.ts';
import { type CheckoutSession, prefixes, type SetupIntent } from './objects.ts';
import { expanding, fields } from './parameters.ts';
import { answer, invalid, missing, type Reply, refusal } from './reply.ts';
import { type Route, route } from './route.ts';

/**
 * Pages of Checkout that set a card up for a customer. The setup of a session has the letters of its id, and is made when
 * the buyer has given a card.
 */

const creation = z.strictObject({
  ...expanding,
  mode: z.literal('setup'),
  currency: fields.currency.optional(),
  customer: fields.id,
  allowed_payment_method_types: z.array(z.literal('card')).optional(),
  success_url: fields.url,
  cancel_url: fields.url.optional(),
  expires_at: fields.seconds.optional(),
  metadata: fields.metadata.optional(),
});

export const sessionLimits = { secondsMin: 30 * 60, secondsMax: 24 * 60 * 60 } as const;

function create(books: Books, given: z.output<typeof creation>): Reply {
  const { customer, currency, success_url, metadata = {}, allowed_payment_method_types } = given;
  if (!books.get('customer', customer)) return missing('customer', customer, 'customer');
  if (currency === undefined && !allowed_payment_method_types) {
    return invalid('Missing required param: currency.', {
      ...{ code: 'parameter_missing', param: 'currency' },
    });
  }
  const { secondsMin, secondsMax } = sessionLimits;
  const { expires_at = books.now + secondsMax } = given;
  if (expires_at < books.now + secondsMin || expires_at > books.now + secondsMax) {
    const message =
      'The `expires_at` timestamp must be at least 30 minutes and less than 24 hours from Checkout Session creation.';
    return invalid(message, { param: 'expires_at' });
  }
  const id = books.idOf('checkout.session');
  const session: CheckoutSession = {
    id,
    object: 'checkout.session',
    cancel_url: given.cancel_url ?? success_url,
    created: books.now,
    currency: currency ?? null,
    customer,
    expires_at,
    livemode: false,
    metadata,
    mode: 'setup',
    payment_status: 'no_payment_required',
    setup_intent: null,
    status: 'open',
    success_url,
    url: `${books.means.publicUrl()}/sandbox/checkout/${id}`,
  };
  books.storage.insert('checkout.session', session);
  books.job(expires_at * 1_000 - books.nowMs, { do: 'expire_session', id });
  return answer(session);
}

const { 'checkout.session': sessionPrefix, setup_intent: setupPrefix } = prefixes;

/** The id that the setup of a session has, once there is one. */
export function setupOfSession(session: string): string {
  return `${setupPrefix}${session.slice(sessionPrefix.length)}`;
}

/** A setup that succeeded on a page brings the page to its end. */
export function completeSession(books: Books, { id }: SetupIntent): void {
  const session = books.get('checkout.session', `${sessionPrefix}${id.slice(setupPrefix.length)}`);
  if (session?.status !== 'open') return;
  const complete: CheckoutSession = { ...session, setup_intent: id, status: 'complete', url: null };
  books.storage.update('checkout.session', complete);
  books.emit('checkout.session.completed', complete);
}

/** What became of it meanwhile stands. */
export function expireSession(books: Books, id: string): CheckoutSession | undefined {
  const session = books.need('checkout.session', id);
  if (session.status !== 'open') return undefined;
  const expired: CheckoutSession = { ...session, status: 'expired', url: null };
  books.storage.update('checkout.session', expired);
  books.emit('checkout.session.expired', expired);
  return expired;
}

export const checkoutSessionRoutes: readonly Route[] = [
  route({
    ...{ method: 'POST', path: '/v1/checkout/sessions', operation: 'checkout.sessions.create' },
    parameters: creation,
    handle: create,
  }),
  route({
    ...{ method: 'GET', path: '/v1/checkout/sessions', operation: 'checkout.sessions.list' },
    parameters: z.strictObject(listing),
    handle: (books, query) => listReply(books, 'checkout.session', '/v1/checkout/sessions', query),
  }),
  route({
    ...{ method: 'GET', path: '/v1/checkout/sessions/:id' },
    operation: 'checkout.sessions.retrieve',
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => {
      const session = books.get('checkout.session', id);
      return session ? answer(session) : missing('checkout session', id, 'session');
    },
  }),
  route({
    ...{ method: 'POST', path: '/v1/checkout/sessions/:id/expire' },
    operation: 'checkout.sessions.expire',
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => {
      if (!books.get('checkout.session', id)) return missing('checkout session', id, 'session');
      const expired = expireSession(books, id);
      return expired
        ? answer(expired)
        : refusal('Only Checkout Sessions with a status in ["open"] can be expired.');
    },
  }),
];
