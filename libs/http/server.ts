import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '@annals/core';
import swagger from '@fastify/swagger';
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
  type RouteOptions,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Registry } from 'prom-client';
import { refusalsOf, refuseDoubles } from './allow.ts';
import { problemOf, refuseConnection, sendProblem, unsupportedMediaType } from './answer.ts';
import type { Authenticator, Caller } from './auth.ts';
import { httpErrors, logErrors } from './errors.ts';
import { EventStreams } from './event-stream.ts';
import { type GateKeeper, openGate } from './gate.ts';
import { parseJsonBody } from './json-body.ts';
import { fileMediaTypes, limits } from './limits.ts';
import { type LogOptions, loggableError, RequestLog } from './log.ts';
import { HttpMetrics } from './metrics.ts';
import { type ApiDescription, openApiOptions, problemDirectory, serveDocs } from './openapi.ts';
import { type ReadinessCheck, serveOperations } from './operations.ts';
import { type ErrorTable, Problem } from './problem.ts';
import { RateLimiter, type RateLimits } from './rate-limit.ts';
import { RefusalLog } from './refusal-log.ts';
import { requestIds } from './request-id.ts';
import { checkRoute, type Route } from './route.ts';
import { addRoute, checkedSerializer, plainSerializer, refuseMethods } from './route-on-fastify.ts';
import { securityHeaders } from './security-headers.ts';
import type { Closing } from './stop.ts';
import { StreamAccess } from './stream-access.ts';
import { compileValidator } from './validation.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; undefined on public routes. */
    caller: Caller | undefined;
  }
  interface FastifyInstance {
    readonly eventStreams: EventStreams;
  }
  interface FastifyContextConfig {
    /** The scope a key needs. Every route has either this or `public`. */
    scope?: string;
    public?: true;
    /** Needs no key when called from this machine. */
    publicOnLoopback?: true;
    /** Does not count against the rate limit. */
    unlimited?: true;
    /** Answers an event stream. */
    streams?: true;
    /** Its body is given as the bytes that came. */
    rawBody?: true;
    /** Its body is given as it comes. */
    streamedBody?: true;
  }
}

export interface ServerOptions {
  /** Title, version and description of the OpenAPI document. */
  readonly api: ApiDescription;
  readonly routes: readonly Route[];
  readonly authenticator: Authenticator;
  /**
   * Adds plugins and routes that are not JSON (a console's files, the object store's protocol). Their
   * routes name their access in `config`: `{ scope: '…' }` or `{ public: true }`.
   */
  readonly extend?: (app: FastifyInstance) => void | Promise<void>;
  /** The products' tables of errors; this kit's own is always there. */
  readonly errors?: readonly ErrorTable[];
  /** The problem of an error that a handler threw (a full disk, an overload), or undefined: then it is a 500. */
  readonly translate?: (error: unknown) => Problem | undefined;
  readonly readiness?: readonly ReadinessCheck[];
  /** Closed one after the other by `stop()`, after the last request. */
  readonly closing?: readonly Closing[];
  /** Default: level info to standard output. False: none. */
  readonly log?: LogOptions | false;
  readonly rateLimit?: RateLimits | false;
  /** Bytes of a body where the route says nothing else. Default: `limits.bodyBytesMax`. */
  readonly bodyBytesMax?: number;
  /** Who may read /healthz, /readyz and /metrics without a key. Default: this machine (`loopback`). */
  readonly operations?: 'loopback' | 'anyone';
  /** Proxies whose X-Forwarded-For is believed, as fastify's `trustProxy`. Default: none. */
  readonly trustProxy?: boolean | string | string[];
  /** How long /readyz says 503 before connections are refused, so that balancers notice. Default: 0. */
  readonly drainMs?: number;
  /** How long `stop()` waits for requests in flight. Default: `limits.stopMsMax`. */
  readonly stopMsMax?: number;
  /** Checks every answer against its schema, and answers 500 where it differs. For tests: it costs. */
  readonly checkResponses?: boolean;
  /** Whether to serve /docs. Default: true. */
  readonly docs?: boolean;
  /** Whether /metrics has the process's own figures (memory, event loop, garbage collection). Default: true. */
  readonly processMetrics?: boolean;
  readonly clock?: Clock;
}

export interface HttpServer extends FastifyInstance {
  /** Where apps register their own metrics. */
  readonly registry: Registry;
  /**
   * Says 503 at /readyz, ends event streams, stops accepting, waits for the requests in flight, then
   * closes what the app gave as `closing`, in order. Loses nothing that was accepted. Rejects with an
   * AggregateError when something did not close. The second call is the first one's.
   */
  stop(): Promise<void>;
}

