import { timingSafeEqual } from 'node:crypto';
import { canonicalJson, type JsonValue, sha256 } from '@annals/core';
import { type Matched, matchRoute } from './api.ts';
import {
  Books,
  type BooksMeans,
  defaultFees,
  defaultPace,
  endpointsMax,
  type Fees,
  type Pace,
} from './books.ts';
import { type Delivery, deliveryOf } from './delivery.ts';
import { makeEndpoint } from './events.ts';
import { expand } from './expand.ts';
import { Faults } from './faults.ts';
import { jobSchema } from './job.ts';
import { runJob } from './jobs.ts';
import { boundaryOf, parseMultipart } from './multipart.ts';
import { checkParameters, parameterLimits, parseForm } from './parameters.ts';
import { failure, invalid, type Reply, refusal } from './reply.ts';
import { reportLines, runOfFile } from './reports.ts';
import type { Storage } from './storage.ts';

export interface ApiRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** After the question mark. */
  readonly query: string;
  /** A form with files has a character for each byte. */
  readonly body: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Whole, or piece by piece. */
  readonly body: string | Iterable<string>;
}

/** What strikes one request. */
export interface Strikes {
  readonly delayBeforeMs: number;
  readonly delayAfterMs: number;
  readonly cut: 'before' | 'after' | undefined;
  readonly error: 'before' | 'after' | undefined;
  readonly gatewayError: 'before' | 'after' | undefined;
  /** Nothing is done, and a 400 says so. */
  readonly refuse: boolean;
  readonly outcomes: readonly ('dispute_later' | 'fail_after_paid')[];
}

/** A request that was let in: to be executed once, and ended in any case. */
export interface Call {
  readonly request: ApiRequest;
  readonly requestId: string;
  readonly matched: Matched;
  readonly given: Record<string, unknown>;
  readonly key: string | undefined;
  readonly fingerprint: string;
  readonly strikes: Strikes;
}

export type Begun =
  | { readonly kind: 'answered'; readonly answer: ApiAnswer }
  | { readonly kind: 'call'; readonly call: Call };

export interface SandboxOptions {
  readonly storage: Storage;
  readonly now: () => number;
  readonly random: () => number;
  /** The secret key that requests have to carry. */
  readonly key: string;
  readonly publicUrl: () => string;
  readonly pace?: Partial<Pace>;
  readonly fees?: Fees;
}

export const sandboxLimits = {
  /** Jobs in one transaction. */
  jobsMax: 100,
  keyCharsMax: 255,
} as const;

const apiVersion = '2026-10-28.endive';

/**
 * A payment provider as a state machine: requests and due jobs come in, answers and webhooks to send come out. It
 * knows no network and no clock; what it has answered is on disk. One transaction for each request and job.
 */
export class Sandbox {
  readonly faults: Faults;
  readonly #means: BooksMeans;
  readonly #key: string;
  readonly #inFlight = new Set<string>();
  /** Deliveries that arrived, to be written down with the next jobs; lost by a kill, and then made again. */
  readonly #arrived = new Set<number>();

