import type { ServerResponse } from 'node:http';
import type {
  FastifyBaseLogger,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
  onRequestHookHandler,
} from 'fastify';
import { problemCode } from './answer.ts';
import { type Authentication, type Authenticator, accessProblem, bearerToken } from './auth.ts';
import { limits } from './limits.ts';
import type { HttpMetrics } from './metrics.ts';
import { Problem } from './problem.ts';
import { addressSubject, type RateLimiter, type RateLimits } from './rate-limit.ts';
import type { RefusalLog } from './refusal-log.ts';

/** What the gates of one server share. */
export interface GateKeeper {
  readonly authenticator: Authenticator;
  readonly metrics: HttpMetrics;
  /** Undefined when the server has no rate limit. */
  readonly limiter: RateLimiter | undefined;
  readonly rates: RateLimits;
  /** Headers of every answer. */
  readonly headers: { readonly [name: string]: string };
  readonly log: FastifyBaseLogger;
  readonly logsEveryRequest: boolean;
  readonly refusals: RefusalLog;
  stopping: boolean;
}

/** What a gate knows of its route. */
export interface GateRoute {
  readonly method: string;
  /** The pattern, never the URL: that may hold personal data. */
  readonly pattern: string;
  /** Undefined for a public route. */
  readonly scope: string | undefined;
  /** Whether requests from this machine need no key. */
  readonly publicOnLoopback: boolean;
  /** Whether requests count against the rate limit. Probes and scrapes don't. */
  readonly limited: boolean;
  /** Whether the answer is an event stream, whose duration says nothing. */
  readonly streams: boolean;
}

const startedAt = Symbol('started at');
const servedRequest = Symbol('request');

interface Served extends ServerResponse {
  [startedAt]: number;
  [servedRequest]: FastifyRequest;
  [problemCode]?: string;
}

/**
 * The first hook of a route: counts the request, stamps the answer's headers, finds out who calls and
 * whether they may. Everything that does not change from request to request is worked out here, once;
 * nothing below waits unless the authenticator does.
 */
export function openGate(keeper: GateKeeper, route: GateRoute): onRequestHookHandler {
  const begin = accounting(keeper, route);
  const access = accessCheck(keeper, route);
  return (request, reply, done) => {
    begin(request, reply);
    access(request, done);
  };
}

/** Counts a request in and, when its answer is done or its client gone, out again. */
function accounting(keeper: GateKeeper, route: GateRoute) {
  const { metrics, headers } = keeper;
  const observe = metrics.routeDurations(route.method, route.pattern);

  // `close` comes once for every answer, finished or cut off; fastify's own onResponse hook misses the latter.
  function settled(this: ServerResponse) {
    const served = this as Served;
    const seconds = (performance.now() - served[startedAt]) / 1_000;
    // 499, as proxies log it: the client closed the connection before it was answered.
    const status = served.headersSent ? served.statusCode : 499;
    metrics.inFlight -= 1;
    if (!route.streams || status >= 400) observe(status, seconds);
    if (keeper.logsEveryRequest || status >= 500)
      logRequest(keeper, route, served, seconds, status);
  }

  return (request: FastifyRequest, reply: FastifyReply) => {
    const served = reply.raw as Served;
    served[startedAt] = performance.now();
    served[servedRequest] = request;
    served.on('close', settled);
    metrics.inFlight += 1;
    reply.headers(headers);
    reply.header('x-request-id', request.id);
    if (keeper.stopping) reply.header('connection', 'close');
  };
}

/** 500 is a bug or broken I/O. Other 5xx are expected, as a lost read model is, and may be very many. */
function logRequest(
  { log, logsEveryRequest, refusals }: GateKeeper,
  route: GateRoute,
  served: Served,
  seconds: number,
  status: number,
): void {
  const request = served[servedRequest];
  const line = () => ({
    request_id: request.id,
    method: request.method,
    route: route.pattern,
    status,
    ms: Math.round(seconds * 1e5) / 100,
    key: request.caller?.keyId,
  });
  if (status < 500) log.info(line(), 'request');
  else if (status === 500) log.error(line(), 'request failed');
  else if (logsEveryRequest) log.warn(line(), 'request refused');
  else refusals.tell(served[problemCode] ?? String(status), line);
}

function accessCheck(keeper: GateKeeper, route: GateRoute) {
  const perKeyMax = keeper.rates.requestsPerKeyMax ?? limits.requestsPerKeyMax;
  const perAddressMax = keeper.rates.requestsPerAddressMax ?? limits.requestsPerAddressMax;
  const limiter = route.limited ? keeper.limiter : undefined;
  const { scope } = route;

  const countAddress = (request: FastifyRequest): Problem | undefined =>
    limiter?.take(`address ${addressSubject(request.ip)}`, perAddressMax);

  const judge = (request: FastifyRequest, found: Authentication): Problem | undefined => {
    if (found.kind === 'rejected') return countAddress(request) ?? accessProblem(found, scope);
    request.caller = found;
    return limiter?.take(found.keyId, perKeyMax) ?? accessProblem(found, scope);
  };

  return (request: FastifyRequest, done: HookHandlerDoneFunction): void => {
    if (scope === undefined || (route.publicOnLoopback && isLoopback(request))) {
      pass(done, countAddress(request));
      return;
    }
    const token = bearerToken(request.headers.authorization);
    if (token instanceof Problem) {
      pass(done, countAddress(request) ?? token);
      return;
    }
    const found = keeper.authenticator.authenticate(token);
    if (found instanceof Promise) found.then((late) => pass(done, judge(request, late)), done);
    else pass(done, judge(request, found));
  };
}

function pass(done: HookHandlerDoneFunction, problem: Problem | undefined): void {
  if (problem) done(problem);
  else done();
}

/**
 * Whether a request comes from this machine itself. One that a proxy on this machine hands on does
 * not, and says so in its headers.
 */
function isLoopback(request: FastifyRequest): boolean {
  const { headers } = request;
  if (headers.forwarded !== undefined || headers['x-forwarded-for'] !== undefined) return false;
  const address = request.socket.remoteAddress ?? '';
  return address === '::1' || /^(?:::ffff:)?127\./.test(address);
}
