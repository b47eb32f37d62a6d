import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Caller } from './auth.ts';
import type { Problem } from './problem.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One schema for status 200, or one for each status; `null` is an answer without a body. */
export type ResponseSchemas = z.ZodType | { readonly [status: number]: z.ZodType | null };

type Fields<Shape> = Shape extends z.ZodRawShape
  ? z.output<z.ZodObject<Shape>>
  : Readonly<Record<never, never>>;

type Answer<Response> = Response extends z.ZodType
  ? z.output<Response>
  : {
      [Status in keyof Response]: Response[Status] extends z.ZodType
        ? z.output<Response[Status]>
        : undefined;
    }[keyof Response];

type RequestOf<Body, Query, Params, Headers, Scope> = FastifyRequest<{
  Body: Body extends z.ZodType ? z.output<Body> : undefined | Buffer;
  Querystring: Fields<Query>;
  Params: Fields<Params>;
  Headers: Fields<Headers>;
}> &
  (Scope extends string ? { readonly caller: Caller } : unknown);

/** Who may call: keys with this scope, or everybody. There is no default. */
type Access<Scope> = Scope extends string
  ? { readonly scope: Scope; readonly public?: never }
  : { readonly scope?: never; readonly public: true };

interface Description<Body, Query, Params, Headers, Response> {
  readonly method: Method;
  /** The path with `:name` for each parameter, which `params` declares. */
  readonly url: string;
  /** One line for the docs. */
  readonly summary: string;
  readonly description?: string;
  readonly tag?: string;
  /** JSON body. Objects in it must be strict (`z.strictObject`): unknown fields are refused. */
  readonly body?: Body;
  readonly query?: Query;
  readonly params?: Params;
  /** Names in lower case. */
  readonly headers?: Headers;
  readonly response?: Response;
  /** Codes of the product's own problems this route answers, for the docs. */
  readonly problems?: readonly string[];
  /** Bytes of the body. Default: the server's. */
  readonly bodyBytesMax?: number;
  /** True for a route that needs the very bytes of its JSON body, as signatures do: `request.body` is a Buffer. */
  readonly rawBody?: true;
  /** What is answered, where it is not JSON: `text/csv`. The handler sends it through `reply`. */
  readonly media?: string;
  /**
   * True for a route that takes a file: `request.body` is a Readable of its bytes as they come, of one of
   * `fileMediaTypes`. The route counts them: `bodyBytesMax` is only told.
   */
  readonly streamedBody?: true;
  /** True for a route that answers an event stream (`eventStream`) instead of JSON. */
  readonly streams?: true;
}

type Definition<Body, Query, Params, Headers, Response, Scope> = Description<
  Body,
  Query,
  Params,
  Headers,
  Response
> &
  Access<Scope> & {
    readonly scope?: Scope;
    /** Returns the answer's body or a Problem; or sends through `reply` and returns it. */
    handler(
      request: RequestOf<Body, Query, Params, Headers, Scope>,
      reply: FastifyReply,
    ):
      | Answer<Response>
      | Problem
      | FastifyReply
      | Promise<Answer<Response> | Problem | FastifyReply>;
  };

/** A route whose types are checked and forgotten: what `createServer` takes. */
export interface Route
  extends Description<z.ZodType, z.ZodRawShape, z.ZodRawShape, z.ZodRawShape, ResponseSchemas> {
  readonly scope?: string;
  readonly public?: true;
  handler(request: FastifyRequest, reply: FastifyReply): unknown;
}

/**
 * Declares one route of a product. The handler's request is typed by the schemas, its answer by
 * `response`. `query`, `params` and `headers` are plain shapes: `{ limit: integerParameter({ … }) }`.
 */
export function route<
  Body extends z.ZodType | undefined = undefined,
  Query extends z.ZodRawShape | undefined = undefined,
  Params extends z.ZodRawShape | undefined = undefined,
  Headers extends z.ZodRawShape | undefined = undefined,
  Response extends ResponseSchemas = { readonly 204: null },
  Scope extends string | undefined = undefined,
>(definition: Definition<Body, Query, Params, Headers, Response, Scope>): Route {
  // The handler is only ever called with what the schemas let through.
  return definition as unknown as Route;
}

/** `POST /v1/scores`: how a route is called in messages, tests and the docs. */
export function routeName(route: Pick<Route, 'method' | 'url'>): string {
  return `${route.method} ${route.url}`;
}

/** The schemas by status, whichever way they were given. Without any: 204 and no body. */
export function responsesOf(route: Route): ReadonlyMap<number, z.ZodType | null> {
  if (route.response instanceof z.ZodType) return new Map([[200, route.response]]);
  const entries = Object.entries(route.response ?? (route.streams ? {} : { 204: null }));
  return new Map(entries.map(([status, schema]) => [Number(status), schema]));
}

/**
 * Refuses a route that would let something slip: no access declared, or a body that takes unknown
 * fields. Throws a TypeError that names the route: a mistake in the program, found at start.
 */
export function checkRoute(route: Route): void {
  if ((route.scope === undefined) === (route.public === undefined)) {
    throw new TypeError(`${routeName(route)} must declare either its scope or public: true`);
  }
  if (route.scope !== undefined && !/^[\w:.-]+$/.test(route.scope)) {
    throw new TypeError(`${routeName(route)}: ${route.scope} is not a scope`);
  }
  if (route.body && route.rawBody) {
    throw new TypeError(`${routeName(route)} takes its body as bytes: it has no schema for it`);
  }
  if (route.streamedBody && (route.body || route.rawBody)) {
    throw new TypeError(`${routeName(route)} takes its body as it comes, and in no other way`);
  }
  if (!route.body) return;
  const json = z.toJSONSchema(route.body, { io: 'input', unrepresentable: 'any' });
  const loose = looseObject(json, 'body');
  if (loose === undefined) return;
  throw new TypeError(`${routeName(route)}: ${loose} takes unknown fields; use z.strictObject`);
}

/** The path of the first object in a JSON schema that takes any member. */
function looseObject(schema: unknown, path: string): string | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined;
  const node = schema as { readonly [keyword: string]: unknown };
  if (node.type === 'object' && looseRest(node.additionalProperties)) return path;
  for (const [keyword, value] of Object.entries(node)) {
    if (keyword === 'default' || keyword === 'examples' || keyword === 'const') continue;
    const below = looseObject(value, keyword === 'properties' ? path : `${path}.${keyword}`);
    if (below !== undefined) return below;
  }
  return undefined;
}

function looseRest(rest: unknown): boolean {
  if (rest === undefined || rest === true) return true;
  return typeof rest === 'object' && rest !== null && Object.keys(rest).length === 0;
}