/** A fastify server with everything of design.md §4. Ready when it resolves; `listen` is the app's. */
export async function createServer(options: ServerOptions): Promise<HttpServer> {
  const tables = [httpErrors, logErrors, ...(options.errors ?? [])];
  const bodyBytesMax = options.bodyBytesMax ?? limits.bodyBytesMax;
  refuseDoubles(options.routes);
  for (const route of options.routes) checkRoute(route);

  const metrics = new HttpMetrics({ processMetrics: options.processMetrics ?? true });
  const headers = securityHeaders();
  const newRequestId = requestIds();
  const app = openFastify(options, bodyBytesMax, headers, newRequestId);
  const keeper = keeperOf(options, metrics, headers, app);
  const streams = new EventStreams(
    metrics,
    headers,
    new StreamAccess(
      options.authenticator,
      options.clock ?? systemClock,
      options.translate ?? (() => undefined),
    ),
  );

  app.decorateRequest('caller', undefined);
  app.decorate('eventStreams', streams);
  app.decorate('registry', metrics.registry);
  app.decorate('stop', stopOnce(options, app, keeper, streams));
  guardRoutes(app, keeper);
  answerErrors(app, options, bodyBytesMax, keeper);
  readJson(app);
  streamFiles(app);
  app.setValidatorCompiler(compileValidator);
  app.setSerializerCompiler(options.checkResponses ? checkedSerializer : plainSerializer);

  const directory = problemDirectory(tables);
  await app.register(swagger, openApiOptions(options.api, options.routes, tables, bodyBytesMax));
  if (options.docs ?? true) {
    await serveDocs(app, options.api.title, randomBytes(16).toString('base64'));
  }
  serveDocuments(app, directory);
  serveOperations(app, keeper, options.readiness ?? [], options.operations ?? 'loopback');
  for (const route of options.routes) addRoute(app, route);
  for (const refusals of refusalsOf(options.routes)) refuseMethods(app, refusals);
  // In a context of its own: body parsers and hooks it adds stay there.
  const { extend } = options;
  if (extend) await app.register(async (context) => extend(context));
  await app.ready();
  // Made now, since a mistake in a route's schemas or problems has to stop the start.
  app.swagger();
  return app as unknown as HttpServer;
}

function openFastify(
  options: ServerOptions,
  bodyBytesMax: number,
  headers: { readonly [name: string]: string },
  newRequestId: ReturnType<typeof requestIds>,
) {
  const log = options.log ?? {};
  return fastify({
    logger:
      log === false
        ? false
        : { level: log.level ?? 'info', ...(log.stream ? { stream: log.stream } : {}) },
    // Fastify's own lines have the URL in them; the gate writes one with the route's pattern instead.
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'request_id',
    }),
    childLoggerFactory: (logger, bindings) =>
      new RequestLog(logger, bindings) as unknown as FastifyBaseLogger,
    genReqId: newRequestId,
    bodyLimit: bodyBytesMax,
    requestTimeout: limits.requestMsMax,
    keepAliveTimeout: limits.keepAliveMs,
    // A request on a connection that is still open while the server stops was accepted: it is served.
    return503OnClosing: false,
    trustProxy: options.trustProxy ?? false,
    // The schema of a parameter says what is too long, and names it; no route has a regular expression.
    routerOptions: { maxParamLength: limits.headerBytesMax, compile: true },
    http: { maxHeaderSize: limits.headerBytesMax },
    frameworkErrors: (error, _request, reply) => {
      const problem = problemOf(error, { bodyBytesMax, takesFile: false }, () => undefined);
      sendProblem(reply as FastifyReply, problem ?? httpErrors.problem('malformed-http'), headers);
    },
    clientErrorHandler: (error, socket) =>
      refuseConnection(error, socket, newRequestId({ headers: {} })),
  }).withTypeProvider<ZodTypeProvider>();
}

function keeperOf(
  options: ServerOptions,
  metrics: HttpMetrics,
  headers: { readonly [name: string]: string },
  app: Pick<FastifyInstance, 'log'>,
): GateKeeper {
  const rates = options.rateLimit === false ? {} : (options.rateLimit ?? {});
  const clock = options.clock ?? systemClock;
  return {
    authenticator: options.authenticator,
    metrics,
    limiter: options.rateLimit === false ? undefined : new RateLimiter(clock, rates.windowMs),
    rates,
    headers,
    log: app.log,
    refusals: new RefusalLog(app.log),
    logsEveryRequest: options.log !== false && options.log?.requests === 'all',
    stopping: false,
  };
}

/** Puts a gate before every route, however it is added, and refuses routes that say nothing of access. */
function guardRoutes(app: FastifyInstance, keeper: GateKeeper): void {
  const gates = new WeakSet<object>();
  app.addHook('onRoute', (route: RouteOptions) => {
    const config = route.config ?? {};
    const isDocs = route.url === '/docs' || route.url.startsWith('/docs/');
    if (!isDocs && (config.scope === undefined) === (config.public === undefined)) {
      throw new TypeError(
        `${route.method} ${route.url} must declare either its scope or public: true in its config`,
      );
    }
    const gate = openGate(keeper, {
      method: Array.isArray(route.method) ? 'other' : route.method,
      pattern: route.url,
      scope: config.scope,
      publicOnLoopback: config.publicOnLoopback ?? false,
      limited: !config.unlimited,
      streams: config.streams ?? false,
    });
    gates.add(gate);
    // The HEAD route fastify makes of a GET route brings that one's gate along.
    const given = [route.onRequest ?? []].flat().filter((hook) => !gates.has(hook));
    route.onRequest = [gate, ...given];
  });
  const unmatched = openGate(keeper, {
    method: 'other',
    pattern: 'unmatched',
    scope: undefined,
    publicOnLoopback: false,
    limited: true,
    streams: false,
  });
  // Before the body is read: nobody is told about their JSON by a path that does not exist.
  app.addHook('onRequest', function (request, reply, done) {
    if (!request.is404) return done();
    unmatched.call(this, request, reply, (problem?: Error) =>
      done(problem ?? httpErrors.problem('no-such-route')),
    );
  });
}

