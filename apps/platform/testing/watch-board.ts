import { adminKey } from './open-platform.ts';
import { until } from './until.ts';

export interface SeenEvent {
  readonly event: string | undefined;
  readonly id: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of every shape.
  readonly data: any;
}

/** A client of server-sent events: keeps what it has seen. */
export async function watchBoard(url: string, headers: { readonly [name: string]: string } = {}) {
  const stop = new AbortController();
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${adminKey}`, ...headers },
    signal: stop.signal,
  });
  const seen: SeenEvent[] = [];
  let ended = false;
  const reading = read(response, seen)
    .catch(() => undefined)
    .finally(() => {
      ended = true;
    });
  return {
    status: response.status,
    contentType: response.headers.get('content-type'),
    seen,
    /** The first event that fits, also of those seen before. */
    event: (what: string, fits: (event: SeenEvent) => boolean) =>
      until(what, () => seen.find(fits)),
    hasEnded: () => ended,
    close: async () => {
      stop.abort();
      await reading;
    },
  };
}

async function read(response: Response, seen: SeenEvent[]): Promise<void> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map((line) => {
          const colon = line.indexOf(':');
          return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
        }),
      );
      const data = fields.get('data');
      if (data === undefined) continue;
      seen.push({ event: fields.get('event'), id: fields.get('id'), data: JSON.parse(data) });
    }
  }
}
