import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** A request as the server saw it. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  /** The body as JSON; undefined when there was none. */
  readonly body: unknown;
}

export interface Told {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A server that answers as the test says, until the test is over; what it was asked is kept in order. */
export async function answeringServer(
  answer: (seen: Seen, index: number) => Told | Promise<Told>,
): Promise<{ readonly url: string; readonly seen: readonly Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const sent = await text(request);
    const one = {
      method: request.method ?? '',
      url: request.url ?? '',
      authorization: request.headers.authorization,
      body: sent ? JSON.parse(sent) : undefined,
    };
    const index = seen.push(one) - 1;
    const { status, body, headers } = await answer(one, index);
    response.writeHead(status, headers);
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

/** A problem as the API answers it. */
export function problem(status: number, code: string, detail = code): Told {
  return { status, body: { code, detail }, headers: { 'retry-after': '0' } };
}