function answerErrors(
  app: FastifyInstance,
  options: ServerOptions,
  bodyBytesMax: number,
  keeper: GateKeeper,
): void {
  const translate = options.translate ?? (() => undefined);
  app.setErrorHandler((error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const limit = request.routeOptions.bodyLimit ?? bodyBytesMax;
    const takesFile = request.routeOptions.config.streamedBody ?? false;
    let problem = problemOf(error, { bodyBytesMax: limit, takesFile }, translate);
    if (!problem) {
      request.log.error({ err: loggableError(error) }, 'internal error');
      problem = httpErrors.problem('internal-error', { request_id: request.id });
    }
    sendProblem(reply, problem, keeper.headers);
  });
}

function readJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    (request, body, done) => {
      const takesFile = request.routeOptions.config.streamedBody ?? false;
      if (!isPlainUtf8(request.headers) || takesFile) {
        return done(unsupportedMediaType(takesFile), undefined);
      }
      if (request.routeOptions.config.rawBody) return done(null, body);
      // Clients send this type with an empty body, too. The validator knows whether one is needed.
      if (body.length === 0) return done(null, undefined);
      const parsed = parseJsonBody(body);
      if (parsed instanceof Problem) done(parsed, undefined);
      else done(null, parsed.value);
    },
  );
}

/** Files are handed on as they come, to the routes that take them. */
function streamFiles(app: FastifyInstance): void {
  app.addContentTypeParser([...fileMediaTypes], (request, payload, done) => {
    const encoding = request.headers['content-encoding']?.toLowerCase() ?? 'identity';
    const takesFile = request.routeOptions.config.streamedBody ?? false;
    if (!takesFile || encoding !== 'identity') {
      return done(unsupportedMediaType(takesFile), undefined);
    }
    done(null, payload);
  });
}

/** JSON is UTF-8 (RFC 8259 §8.1), and nothing here unpacks a body: whoever says otherwise is told so. */
function isPlainUtf8(headers: FastifyRequest['headers']): boolean {
  const { 'content-encoding': encoding, 'content-type': type } = headers;
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return false;
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(type ?? '')?.[1];
  return charset === undefined || charset.toLowerCase() === 'utf-8';
}

/** The OpenAPI document, and an explanation for the `type` of each problem. */
function serveDocuments(app: FastifyInstance, directory: ReadonlyMap<string, object>): void {
  let document: string | undefined;
  app.get('/openapi.json', { config: { public: true } }, (_request, reply) => {
    document ??= JSON.stringify(app.swagger());
    return reply.header('content-type', 'application/json; charset=utf-8').send(document);
  });
  app.get('/problems', { config: { public: true } }, () => [...directory.values()]);
  app.get<{ Params: { code: string } }>(
    '/problems/:code',
    { config: { public: true } },
    (request) =>
      directory.get(request.params.code) ??
      httpErrors.problem('no-such-problem', { code: request.params.code }),
  );
}

function stopOnce(
  options: ServerOptions,
  app: FastifyInstance,
  keeper: GateKeeper,
  streams: EventStreams,
): () => Promise<void> {
  let stopped: Promise<void> | undefined;
  const clock = options.clock ?? systemClock;
  const run = async () => {
    keeper.stopping = true;
    await clock.sleep(options.drainMs ?? 0);
    streams.stop();
    await closeServer(app, options.stopMsMax ?? limits.stopMsMax);
    keeper.refusals.close();
    await closeInOrder(app, options.closing ?? []);
  };
  return () => {
    stopped ??= run();
    return stopped;
  };
}

/** Stops accepting and waits for the requests in flight; after `stopMsMax` their connections are cut. */
async function closeServer(app: FastifyInstance, stopMsMax: number): Promise<void> {
  // A connection whose last answer went out before the stop would stay open until its idle time is over.
  const idle = setInterval(() => app.server.closeIdleConnections(), 20);
  const late = setTimeout(() => {
    app.log.warn({ limit_ms: stopMsMax }, 'cutting requests that are still in flight');
    app.server.closeAllConnections();
  }, stopMsMax);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(late);
  }
}

/** Closes all, also after one that fails: the log must be closed although the projector was not. */
async function closeInOrder(app: FastifyInstance, closing: readonly Closing[]): Promise<void> {
  const failures: unknown[] = [];
  for (const part of closing) {
    try {
      await part.close();
    } catch (error) {
      app.log.error({ err: loggableError(error), part: part.name }, 'did not close');
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'not everything closed');
}
