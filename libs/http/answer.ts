import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import { httpErrors } from './errors.ts';
import { fileMediaTypes, limits } from './limits.ts';
import { Problem, problemJson } from './problem.ts';

const problemType = 'application/problem+json; charset=utf-8';

/** On an answer: the code of the problem it is. */
export const problemCode = Symbol('problem code');

/** Sends a problem. Also where no gate has stamped the headers: for URLs that could not be routed. */
export function sendProblem(
  reply: FastifyReply,
  problem: Problem,
  headers: { readonly [name: string]: string },
): void {
  if (!reply.hasHeader('x-request-id')) {
    reply.headers(headers).header('x-request-id', reply.request.id);
  }
  Object.assign(reply.raw, { [problemCode]: problem.code });
  reply
    .code(problem.status)
    .headers(problem.headers)
    .header('content-type', problemType)
    .send(problemJson(problem, reply.request.id));
}

/** A problem as it is sent, for whoever keeps answers to send them again. */
export function problemBody(problem: Problem, requestId: string) {
  const body = problemJson(problem, requestId);
  return { status: problem.status, contentType: problemType, body };
}

/**
 * The problem behind an error: itself, what fastify meant by its code, or what `translate` makes of
 * it. Undefined for a bug or broken I/O, whose message is nobody else's business.
 */
export function problemOf(
  error: unknown,
  { bodyBytesMax, takesFile }: { readonly bodyBytesMax: number; readonly takesFile: boolean },
  translate: (error: unknown) => Problem | undefined,
): Problem | undefined {
  if (error instanceof Problem) return error;
  switch ((error as { readonly code?: unknown } | undefined)?.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return unsupportedMediaType(takesFile);
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return httpErrors.problem('body-too-large', { limit_bytes: bodyBytesMax });
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'ECONNRESET':
      return httpErrors.problem('malformed-http');
    case 'FST_ERR_BAD_URL':
      return httpErrors.problem('malformed-url');
    default:
      return translate(error);
  }
}

/** What Node reports of a connection that brought no whole request. */
interface ClientError {
  readonly code?: string;
}

/** Answers bytes that are no request, on the bare socket: there is no request to answer. */
export function refuseConnection(error: ClientError, socket: Socket, requestId: string): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = connectionProblem(error);
  const body = problemJson(problem, requestId);
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n` +
      `content-type: ${problemType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `x-request-id: ${requestId}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function connectionProblem(error: ClientError): Problem {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return httpErrors.problem('headers-too-large', { limit_bytes: limits.headerBytesMax });
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return httpErrors.problem('request-timeout', { limit_ms: limits.requestMsMax });
    default:
      return httpErrors.problem('malformed-http');
  }
}

/** What the route would have taken. */
export function unsupportedMediaType(takesFile: boolean): Problem {
  const types = takesFile ? fileMediaTypes.join(', ') : 'application/json in UTF-8';
  return httpErrors.problem('unsupported-media-type', { types });
}
