import { canonicalJson, newId } from '@annals/core';
import { fieldsProblem, Problem, problemBody } from '@annals/http';
import type { RequestIdentity } from '@annals/payments/idempotency';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isKept, paymentsErrors, problemOf } from './errors.ts';
import type { PaymentsApiMeans } from './means.ts';

/** What a request was answered with, before it is sent. */
export interface Answered {
  readonly status: number;
  readonly body: object;
}

export interface KeyedOperation {
  /** Whom the request is about (`buyer:…`): the stored answer is sealed with their key. */
  readonly subject: string;
  /** The answer holds nothing of that person: once they are erased it is sealed for the caller, and the request goes on. */
  readonly outlivesSubject?: boolean;
  /** Where the caller sent no Idempotency-Key. */
  readonly defaultKey?: string;
  /** What is wrong with the request itself, found before anything is stored. */
  readonly check?: () => Promise<Problem | undefined>;
  /** May be run again after a crash: what it stores follows from the identity. */
  readonly run: (identity: RequestIdentity) => Promise<Answered | Problem>;
}

type KeyedCall = Pick<FastifyRequest, 'method' | 'url' | 'body' | 'headers' | 'id' | 'caller'>;

const json = 'application/json; charset=utf-8';

/**
 * Carries out a request once for its Idempotency-Key, and sends the one answer: byte for byte the same each time the
 * key comes again, from whichever process. Without a key it is carried out as it comes.
 */
export async function keyed(
  { idempotency, clock }: PaymentsApiMeans,
  request: KeyedCall,
  reply: FastifyReply,
  { subject, outlivesSubject = false, defaultKey, check, run }: KeyedOperation,
): Promise<FastifyReply | Problem> {
  const key = (request.headers['idempotency-key'] as string | undefined) ?? defaultKey;
  if (key === undefined) {
    const problem = await check?.();
    if (problem) return problem;
    const ran = await run({ requestId: newId(), begunAt: clock.now() });
    return ran instanceof Problem ? ran : send(reply, ran.status, json, JSON.stringify(ran.body));
  }
  const caller = request.caller?.keyId ?? '';
  const content = canonicalJson([request.method, request.url.split('?')[0], request.body ?? null]);
  const keyedRequest = { caller, key, subject, outlivesSubject, content };
  const wrong = await check?.();
  if (wrong) {
    // It may be the repetition of a request that was right when it came first.
    const known = await idempotency.peek(keyedRequest);
    return known ? replay(reply, known) : wrong;
  }
  const once = await idempotency.once<Problem>(keyedRequest, async (identity) => {
    const ran = await run(identity);
    if (!(ran instanceof Problem)) {
      const answer = { status: ran.status, contentType: json, body: JSON.stringify(ran.body) };
      return { kind: 'answer', answer };
    }
    if (isKept(ran)) return { kind: 'answer', answer: problemBody(ran, request.id) };
    const effect = ran.status >= 500 ? 'unknown' : 'none';
    return { kind: 'not-kept', effect, value: ran };
  });
  switch (once.kind) {
    case 'answer':
      return once.replayed
        ? replay(reply, once.answer)
        : send(reply, once.answer.status, once.answer.contentType, once.answer.body);
    case 'not-kept':
      return once.value;
    case 'in-flight':
      return paymentsErrors.problem('request-in-flight', undefined, soon);
    case 'refused':
      return refusedKey(once);
    case 'unknown':
      return problemOf(once);
  }
}

const soon = { headers: { 'retry-after': '1' } } as const;

function refusedKey({ reason, detail }: { readonly reason: string; readonly detail: string }) {
  switch (reason) {
    case 'key-reused':
      return paymentsErrors.problem('idempotency-key-reused', { what: detail });
    case 'invalid-key':
      return fieldsProblem([{ in: 'headers', field: 'idempotency-key', message: detail }]);
    case 'overloaded':
    case 'unreachable':
      return problemOf({ kind: reason });
    default:
      return problemOf({ kind: 'refused', reason, detail });
  }
}

interface Kept {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

function replay(reply: FastifyReply, { status, contentType, body }: Kept): FastifyReply {
  return send(reply.header('idempotent-replayed', 'true'), status, contentType, body);
}

function send(reply: FastifyReply, status: number, type: string, body: string): FastifyReply {
  return reply.code(status).header('content-type', type).send(body);
}
