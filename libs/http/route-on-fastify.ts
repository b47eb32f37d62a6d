import { isDeepStrictEqual } from 'node:util';
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  preValidationHookHandler,
} from 'fastify';
import { z } from 'zod';
import type { Refusals } from './allow.ts';
import { httpErrors } from './errors.ts';
import { echo } from './problem.ts';
import { type Route, responsesOf } from './route.ts';
import { fieldsProblem } from './validation.ts';

/** Adds a declared route to fastify. */
export function addRoute(app: FastifyInstance, route: Route): void {
  const takesBody = route.body !== undefined || route.rawBody || route.streamedBody;
  const takesNoBody = !takesBody && route.method !== 'GET';
  app.route({
    method: route.method,
    url: route.url,
    exposeHeadRoute: route.method === 'GET' && !route.streams,
    config: {
      ...(route.scope === undefined ? { public: true as const } : { scope: route.scope }),
      ...(route.streams ? { streams: true as const } : {}),
      ...(route.rawBody ? { rawBody: true as const } : {}),
      ...(route.streamedBody ? { streamedBody: true as const } : {}),
    },
    schema: fastifySchema(route),
    ...(route.bodyBytesMax === undefined ? {} : { bodyLimit: route.bodyBytesMax }),
    ...(takesNoBody ? { preValidation: refuseBody } : {}),
    handler: (request: FastifyRequest, reply: FastifyReply) => route.handler(request, reply),
  });
}

function fastifySchema(route: Route): object {
  const { summary, description, tag, body, headers } = route;
  const responses = [...responsesOf(route)].filter(([, schema]) => schema !== null);
  return {
    summary,
    ...(description === undefined ? {} : { description }),
    ...(tag === undefined ? {} : { tags: [tag] }),
    ...(body === undefined ? {} : { body }),
    // Declared or not, a route takes no other parameters than its own.
    querystring: z.strictObject(route.query ?? {}),
    ...(route.params === undefined ? {} : { params: z.strictObject(route.params) }),
    ...(headers === undefined ? {} : { headers: z.object(headers) }),
    ...(responses.length === 0 ? {} : { response: Object.fromEntries(responses) }),
  };
}

/** A route without a body takes none, or the empty object some clients send for it. */
const refuseBody: preValidationHookHandler = (request, _reply, done) => {
  const { body } = request;
  if (body === undefined || body === null) return done();
  const fields = typeof body === 'object' && !Array.isArray(body) ? Object.keys(body) : [''];
  if (fields.length === 0) return done();
  const message = 'this request has no body';
  done(fieldsProblem(fields.map((field) => ({ in: 'body', field: echo(field), message }))));
};

/** Answers 405 for the methods a path lacks, before anything is read of the body. */
export function refuseMethods(app: FastifyInstance, refusals: Refusals): void {
  if (refusals.methods.length === 0) return;
  const { allow } = refusals;
  app.route({
    method: [...refusals.methods],
    url: refusals.url,
    config: { public: true },
    onRequest: (_request, _reply, done) =>
      done(httpErrors.problem('method-not-allowed', { allow }, { headers: { allow } })),
    handler: () => undefined,
  });
}

/** The schema has served the docs and the compiler; answers are written as they are. */
export function plainSerializer(): (data: unknown) => string {
  return JSON.stringify;
}

/** JSON.stringify, after checking that the schema takes the value and leaves nothing out. */
export function checkedSerializer({ schema }: { readonly schema: unknown }) {
  return (data: unknown): string => {
    const text = JSON.stringify(data);
    const sent: unknown = JSON.parse(text);
    const parsed = (schema as z.ZodType).parse(sent);
    if (!isDeepStrictEqual(parsed, sent)) {
      throw new TypeError('the answer has members its schema does not name');
    }
    return text;
  };
}
