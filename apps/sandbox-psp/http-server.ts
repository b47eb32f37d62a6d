import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import type { Clock } from '@annals/core';
import { z } from 'zod';
import {
  type ApiAnswer,
  type ApiRequest,
  bodyMaxOf,
  bodyText,
  type Sandbox,
} from './core/sandbox.ts';
import { type Exchanged, exchange } from './exchange.ts';
import { json, parsedJson } from './pages/site.ts';

export interface ShellOptions {
  readonly sandbox: Sandbox;
  readonly clock: Clock;
  /** Lets the sandbox's time pass at once, with all that falls due in it. */
  readonly forward: (ms: number) => Promise<void>;
  /** After each request that may have made something due. */
  readonly onChange: () => void;
  readonly onTrouble: (error: unknown) => void;
}

/** The thin shell: bytes in, bytes out. Cutting a connection is its part, too. */
export function sandboxServer(options: ShellOptions): Server {
  const server = createServer((request, response) => {
    serve(options, request, response).catch((error: unknown) => {
      options.onTrouble(error);
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'application/json' });
      response.end(
        '{"error":{"type":"api_error","message":"The sandbox has a fault of its own."}}',
      );
    });
  });
  server.keepAliveTimeout = 30_000;
  return server;
}

async function serve(
  options: ShellOptions,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [name, String(value ?? '')]),
  );
  const body = await bodyOf(incoming, headers);
  if (body === undefined) {
    response.writeHead(413, { connection: 'close' }).end();
    return;
  }
  const [path = '/', query = ''] = (incoming.url ?? '/').split(/\?(.*)/s);
  const request: ApiRequest = { method: incoming.method ?? 'GET', path, query, body, headers };
  const { clock, sandbox, onChange } = options;
  const exchanged =
    (await forwarded(options, request)) ??
    (await exchange(sandbox, request, (ms) => clock.sleep(ms)));
  if (request.method !== 'GET') onChange();
  if (exchanged.kind === 'cut') incoming.socket.destroy();
  else send(response, exchanged.answer);
}

const forwarding = z.strictObject({
  ms: z
    .int()
    .min(0)
    .max(400 * 24 * 3_600_000),
});

/** `POST /sandbox/time`: an operator's request of its own, because it takes as long as its webhooks do. */
async function forwarded(
  { sandbox, forward }: ShellOptions,
  { method, path, headers, body }: ApiRequest,
): Promise<Exchanged | undefined> {
  if (method !== 'POST' || path !== '/sandbox/time' || !sandbox.knows(headers.authorization)) {
    return undefined;
  }
  const given = forwarding.safeParse(parsedJson(body));
  if (given.success) await forward(given.data.ms);
  const answer = given.success ? { now: sandbox.now() } : { error: 'ms: 0 to 400 days' };
  return { kind: 'answer', answer: json(given.success ? 200 : 400, answer) };
}

function send(response: ServerResponse, { status, headers, body }: ApiAnswer): void {
  if (typeof body === 'string') {
    const length = { 'content-length': Buffer.byteLength(body) };
    response.writeHead(status, { ...headers, ...length }).end(body);
    return;
  }
  response.writeHead(status, headers);
  // A reader that goes away ends the file; there is nobody left to tell.
  pipeline(Readable.from(body), response, () => undefined);
}

/** The whole body as text; undefined when it is too large. */
async function bodyOf(
  incoming: IncomingMessage,
  headers: ApiRequest['headers'],
): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    bytes += (chunk as Buffer).byteLength;
    if (bytes > bodyMaxOf(headers)) return undefined;
    chunks.push(chunk as Buffer);
  }
  return bodyText(Buffer.concat(chunks), headers);
}