  constructor(options: SandboxOptions) {
    const { storage, now, random, key, publicUrl, fees = defaultFees } = options;
    this.faults = new Faults(storage, random);
    this.#key = key;
    const pace = { ...defaultPace, ...options.pace };
    this.#means = {
      ...{ storage, now, random, pace, fees, publicUrl, apiVersion },
      faults: this.faults,
    };
  }

  get storage(): Storage {
    return this.#means.storage;
  }

  now(): number {
    return this.#means.now();
  }

  random(): number {
    return this.#means.random();
  }

  /** Work of the sandbox's own pages and operators, in one transaction. */
  transact<T>(work: (books: Books) => T): T {
    return this.storage.transaction(() => work(new Books(this.#means)));
  }

  /** The endpoint that the configuration names: made, or changed in place, so that what is under way to it arrives. */
  useEndpoint(url: string, secret: string): void {
    this.transact((books) => {
      const endpoints = this.storage.page('webhook_endpoint', { limit: endpointsMax });
      const known = endpoints.find(({ metadata }) => metadata.configured === 'true');
      const metadata = { configured: 'true' };
      if (known) this.storage.update('webhook_endpoint', { ...known, url, secret });
      else makeEndpoint(books, { url, enabled_events: ['*'], metadata }, secret);
    });
  }

  /** Whether a request carries the secret key, as a bearer's or a user's name. */
  knows(authorization: string | undefined): boolean {
    const [scheme, value = ''] = (authorization ?? '').split(' ');
    const key = scheme === 'Basic' ? Buffer.from(value, 'base64').toString().split(':')[0] : value;
    return timingSafeEqual(Buffer.from(sha256(key ?? '')), Buffer.from(sha256(this.#key)));
  }

  /** Looks at a request: what is refused or known is answered at once. */
  begin(request: ApiRequest): Begun {
    const requestId = new Books(this.#means).newId('req_');
    const answered = (reply: Reply): Begun => ({
      kind: 'answered',
      answer: written(reply, requestId),
    });
    if (!this.knows(request.headers.authorization)) return answered(unauthorized);
    const matched = matchRoute(request.method, request.path);
    if (!matched) return this.#otherwise(request, requestId) ?? answered(unknownRoute(request));
    if (request.body.length > bodyMaxOf(request.headers)) return answered(tooLarge);
    const form = formOf(request);
    if (form.kind === 'refused') return answered(form.reply);
    const given = form.value;
    const key = request.method === 'POST' ? request.headers['idempotency-key'] : undefined;
    if (key !== undefined && key.length > sandboxLimits.keyCharsMax) return answered(longKey);
    const fingerprint = fingerprintOf(request, given);
    const known = key === undefined ? undefined : this.#recall(key, fingerprint, requestId);
    if (known) return { kind: 'answered', answer: known };
    if (key !== undefined) this.#inFlight.add(key);
    const strikes = this.#strikes(matched.route.operation);
    return {
      kind: 'call',
      call: { request, requestId, matched, given, key, fingerprint, strikes },
    };
  }

  /** Does what a call asks for, durably; all of it, or nothing when it throws. */
  execute(call: Call): ApiAnswer {
    const { matched, requestId, key, fingerprint, strikes } = call;
    const idempotencyKey = key ?? null;
    return this.storage.transaction(() => {
      const books = new Books(this.#means, { id: requestId, idempotencyKey });
      const reply = strikes.error === 'before' ? brokenReply : this.#handle(books, call);
      if (reply.status < 400) this.#outcomes(books, reply.body, strikes);
      const said = strikes.error === 'after' ? brokenReply : reply;
      const answer = written(said, requestId);
      if (key !== undefined && said.kept) {
        const { status, body } = answer;
        const kept = { fingerprint, status, body: body as string, requestId };
        books.storage.forgetAnswers(books.nowMs - books.pace.keyLifeMs);
        books.storage.keepAnswer(key, kept, books.nowMs);
      }
      const headers = key === undefined ? {} : { 'idempotency-key': key };
      const retry = matched.route.method === 'POST' && said.status >= 500;
      const advice: Record<string, string> = retry ? { 'stripe-should-retry': 'false' } : {};
      return { ...answer, headers: { ...answer.headers, ...headers, ...advice } };
    });
  }

  /** In any case after `begin` gave a call, however it went. */
  end({ key }: Call): void {
    if (key !== undefined) this.#inFlight.delete(key);
  }

  nextDueAt(): number | undefined {
    return this.storage.nextDueAt();
  }

  /** Does what is due, and says which webhooks to send now. One that is not told of as arrived comes again. */
  work(): readonly Delivery[] {
    const deliveries: Delivery[] = [];
    this.transact((books) => {
      for (const seq of this.#arrived) this.storage.removeJob(seq);
      this.#arrived.clear();
      for (const { seq, data } of this.storage.dueJobs(books.nowMs, sandboxLimits.jobsMax)) {
        const job = jobSchema.parse(JSON.parse(data));
        if (job.do === 'deliver') {
          const delivery = deliveryOf(books, seq, job);
          if (delivery) deliveries.push(delivery);
        } else {
          this.storage.removeJob(seq);
          runJob(books, job);
        }
      }
    });
    return deliveries;
  }

  /** The receiver has answered with success. */
  arrived({ job }: Delivery): void {
    this.#arrived.add(job);
  }

  #strikes(operation: string): Strikes {
    const struck =
      this.faults.list().length === 0
        ? []
        : this.storage.transaction(() => this.faults.ofRequest(operation));
    const delay = (when: 'before' | 'after') =>
      struck
        .filter((fault) => fault.do === 'delay' && fault.when === when)
        .reduce((sum, fault) => sum + fault.ms, 0);
    const when = (what: string) => struck.find((fault) => fault.do === what)?.when;
    return {
      delayBeforeMs: delay('before'),
      delayAfterMs: delay('after'),
      cut: when('cut'),
      error: when('error'),
      gatewayError: when('gateway_error'),
      refuse: struck.some((fault) => fault.do === 'refuse'),
      outcomes: struck.flatMap((fault) =>
        fault.do === 'dispute_later' || fault.do === 'fail_after_paid' ? [fault.do] : [],
      ),
    };
  }

  #handle(books: Books, { matched, given, strikes }: Call): Reply {
    const { route, id } = matched;
    if (strikes.refuse) return refusal('This request is refused, as a fault was asked for.');
    const checked = checkParameters(route.parameters, given);
    if (checked.kind === 'refused') return checked.reply;
    const reply = route.handle(books, checked.value as never, id);
    const { expand: paths = [] } = checked.value as { readonly expand?: readonly string[] };
    return reply.status < 400 ? { ...reply, body: expand(books, reply.body, paths) } : reply;
  }

  /** What was asked to happen to the money later. */
  #outcomes(books: Books, body: object, { outcomes }: Strikes): void {
    const { id, object, latest_charge: charge } = body as Record<string, unknown>;
    const chargeId = typeof charge === 'string' ? charge : (charge as { id?: string } | null)?.id;
    if (outcomes.includes('dispute_later') && chargeId) {
      const job = { do: 'dispute', charge: chargeId, reason: 'fraudulent' } as const;
      books.job(books.pace.disputeMs, job);
    }
    if (outcomes.includes('fail_after_paid') && object === 'payout') {
      const { payoutInTransitMs, payoutPaidMs, payoutFailsMs } = books.pace;
      const job = { do: 'fail_payout', id: String(id), code: 'could_not_process' } as const;
      books.job(payoutInTransitMs + payoutPaidMs + payoutFailsMs, job);
    }
  }

  /** What the key's first request was answered, or why this one is not let in. */
  #recall(key: string, fingerprint: string, requestId: string): ApiAnswer | undefined {
    if (this.#inFlight.has(key)) return written(keyInUse, requestId);
    const pruned = this.now() - this.#means.pace.keyLifeMs;
    const kept = this.storage.keptAnswer(key, pruned);
    if (!kept) return undefined;
    if (kept.fingerprint !== fingerprint) return written(keyReused(key), requestId);
    const { status, body } = kept;
    const headers = {
      ...headersOf(requestId),
      'idempotency-key': key,
      'idempotent-replayed': 'true',
      'original-request': kept.requestId,
    };
    return { status, headers, body };
  }

  /** What is no JSON: the content of a report's file. */
  #otherwise({ method, path }: ApiRequest, requestId: string): Begun | undefined {
    const file = /^\/v1\/files\/([^/]{1,255})\/contents$/.exec(path)?.[1];
    const run = method === 'GET' && file ? runOfFile(this.storage, file) : undefined;
    if (!run) return undefined;
    const body = reportLines(this.storage, run.parameters);
    const headers = { ...headersOf(requestId), 'content-type': 'text/csv; charset=utf-8' };
    return { kind: 'answered', answer: { status: 200, headers, body } };
  }
}

/** How large a body may be: files are larger than forms. */
export function bodyMaxOf(headers: ApiRequest['headers']): number {
  const { bodyBytesMax, fileBodyBytesMax } = parameterLimits;
  return boundaryOf(headers['content-type']) === undefined ? bodyBytesMax : fileBodyBytesMax;
}

/** The text that the bytes of a body are: byte by byte where there are files in it. */
export function bodyText(bytes: Buffer, headers: ApiRequest['headers']): string {
  return bytes.toString(boundaryOf(headers['content-type']) === undefined ? 'utf8' : 'latin1');
}

function formOf({ method, body, query, headers }: ApiRequest) {
  if (method !== 'POST') return parseForm(query);
  const boundary = boundaryOf(headers['content-type']);
  if (boundary === undefined) return parseForm(body);
  const value = parseMultipart(body, boundary);
  if (value) return { kind: 'parsed', value } as const;
  return { kind: 'refused', reply: invalid('Invalid request: it is no form.') } as const;
}

function written({ status, body }: Reply, requestId: string): ApiAnswer {
  return { status, headers: headersOf(requestId), body: JSON.stringify(body) };
}

function headersOf(requestId: string): Readonly<Record<string, string>> {
  return {
    'content-type': 'application/json',
    'request-id': requestId,
    'stripe-version': apiVersion,
  };
}

function fingerprintOf({ method, path }: ApiRequest, given: object): string {
  return sha256(canonicalJson([method, path, given as JsonValue]));
}

const brokenReply = failure(500, {
  type: 'api_error',
  message: 'Sorry! There was a problem while talking to our servers.',
});

const unauthorized = failure(401, {
  type: 'invalid_request_error',
  message: 'Invalid API Key provided.',
});

const keyInUse = failure(409, {
  type: 'idempotency_error',
  code: 'idempotency_key_in_use',
  message: 'There is currently another in-progress request using this idempotency key.',
});

const tooLarge = failure(413, {
  type: 'invalid_request_error',
  message: 'The request is too large.',
});

const longKey = invalid(`An idempotency key has at most ${sandboxLimits.keyCharsMax} characters.`);

function keyReused(key: string): Reply {
  const message =
    'Keys for idempotent requests can only be used with the same parameters they were first used ' +
    `with. Try using a key other than '${key}' if you meant to execute a different request.`;
  return failure(400, { type: 'idempotency_error', message });
}

function unknownRoute({ method, path }: ApiRequest): Reply {
  const message = `Unrecognized request URL (${method}: ${path}).`;
  return failure(404, { type: 'invalid_request_error', message });
}
