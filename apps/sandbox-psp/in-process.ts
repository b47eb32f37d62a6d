import { type ApiAnswer, bodyText, type Sandbox } from './core/sandbox.ts';
import { exchange } from './exchange.ts';

/** The sandbox behind a function like `fetch`: the official client talks to it without a socket. */
export function sandboxFetch(
  sandbox: Sandbox,
  sleep: (ms: number) => Promise<void>,
): typeof globalThis.fetch {
  return async (input, init) => {
    const url = new URL(String(input instanceof Request ? input.url : input));
    const headers = Object.fromEntries(new Headers(init?.headers));
    const request = {
      method: init?.method ?? 'GET',
      path: url.pathname,
      query: url.search.slice(1),
      body: textOf(init?.body, headers),
      headers,
    };
    const exchanged = await exchange(sandbox, request, sleep);
    if (exchanged.kind === 'answer') return responseOf(exchanged.answer);
    throw Object.assign(new TypeError('fetch failed'), { code: 'ECONNRESET' });
  };
}

/** Forms are text, and forms with files are bytes. */
function textOf(body: unknown, headers: Readonly<Record<string, string>>): string {
  if (body instanceof Uint8Array) return bodyText(Buffer.from(body), headers);
  return typeof body === 'string' ? body : '';
}

function responseOf({ status, headers, body }: ApiAnswer): Response {
  const content = typeof body === 'string' ? body : ReadableStream.from(bytesOf(body));
  return new Response(content, { status, headers });
}

function* bytesOf(pieces: Iterable<string>): Generator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece);
}
