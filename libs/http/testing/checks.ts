import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { FastifyInstance } from 'fastify';
import {
  type BadRequest,
  badRequestsOf,
  type Example,
  exampleRequest,
  type TestRequest,
} from './bad-requests.ts';
import type { Operation } from './operations.ts';

/** A running API under test. */
export interface RunningApi {
  readonly server: Pick<FastifyInstance, 'inject'>;
  /** A new key with exactly these scopes. */
  issueKey(scopes: readonly string[]): string | Promise<string>;
  revokeKey(token: string): void | Promise<void>;
  /** Something that differs after every write and only then, such as the head of the log. */
  stored(): unknown;
}

interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: unknown };
  readonly body: string;
}

/** An answer that does not come within this time has become a stream: the request was taken. */
const answerMsMax = 10_000;

async function send(api: RunningApi, request: TestRequest, token?: string): Promise<Answer> {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const timer = new AbortController();
  const late = delay(answerMsMax, undefined, { signal: timer.signal }).catch(() => undefined);
  const answer = await Promise.race([
    api.server.inject({
      method: request.method as 'GET',
      url: request.url,
      headers: { ...request.headers, ...authorization },
      ...(request.payload === undefined ? {} : { payload: request.payload }),
    }),
    late,
  ]);
  timer.abort();
  if (!answer) return { status: 200, headers: {}, body: '(a stream)' };
  return { status: answer.statusCode, headers: answer.headers, body: answer.body };
}

/** Says what is wrong with the answer to the example. The other checks prove nothing without it. */
export async function checkExample(
  api: RunningApi,
  operation: Operation,
  example: Example,
): Promise<string[]> {
  if (operation.streams) return [];
  const token = operation.scope === undefined ? undefined : await api.issueKey([operation.scope]);
  const { status, body } = await send(api, exampleRequest(operation, example), token);
  const isGood =
    example.status === undefined ? status >= 200 && status <= 299 : status === example.status;
  return isGood ? [] : [`the example is answered ${status}: ${body}`];
}

/** Sends everything the route must refuse; says what was not, or not well, or was stored after all. */
export async function checkBadInput(
  api: RunningApi,
  operation: Operation,
  example: Example,
): Promise<{ readonly requests: number; readonly failures: readonly string[] }> {
  const token = operation.scope === undefined ? undefined : await api.issueKey([operation.scope]);
  const failures: string[] = [];
  const requests = badRequestsOf(operation, example);
  for (const request of requests) {
    const before = await api.stored();
    const answer = await send(api, request, token);
    failures.push(...faultsOf(request, answer).map((fault) => `${request.what}: ${fault}`));
    if (!isDeepStrictEqual(await api.stored(), before)) {
      failures.push(`${request.what}: something was written`);
    }
  }
  return { requests: requests.length, failures };
}

interface ProblemBody {
  readonly status?: number;
  readonly code?: string;
  readonly type?: string;
  readonly scope?: string;
  readonly errors?: readonly { readonly in: string; readonly field: string }[];
}

function faultsOf(request: BadRequest, answer: Answer): string[] {
  if (!request.statuses.includes(answer.status)) {
    return [`answered ${answer.status} instead of ${request.statuses}: ${answer.body}`];
  }
  const problem = problemIn(answer);
  if (!problem) return [`no application/problem+json: ${answer.body}`];
  const { at } = request;
  const named = problem.errors?.some((one) => one.in === at?.in && one.field === at.field);
  if (at && !named) return [`${at.in} ${at.field} is not named: ${answer.body}`];
  if (answer.status === 405 && !answer.headers.allow) return ['405 without Allow'];
  return [];
}

function problemIn(answer: Answer): ProblemBody | undefined {
  if (!String(answer.headers['content-type']).startsWith('application/problem+json')) {
    return undefined;
  }
  const problem = JSON.parse(answer.body) as ProblemBody;
  const isWhole = problem.status === answer.status && problem.code && problem.type;
  return isWhole ? problem : undefined;
}

/**
 * Calls a route without a key, with bad ones, with a revoked one and with one of another scope. On a
 * public route: that it needs none. `otherScope` is any scope but the route's.
 */
export async function checkAccess(
  api: RunningApi,
  operation: Operation,
  example: Example,
  otherScope: string,
): Promise<string[]> {
  const request = exampleRequest(operation, example);
  if (operation.scope === undefined) {
    if (operation.streams) return [];
    const { status } = await send(api, request);
    return status === 401 || status === 403 ? [`public, but answered ${status}`] : [];
  }
  const good = await api.issueKey([operation.scope]);
  const revoked = await api.issueKey([operation.scope]);
  await api.revokeKey(revoked);
  const other = await api.issueKey([otherScope]);
  const withHeader = (authorization: string) => ({
    ...request,
    headers: { ...request.headers, authorization },
  });
  const calls: readonly [what: string, TestRequest, status: number, codes: readonly string[]][] = [
    ['no key', request, 401, ['missing-token']],
    ['no key and a broken body', { ...request, payload: '{' }, 401, ['missing-token']],
    ['an empty header', withHeader(''), 401, ['missing-token', 'malformed-token']],
    ['another scheme', withHeader('Basic YTpi'), 401, ['malformed-token']],
    ['two keys', withHeader(`Bearer ${good} ${good}`), 401, ['malformed-token']],
    ['half a key', withHeader(`Bearer ${good.slice(0, -3)}`), 401, rejected],
    ['a changed key', withHeader(`Bearer ${changed(good)}`), 401, rejected],
    ['an unknown key', withHeader('Bearer abcdefghijklmnop'), 401, rejected],
    ['a revoked key', withHeader(`Bearer ${revoked}`), 401, ['revoked-token']],
    ['another scope', withHeader(`Bearer ${other}`), 403, ['insufficient-scope']],
  ];
  const failures: string[] = [];
  for (const [what, call, status, codes] of calls) {
    const before = await api.stored();
    const answer = await send(api, call);
    const fault = accessFault(answer, status, codes, operation.scope);
    if (fault !== undefined) failures.push(`${what}: ${fault}`);
    if (!isDeepStrictEqual(await api.stored(), before)) failures.push(`${what}: it was written`);
  }
  return failures;
}

/** A store of keys may tell a key that was never one from one it does not know, or not. */
const rejected = ['unknown-token', 'malformed-token'];

function changed(token: string): string {
  return token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A');
}

function accessFault(
  answer: Answer,
  status: number,
  codes: readonly string[],
  scope: string,
): string | undefined {
  const problem = problemIn(answer);
  const challenge = String(answer.headers['www-authenticate'] ?? '');
  if (answer.status !== status || !codes.includes(problem?.code ?? '')) {
    return `answered ${answer.status} instead of ${status} ${codes}: ${answer.body}`;
  }
  if (!challenge.startsWith('Bearer ')) return 'no WWW-Authenticate';
  if (status === 403 && (problem?.scope !== scope || !challenge.includes(`scope="${scope}"`))) {
    return `the scope ${scope} is not named: ${answer.body}`;
  }
  return undefined;
}
