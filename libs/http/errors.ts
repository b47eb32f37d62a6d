import { defineErrors, type Problem } from './problem.ts';

/** The errors any route of any server may answer. `docs/errors.md` is made from this and the products' tables. */
export const httpErrors = defineErrors('http', {
  'malformed-json': {
    status: 400,
    title: 'The body is not JSON',
    detail: 'The body stops being JSON (RFC 8259) at line {line}, column {column}.',
    when: 'The body is no JSON text: cut off, NaN, single quotes, a trailing comma, not UTF-8.',
  },
  'invalid-input': {
    status: 400,
    title: 'The request has invalid fields',
    detail: '{what}',
    when: 'A field is missing, unknown, given twice, of another type, or out of its range. `errors` names each.',
  },
  'malformed-url': {
    status: 400,
    title: 'The path is not a URL path',
    detail: 'The path has a percent sign that is not followed by two hexadecimal digits of UTF-8.',
    when: 'The path cannot be decoded (RFC 3986 §2.1).',
  },
  'malformed-http': {
    status: 400,
    title: 'The request is not HTTP',
    detail: 'The request could not be read as HTTP/1.1, or its body is shorter than it says.',
    when: 'The bytes on the connection are no HTTP request; it is closed.',
  },
  'missing-token': {
    status: 401,
    title: 'A key is needed',
    detail: 'Send an API key: `Authorization: Bearer KEY`.',
    when: 'A route that needs a scope is called without an Authorization header.',
  },
  'malformed-token': {
    status: 401,
    title: 'The Authorization header is malformed',
    detail: 'The Authorization header must be `Bearer KEY` (RFC 6750 §2.1).',
    when: 'The scheme is not Bearer, or what follows is no key at all.',
  },
  'unknown-token': {
    status: 401,
    title: 'The key is not known',
    detail: 'No such API key was issued here.',
    when: 'The key has the right form, but was never issued.',
  },
  'revoked-token': {
    status: 401,
    title: 'The key was revoked',
    detail: 'This API key was revoked.',
    when: 'The key was issued here, and revoked since.',
  },
  'expired-token': {
    status: 401,
    title: 'The key has expired',
    detail: 'This API key has expired.',
    when: 'The key was issued here, with an end that has passed.',
  },
  'insufficient-scope': {
    status: 403,
    title: 'The key lacks a scope',
    detail: 'This needs a key with the scope {scope}.',
    when: "The key is good, but the route's scope is not among its scopes.",
  },
  'no-such-route': {
    status: 404,
    title: 'Nothing is served at this path',
    detail: 'No route has this path. The routes are at /docs.',
    when: 'The path belongs to no route.',
  },
  'no-such-problem': {
    status: 404,
    title: 'No problem has this code',
    detail: 'There is no problem with the code {code}.',
    when: 'GET /problems/{code} with a code that is in no table.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The path has no such method',
    detail: 'This path answers {allow}.',
    when: 'The path is known, the method is not among those the Allow header lists.',
  },
  'request-timeout': {
    status: 408,
    title: 'The request took too long to arrive',
    detail: 'The whole request has to arrive within {limit_ms} ms.',
    when: 'The client sent its headers or its body too slowly; the connection is closed.',
  },
  'body-too-large': {
    status: 413,
    title: 'The body is too large',
    detail: 'The body of this request may have {limit_bytes} bytes.',
    when: 'The body is over the limit of its route (`x-body-bytes-max` in the OpenAPI document).',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'The body is not of a type that is read here',
    detail: 'The body must be {types}, without a Content-Encoding.',
    when: 'A body comes with another Content-Type than its route takes (application/json in UTF-8, or that of a file), with none, or with a Content-Encoding.',
  },
  'rate-limited': {
    status: 429,
    title: 'Too many requests',
    detail: 'Too many requests: try again in {retry_after_seconds} s.',
    when: 'One key, or one address without a good key, sent more than its share. Retry-After says when to go on.',
  },
  'headers-too-large': {
    status: 431,
    title: 'The headers are too large',
    detail: 'The request line and the headers may have {limit_bytes} bytes together.',
    when: 'The request line and the headers are over the limit; the connection is closed.',
  },
  'internal-error': {
    status: 500,
    title: 'Something broke on our side',
    detail: 'The request {request_id} met an error; it is in the log under that id.',
    when: 'A bug, or broken I/O. What it was is only in the log.',
  },
  unavailable: {
    status: 503,
    title: 'Not available right now',
    detail: 'Not available right now: {reason}',
    when: 'Something the route needs is not there for a while. Retry-After says when to try again.',
  },
  'not-ready': {
    status: 503,
    title: 'The server is not ready',
    detail: 'Not ready: {failed}.',
    when: 'GET /readyz while a check fails or the server is stopping. `checks` has each one.',
  },
});

