import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { holdsPan } from '../pan.ts';
import { type AllowedUrls, isPublicAddress, webhookUrlProblem } from './addresses.ts';
import { webhookLimits as limits } from './limits.ts';

export interface WebhookRequest {
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
  readonly signal: AbortSignal;
}

export type WebhookResponse =
  | { readonly kind: 'answered'; readonly status: number; readonly excerpt: string }
  | { readonly kind: 'no-answer'; readonly reason: string };

/** One attempt to tell an endpoint something. Never throws: what went wrong is a value. */
export type WebhookPost = (request: WebhookRequest) => Promise<WebhookResponse>;

class PrivateAddressError extends Error {
  readonly code = 'private-address';
  constructor(host: string) {
    super(`${host} is not on the public internet`);
    this.name = 'PrivateAddressError';
  }
}

/** Asks a name server for all addresses of a name. */
export type LookUpAddresses = (
  host: string,
  options: LookupOptions & { readonly all: true },
  callback: (error: Error | null, addresses: LookupAddress[]) => void,
) => void;

/** Looks a name up and connects to what it checked, so that a second answer of the name server changes nothing. */
function publicLookup(lookUp: LookUpAddresses): LookupFunction {
  return (host, options, callback) => {
    lookUp(host, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error || !first) return callback(error ?? new Error(`${host} has no address`), '');
      if (!addresses.every(({ address }) => isPublicAddress(address))) {
        return callback(new PrivateAddressError(host), '');
      }
      if (options.all) return callback(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
}

export interface PostOptions {
  readonly attemptMsMax?: number;
  /** The system's unless told. */
  readonly lookUp?: LookUpAddresses;
}

/** Posts by HTTP or HTTPS: one connection, a time for all of it, no redirects, and a bound on what is read back. */
export function httpPost(
  allowed: AllowedUrls,
  { attemptMsMax = limits.attemptMsMax, lookUp = systemLookup }: PostOptions = {},
): WebhookPost {
  const lookup = allowed.allowPrivate ? {} : { lookup: publicLookup(lookUp) };
  return async ({ url, headers, body, signal }) => {
    // What was allowed when the endpoint was made may not be any more.
    const problem = webhookUrlProblem(url, allowed);
    if (problem !== undefined) return { kind: 'no-answer', reason: `the URL ${problem}` };
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const timeout = AbortSignal.timeout(attemptMsMax);
    return new Promise((resolve) => {
      const failed = (error: Error & { readonly code?: string }) => {
        const reason = timeout.aborted ? `no answer within ${attemptMsMax} ms` : error.message;
        resolve({ kind: 'no-answer', reason: reason.slice(0, limits.excerptCharsMax) });
      };
      const request = send(
        url,
        {
          method: 'POST',
          headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
          signal: AbortSignal.any([signal, timeout]),
          agent: false,
          ...lookup,
        },
        (response) => {
          readBounded(response).then((excerpt) => {
            resolve({ kind: 'answered', status: response.statusCode ?? 0, excerpt });
          }, failed);
        },
      );
      request.on('error', failed);
      request.end(body);
    });
  };
}

/** The beginning of the answer; what follows is not read. Of a text that looks like a card number nothing is kept. */
async function readBounded(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= limits.responseBytesMax) break;
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (holdsPan(text)) return '';
  return text
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, limits.excerptCharsMax)
    .toWellFormed();
}
