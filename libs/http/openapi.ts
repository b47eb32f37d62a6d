import { STATUS_CODES } from 'node:http';
import type { FastifyDynamicSwaggerOptions, SwaggerOptions } from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { createJsonSchemaTransform } from 'fastify-type-provider-zod';
import { documentedAs } from './fields.ts';
import { type ErrorTable, problemPath } from './problem.ts';
import { type Route, responsesOf, routeName } from './route.ts';

export interface ApiDescription {
  readonly title: string;
  readonly version: string;
  readonly description?: string;
}

type JsonSchema = { readonly [keyword: string]: unknown };

const zodTransform = createJsonSchemaTransform({
  zodToJsonConfig: {
    override: ({ zodSchema, jsonSchema }) => {
      const documented = documentedAs.get(zodSchema);
      if (!documented) return;
      for (const keyword of Object.keys(jsonSchema)) delete jsonSchema[keyword];
      Object.assign(jsonSchema, documented.jsonSchema);
    },
  },
});

/** Options of @fastify/swagger for an OpenAPI 3.1 document made from the routes and the tables of errors. */
export function openApiOptions(
  api: ApiDescription,
  routes: readonly Route[],
  tables: readonly ErrorTable[],
  bodyBytesMax: number,
): SwaggerOptions {
  const byName = new Map(routes.map((route) => [routeName(route), route]));
  return {
    openapi: {
      openapi: '3.1.0',
      info: { ...api },
      // Relative: wherever the document was read from.
      servers: [{ url: '/' }],
      components,
    },
    transform: (document) => {
      const route = byName.get(routeName(document.route as Route));
      if (!route) return { schema: { hide: true }, url: document.url };
      const { schema, url } = zodTransform(document);
      const described = {
        ...schema,
        response: documentedResponses(route, schema.response, tables),
        ...(route.scope === undefined ? {} : { security: [{ bearer: [route.scope] }] }),
        ...(route.body || route.streamedBody
          ? { 'x-body-bytes-max': route.bodyBytesMax ?? bodyBytesMax }
          : {}),
      };
      return { schema: described, url };
    },
  };
}

type Components = NonNullable<NonNullable<FastifyDynamicSwaggerOptions['openapi']>['components']>;

const components = {
  securitySchemes: {
    bearer: { type: 'http', scheme: 'bearer', description: 'An API key.' },
  },
  schemas: {
    // RFC 9457 §3.1, with the members every problem of ours has.
    Problem: {
      type: 'object',
      description: 'RFC 9457 problem details. The code is explained at the path in `type`.',
      required: ['type', 'title', 'status', 'detail', 'code', 'request_id'],
      properties: {
        type: { type: 'string', format: 'uri-reference' },
        title: { type: 'string' },
        status: { type: 'integer', minimum: 400, maximum: 599 },
        detail: { type: 'string' },
        code: { type: 'string' },
        request_id: { type: 'string' },
        errors: {
          type: 'array',
          items: {
            type: 'object',
            required: ['in', 'field', 'message'],
            properties: {
              in: { enum: ['body', 'query', 'params', 'headers'] },
              field: { type: 'string' },
              message: { type: 'string' },
            },
          },
        },
      },
    },
  },
} satisfies Components;

function documentedResponses(
  route: Route,
  bodies: unknown,
  tables: readonly ErrorTable[],
): { readonly [status: string]: JsonSchema } {
  const responses: { [status: string]: JsonSchema } = {};
  for (const [status, schema] of responsesOf(route)) {
    const body = (bodies as { readonly [status: string]: JsonSchema } | undefined)?.[status];
    // `type: null` is how @fastify/swagger is told that there is no body.
    const content = schema
      ? { content: { [route.media ?? 'application/json']: { schema: body } } }
      : { type: 'null' };
    responses[status] = { description: STATUS_CODES[status] ?? 'Answer', ...content };
  }
  if (route.streams) {
    responses[200] = {
      description: 'Server-sent events',
      content: { 'text/event-stream': { schema: { type: 'string' } } },
    };
  }
  for (const [status, codes] of problemsOf(route, tables)) {
    responses[status] = {
      description: `${STATUS_CODES[status]}: ${codes.join(', ')}`,
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    };
  }
  return responses;
}

/** What a route may answer besides its own answers: its own problems, and those of this kit that fit it. */
function problemsOf(route: Route, tables: readonly ErrorTable[]): Map<number, string[]> {
  const codes = [
    ...(route.body ? ['malformed-json'] : []),
    ...(route.body || route.streamedBody ? ['body-too-large', 'unsupported-media-type'] : []),
    'invalid-input',
    ...(route.scope === undefined ? [] : ['missing-token', 'malformed-token', 'unknown-token']),
    ...(route.scope === undefined ? [] : ['revoked-token', 'expired-token', 'insufficient-scope']),
    'rate-limited',
    'internal-error',
    ...(route.problems ?? []),
  ];
  const byStatus = new Map<number, string[]>();
  for (const code of codes) {
    const row = tables.map((table) => table.rows[code]).find((found) => found !== undefined);
    if (!row) throw new TypeError(`${routeName(route)}: no table of errors has the code ${code}`);
    byStatus.set(row.status, [...(byStatus.get(row.status) ?? []), code]);
  }
  return byStatus;
}

/** Serves the tables of errors under the `type` of each problem. */
export function problemDirectory(tables: readonly ErrorTable[]): ReadonlyMap<string, object> {
  const directory = new Map<string, object>();
  for (const table of tables) {
    for (const [code, row] of Object.entries(table.rows)) {
      if (directory.has(code)) throw new TypeError(`two tables of errors have the code ${code}`);
      directory.set(code, { type: problemPath(code), code, of: table.name, ...row });
    }
  }
  return directory;
}

/**
 * The page at /docs. Its script comes out of the package, fonts are the system's, and the content
 * security policy lets it talk to this server only: it works without a network, and tells nobody.
 */
export async function serveDocs(app: FastifyInstance, title: string, nonce: string): Promise<void> {
  // Loaded here, not at the top: the module is 5 MB of script, and most tests don't look at it.
  const { default: apiReference } = await import('@scalar/fastify-api-reference');
  const policy = [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}'`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  await app.register(async (docs) => {
    docs.addHook('onSend', (_request, reply, payload, done) => {
      reply.header('content-security-policy', policy).header('referrer-policy', 'no-referrer');
      done(null, payload);
    });
    await docs.register(apiReference, {
      routePrefix: '/docs',
      configuration: {
        url: '/openapi.json',
        pageTitle: title,
        authentication: { preferredSecurityScheme: 'bearer' },
        nonce,
        withDefaultFonts: false,
        telemetry: false,
        hideClientButton: true,
        showDeveloperTools: 'never',
        agent: { disabled: true },
        mcp: { disabled: true },
      },
    });
  });
}
