import { z } from 'zod';
import { type Books, endpointsMax, randomLetters } from './books.ts';
import { listing, listReply } from './listing.ts';
import type { WebhookEndpoint } from './objects.ts';
import { expanding, fields } from './parameters.ts';
import { answer, missing, type Reply, refusal } from './reply.ts';
import { type Route, route } from './route.ts';

const creation = z.strictObject({
  ...expanding,
  url: fields.url,
  enabled_events: z.array(z.string().min(1).max(100)).min(1).max(100),
  metadata: fields.metadata.optional(),
});

/** Its secret is said once, in the answer to its making. */
export function makeEndpoint(
  books: Books,
  { url, enabled_events, metadata = {} }: z.output<typeof creation>,
  secret = `whsec_${randomLetters(books.means.random, 32)}`,
): WebhookEndpoint {
  const endpoint: WebhookEndpoint = {
    id: books.idOf('webhook_endpoint'),
    object: 'webhook_endpoint',
    api_version: books.means.apiVersion,
    created: books.now,
    enabled_events,
    livemode: false,
    metadata,
    secret,
    status: 'enabled',
    url,
  };
  books.storage.insert('webhook_endpoint', endpoint);
  return endpoint;
}

function create(books: Books, given: z.output<typeof creation>): Reply {
  if (books.storage.page('webhook_endpoint', { limit: endpointsMax }).length >= endpointsMax) {
    return refusal(`You have reached the maximum of ${endpointsMax} webhook endpoints.`);
  }
  return answer(makeEndpoint(books, given));
}

function shown({ secret: _, ...endpoint }: WebhookEndpoint): object {
  return endpoint;
}

export const eventRoutes: readonly Route[] = [
  route({
    ...{ method: 'GET', path: '/v1/events', operation: 'events.list' },
    parameters: z.strictObject({
      ...listing,
      types: z.array(z.string().min(1).max(100)).max(20).optional(),
    }),
    handle: (books, query) => listReply(books, 'event', '/v1/events', query),
  }),
  route({
    ...{ method: 'GET', path: '/v1/events/:id', operation: 'events.retrieve' },
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => {
      const event = books.get('event', id);
      return event ? answer(event) : missing('event', id, 'id');
    },
  }),
  route({
    ...{ method: 'POST', path: '/v1/webhook_endpoints', operation: 'webhook_endpoints.create' },
    parameters: creation,
    handle: create,
  }),
  route({
    ...{ method: 'GET', path: '/v1/webhook_endpoints', operation: 'webhook_endpoints.list' },
    parameters: z.strictObject(listing),
    handle: (books, query) =>
      listReply(books, 'webhook_endpoint', '/v1/webhook_endpoints', query, shown),
  }),
  route({
    ...{ method: 'DELETE', path: '/v1/webhook_endpoints/:id' },
    operation: 'webhook_endpoints.delete',
    parameters: z.strictObject(expanding),
    handle: (books, _, id) =>
      books.storage.remove('webhook_endpoint', id)
        ? answer({ id, object: 'webhook_endpoint', deleted: true })
        : missing('webhook endpoint', id, 'id'),
  }),
];
