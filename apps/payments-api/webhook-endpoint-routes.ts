import {
  fieldsProblem,
  integerParameter,
  Problem,
  type Route,
  route,
  timestamp,
} from '@annals/http';
import {
  deliveryStates,
  type EndpointChanged,
  endpointSubject,
  everyWebhookType,
  type LoggedDelivery,
  type Replayed,
  type WebhookEndpoint,
  type Webhooks,
  webhookLimits,
  webhookTypes,
} from '@annals/payments/webhooks-out';
import { z } from 'zod';
import { isoTime } from './answers.ts';
import { problemOf } from './errors.ts';
import { freeText, idSchema, keyHeaders, keyProblems, writeProblems } from './fields.ts';
import { type Answered, keyed } from './keyed.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans } from './means.ts';
import { scopes } from './scopes.ts';

const params = { endpoint_id: idSchema };
const [firstType = '', ...otherTypes] = webhookTypes;
const eventTypes = z.enum([everyWebhookType, firstType, ...otherTypes]);

const endpointInput = z.strictObject({
  url: z
    .string()
    .max(webhookLimits.urlCharsMax)
    .regex(/^[\x21-\x7e]+$/, 'must be visible ASCII characters')
    .describe('http or https.'),
  event_types: z
    .array(eventTypes)
    .min(1)
    .max(webhookTypes.length + 1)
    .describe('What it is told; * is all, also what comes later.'),
});

const endpointMembers = {
  endpoint_id: z.string(),
  url: z.string(),
  event_types: z.array(z.string()),
  enabled: z.boolean(),
  switched_because: z.string().nullable(),
  created_at: z.string(),
};
const endpointAnswer = z.strictObject(endpointMembers);
const secretAnswer = z.strictObject({
  ...endpointMembers,
  secret: z.string().nullable().describe('Shown once, by the request that made it; null else.'),
});

/** A place in the delivery log as a page ends with it. */
const cursorSchema = z.string().regex(/^\d{1,15}\.[0-9a-f-]{36}$/, 'must be a cursor of this list');

const deliveryAnswer = z.strictObject({
  delivery_id: z.string(),
  event_id: z.string(),
  event_type: z.string(),
  state: z.enum(deliveryStates),
  attempts: z.int(),
  last_status: z.int().nullable().describe('Of the last answer; null where there was none.'),
  last_detail: z.string(),
  queued_at: z.string(),
  updated_at: z.string(),
  due_at: z.string().nullable().describe('When it is tried next.'),
});
const deliveriesAnswer = z.strictObject({
  data: z.array(deliveryAnswer),
  next_cursor: z.string().nullable(),
});
const replayAnswer = z.strictObject({
  deliveries: z.array(z.string()).describe('Ids of what is told again.'),
  next_cursor: z.string().nullable().describe('Ask again from here: there are more.'),
});

/** Where merchants are told what happens, what they were told, and that it is told again. */
export function webhookEndpointRoutes(
  means: PaymentsApiMeans,
  webhooks: Webhooks,
): readonly Route[] {
  return [
    ...readRoutes(webhooks),
    putRoute(means, webhooks),
    secretRoute(means, webhooks),
    ...switchRoutes(webhooks),
    deliveriesRoute(webhooks),
    ...replayRoutes(webhooks),
  ];
}

function shown(endpoint: WebhookEndpoint): z.output<typeof endpointAnswer> {
  const { id, url, eventTypes: event_types, enabled, switchedBecause, since } = endpoint;
  return {
    ...{ endpoint_id: id, url, event_types: [...event_types], enabled },
    switched_because: switchedBecause === '' ? null : switchedBecause,
    created_at: isoTime(since),
  };
}

function urlProblem(message: string): Problem {
  return fieldsProblem([{ in: 'body', field: 'url', message }]);
}

function changedAnswer(changed: EndpointChanged) {
  if (changed.kind === 'refused' && changed.reason === 'invalid-url') {
    return urlProblem(changed.detail);
  }
  if (changed.kind !== 'changed') return problemOf(changed);
  return { ...shown(changed.endpoint), secret: changed.secret ?? null };
}

function answeredOnce(changed: EndpointChanged): Answered | Problem {
  const body = changedAnswer(changed);
  return body instanceof Problem ? body : { status: 200, body };
}

function unknownEndpoint(id: string): Problem {
  const detail = `there is no webhook endpoint ${id}`;
  return problemOf({ kind: 'refused', reason: 'unknown-endpoint', detail });
}