/** The problem of a temporary lack: 503 with Retry-After (RFC 9110 §10.2.3). `reason` is shown to the client. */
export function unavailable(reason: string, retryAfterSeconds: number) {
  return httpErrors.problem(
    'unavailable',
    { reason },
    { headers: { 'retry-after': String(Math.max(1, Math.ceil(retryAfterSeconds))) } },
  );
}

/** What every product that writes to a log and reads from read models may answer. */
export const logErrors = defineErrors('log', {
  'invalid-cursor': {
    status: 400,
    title: 'The cursor is not one of ours',
    detail: 'Refused: {what}.',
    when: 'A cursor that was made up, cut off, or belongs to another list.',
  },
  'invalid-position': {
    status: 400,
    title: 'The position is not one of ours',
    detail: 'Refused: {what}.',
    when: 'A min-position that no answer gave.',
  },
  'position-ahead': {
    status: 409,
    title: 'The position is ahead of the log',
    detail: 'Refused: {what}.',
    when: 'A min-position of another service, or of a write that was lost when the log was restored from a backup. Drop it, and look whether your latest writes are there.',
  },
  'not-there-yet': {
    status: 503,
    title: 'The read model has not reached the position',
    detail: 'The read model did not reach min-position in time.',
    when: 'A read with min-position, while the projection lags. Retry-After says when to try again.',
  },
  'read-model-lost': {
    status: 503,
    title: 'The read model is lost',
    detail: 'The read model is not there. Build it anew: {command}',
    when: 'The files of the read model are missing or were replaced. Writes go on.',
  },
  'log-overloaded': {
    status: 503,
    title: 'Too many writes are waiting',
    detail: 'Too many writes are waiting for the log: nothing was stored, send it again.',
    when: 'The queue in front of the log is full. Retry-After says when to try again.',
  },
  'log-unreachable': {
    status: 503,
    title: 'The log cannot be reached',
    detail: 'The server of the log takes no writes right now: nothing was stored, send it again.',
    when: 'What has the log (Kafka, say) is away, or does not answer in time. Reads go on. Retry-After says when to try again.',
  },
  'write-outcome-unknown': {
    status: 503,
    title: 'The write may or may not be stored',
    detail: 'The log did not answer in time: send the same request again, it counts once.',
    when: 'The connection to the log broke while it stored.',
  },
});

const soon = { headers: { 'retry-after': '1' } } as const;

/** The problem of a log or a read model that cannot do its work now. `command` brings a lost read model back. */
export function logProblem(
  { kind }: { readonly kind: 'late' | 'lost' | 'overloaded' | 'unreachable' | 'unknown' },
  command: string,
): Problem {
  switch (kind) {
    case 'late':
      return logErrors.problem('not-there-yet', undefined, soon);
    case 'lost':
      return logErrors.problem(
        'read-model-lost',
        { command },
        { headers: { 'retry-after': '5' }, members: { command } },
      );
    case 'overloaded':
      return logErrors.problem('log-overloaded', undefined, soon);
    case 'unreachable':
      return logErrors.problem('log-unreachable', undefined, { headers: { 'retry-after': '5' } });
    case 'unknown':
      return logErrors.problem('write-outcome-unknown', undefined, soon);
  }
}