function readRoutes(webhooks: Webhooks): readonly Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/webhook_endpoints',
      scope: scopes.sell,
      tag: 'webhooks',
      summary: 'All webhook endpoints',
      response: z.strictObject({ data: z.array(endpointAnswer) }),
      handler: async () => ({ data: (await webhooks.endpoints()).map(shown) }),
    }),
    route({
      method: 'GET',
      url: '/v1/webhook_endpoints/:endpoint_id',
      scope: scopes.sell,
      tag: 'webhooks',
      summary: 'A webhook endpoint',
      params,
      response: endpointAnswer,
      problems: ['unknown-endpoint'],
      handler: async ({ params: { endpoint_id } }) => {
        const endpoint = await webhooks.endpoint(endpoint_id);
        return endpoint ? shown(endpoint) : unknownEndpoint(endpoint_id);
      },
    }),
  ];
}

function putRoute(means: PaymentsApiMeans, webhooks: Webhooks): Route {
  return route({
    method: 'PUT',
    url: '/v1/webhook_endpoints/:endpoint_id',
    scope: scopes.admin,
    tag: 'webhooks',
    summary: 'Make a webhook endpoint, or change where it is and what it is told',
    description:
      'The secret that verifies what it is sent is in the answer that made it, and nowhere else. With an Idempotency-Key ' +
      'the same request again is answered with it once more. Private addresses are refused.',
    params,
    headers: keyHeaders,
    body: endpointInput,
    response: secretAnswer,
    problems: ['too-many-endpoints', ...keyProblems],
    handler: async (request, reply) => {
      const { endpoint_id: id } = request.params;
      const { url, event_types } = request.body;
      const command = { url, eventTypes: event_types, by: request.caller.keyId };
      return keyed(means, request, reply, {
        subject: endpointSubject(id),
        check: async () => {
          const message = webhooks.urlProblem(url);
          return message === undefined ? undefined : urlProblem(message);
        },
        run: async () => answeredOnce(await webhooks.put(id, command)),
      });
    },
  });
}

function secretRoute(means: PaymentsApiMeans, webhooks: Webhooks): Route {
  return route({
    method: 'POST',
    url: '/v1/webhook_endpoints/:endpoint_id/secret',
    scope: scopes.admin,
    tag: 'webhooks',
    summary: 'Another secret',
    description:
      'The one before goes on signing beside it for a day, unless told otherwise; one that is older does not. Send an ' +
      'Idempotency-Key: without it a repetition makes one more secret.',
    params,
    headers: keyHeaders,
    body: z.strictObject({
      keep_old_seconds: z.int().min(0).max(limits.oldSecretSecondsMax).optional(),
    }),
    response: secretAnswer,
    problems: ['unknown-endpoint', ...keyProblems],
    handler: async (request, reply) => {
      const { endpoint_id: id } = request.params;
      const { keep_old_seconds: seconds } = request.body;
      const keep = seconds === undefined ? {} : { keepOldMs: seconds * 1_000 };
      return keyed(means, request, reply, {
        subject: endpointSubject(id),
        check: async () => ((await webhooks.endpoint(id)) ? undefined : unknownEndpoint(id)),
        run: async () =>
          answeredOnce(await webhooks.rotate(id, { ...keep, by: request.caller.keyId })),
      });
    },
  });
}

function switchRoutes(webhooks: Webhooks): readonly Route[] {
  return [
    route({
      method: 'PUT',
      url: '/v1/webhook_endpoints/:endpoint_id/enabled',
      scope: scopes.admin,
      tag: 'webhooks',
      summary: 'Switch a webhook endpoint on or off',
      description: 'What happens while it is off is written down as skipped, and told by a replay.',
      params,
      body: z.strictObject({ enabled: z.boolean(), reason: freeText(limits.reasonCharsMax) }),
      response: endpointAnswer,
      problems: ['unknown-endpoint', ...writeProblems],
      handler: async ({ params: { endpoint_id }, body, caller }) => {
        const changed = await webhooks.switch(endpoint_id, { ...body, by: caller.keyId });
        return changed.kind === 'changed' ? shown(changed.endpoint) : problemOf(changed);
      },
    }),
    route({
      method: 'DELETE',
      url: '/v1/webhook_endpoints/:endpoint_id',
      scope: scopes.admin,
      tag: 'webhooks',
      summary: 'Remove a webhook endpoint',
      params,
      response: { 204: null },
      problems: ['unknown-endpoint', ...writeProblems],
      handler: async ({ params: { endpoint_id }, caller }, reply) => {
        const removed = await webhooks.remove(endpoint_id, { by: caller.keyId });
        return removed.kind === 'removed' ? reply.code(204).send() : problemOf(removed);
      },
    }),
  ];
}

function shownDelivery(one: LoggedDelivery): z.output<typeof deliveryAnswer> {
  const { deliveryId: delivery_id, eventId: event_id, eventType: event_type, state } = one;
  return {
    ...{ delivery_id, event_id, event_type, state, attempts: one.attempts },
    ...{ last_status: one.status ?? null, last_detail: one.detail },
    ...{ queued_at: isoTime(one.queuedAt), updated_at: isoTime(one.updatedAt) },
    due_at: one.dueAt === undefined ? null : isoTime(one.dueAt),
  };
}

interface Place {
  readonly queuedAt: number;
  readonly deliveryId: string;
}

function placeOf(cursor: string | undefined): { readonly after?: Place } {
  if (cursor === undefined) return {};
  const dot = cursor.indexOf('.');
  const after = { queuedAt: Number(cursor.slice(0, dot)), deliveryId: cursor.slice(dot + 1) };
  return { after };
}

function cursorOf(place: Place | undefined): string | null {
  return place ? `${place.queuedAt}.${place.deliveryId}` : null;
}

function deliveriesRoute(webhooks: Webhooks): Route {
  const limit = integerParameter({
    ...{ min: 1, max: webhookLimits.pageDeliveriesMax, default: webhookLimits.pageDeliveriesMax },
  });
  return route({
    method: 'GET',
    url: '/v1/webhook_endpoints/:endpoint_id/deliveries',
    scope: scopes.sell,
    tag: 'webhooks',
    summary: 'The delivery log of a webhook endpoint, the oldest first',
    description: '`dead`: it was tried for three days; `skipped`: the endpoint was off.',
    params,
    query: {
      state: z.enum(deliveryStates).optional(),
      since: timestamp().optional(),
      cursor: cursorSchema.optional(),
      limit,
    },
    response: deliveriesAnswer,
    problems: ['unknown-endpoint', 'read-model-lost'],
    handler: async ({ params: { endpoint_id }, query }) => {
      if (!(await webhooks.endpoint(endpoint_id))) return unknownEndpoint(endpoint_id);
      const { state, since, cursor } = query;
      const page = await webhooks.deliveries.deliveries({
        ...{ endpointId: endpoint_id, limit: query.limit, ...placeOf(cursor) },
        ...(state === undefined ? {} : { state }),
        ...(since === undefined ? {} : { since }),
      });
      if (page.kind === 'lost') return problemOf(page, 'webhooks');
      return { data: page.deliveries.map(shownDelivery), next_cursor: cursorOf(page.next) };
    },
  });
}

function replayedAnswer(replayed: Replayed) {
  if (replayed.kind !== 'replayed') return problemOf(replayed, 'webhooks');
  return { deliveries: [...replayed.deliveries], next_cursor: cursorOf(replayed.next) };
}

const replayProblems = ['unknown-endpoint', 'read-model-lost', ...writeProblems];

function replayRoutes(webhooks: Webhooks): readonly Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/webhook_endpoints/:endpoint_id/deliveries/:delivery_id/replay',
      scope: scopes.sell,
      tag: 'webhooks',
      summary: 'Tell one delivery again',
      params: { ...params, delivery_id: z.uuid() },
      response: { 202: replayAnswer },
      problems: ['unknown-delivery', ...replayProblems],
      handler: async ({ params: { endpoint_id, delivery_id }, caller }, reply) => {
        const by = caller.keyId;
        const answer = replayedAnswer(await webhooks.replay(endpoint_id, delivery_id, { by }));
        if (!(answer instanceof Problem)) reply.code(202);
        return answer;
      },
    }),
    route({
      method: 'POST',
      url: '/v1/webhook_endpoints/:endpoint_id/replay',
      scope: scopes.sell,
      tag: 'webhooks',
      summary: 'Tell everything again since a time, a page at a time',
      description:
        'What waits to be told already is not told twice for it. Go on with next_cursor until it is null.',
      params,
      body: z.strictObject({ since: timestamp(), cursor: cursorSchema.optional() }),
      response: { 202: replayAnswer },
      problems: replayProblems,
      handler: async ({ params: { endpoint_id }, body: { since, cursor }, caller }, reply) => {
        const command = { since, ...placeOf(cursor), by: caller.keyId };
        const answer = replayedAnswer(await webhooks.replaySince(endpoint_id, command));
        if (!(answer instanceof Problem)) reply.code(202);
        return answer;
      },
    }),
  ];
}
