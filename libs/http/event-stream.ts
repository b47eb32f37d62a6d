import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { unavailable } from './errors.ts';
import { limits } from './limits.ts';
import type { HttpMetrics } from './metrics.ts';
import type { Problem } from './problem.ts';
import type { StreamAccess } from './stream-access.ts';

export interface StreamEvent {
  /** What the client sends back as Last-Event-ID. One line. */
  readonly id?: string;
  /** The event's type; one line. Default: `message`. */
  readonly event?: string;
  /** Text; line breaks are kept (as LF). */
  readonly data: string;
  /** How long a client waits before it connects again. */
  readonly retryMs?: number;
}

export interface EventStreamOptions {
  /** Default: `limits.streamHeartbeatMs`. */
  readonly heartbeatMs?: number;
  /** Bytes that may wait for a slow client. Default: `limits.streamBufferBytesMax`. */
  readonly bufferBytesMax?: number;
  /** Sent first: how long a client waits before it connects again. */
  readonly retryMs?: number;
}

/**
 * Why a stream ended: the client went, it was too slow, its key is good no more, the server stops, or
 * `close()` was called.
 */
export type StreamEnd = 'client' | 'slow' | 'refused' | 'stopping' | 'closed';

export interface EventStream {
  /** Queues one event. `ended` says that it was not, since the stream has ended (for a slow client: right now). */
  send(event: StreamEvent): 'queued' | 'ended';
  /** Ends the stream; the client connects again by itself, unless the page closed it. */
  close(): void;
  /** Aborted when the stream ends, its reason a `StreamEnd`: for whatever feeds it. */
  readonly signal: AbortSignal;
  /** Resolves when it has ended. */
  readonly ended: Promise<StreamEnd>;
}

/**
 * The text of one server-sent event (HTML Living Standard §9.2.6). Throws a TypeError for an id or a
 * type that does not fit on one line, and for an id with NUL, which clients ignore.
 */
export function formatEvent(event: StreamEvent): string {
  let text = '';
  if (event.retryMs !== undefined) text += `retry: ${Math.floor(event.retryMs)}\n`;
  if (event.event !== undefined) text += `event: ${oneLine('event', event.event)}\n`;
  if (event.id !== undefined) {
    if (event.id.includes('\0')) throw new TypeError('the id of a server-sent event has a NUL');
    text += `id: ${oneLine('id', event.id)}\n`;
  }
  for (const line of event.data.split(/\r\n|\r|\n/)) text += `data: ${line}\n`;
  return `${text}\n`;
}

function oneLine(field: string, text: string): string {
  if (/[\r\n]/.test(text)) throw new TypeError(`the ${field} of a server-sent event has two lines`);
  return text;
}

/** The Last-Event-ID a client resumes with, or undefined when there is none or it is no id of ours. */
export function lastEventId(request: Pick<FastifyRequest, 'headers'>): string | undefined {
  const id = request.headers['last-event-id'];
  return typeof id === 'string' && /^[\x20-\x7e]{1,256}$/.test(id) ? id : undefined;
}

/** All event streams of one server. */
export class EventStreams {
  readonly #metrics: HttpMetrics;
  readonly #headers: { readonly [name: string]: string };
  readonly #access: StreamAccess;
  readonly #open = new Set<OpenStream>();
  #stopping = false;

  constructor(
    metrics: HttpMetrics,
    headers: { readonly [name: string]: string },
    access: StreamAccess,
  ) {
    this.#metrics = metrics;
    this.#headers = headers;
    this.#access = access;
  }

  open(reply: FastifyReply, options: EventStreamOptions): EventStream | Problem {
    if (this.#stopping) return unavailable('the server is stopping', 1);
    if (this.#open.size >= limits.streamsMax) return unavailable('too many event streams', 10);
    reply.hijack();
    reply.raw.writeHead(200, {
      ...this.#headers,
      'x-request-id': reply.request.id,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Some proxies hold answers back until they are whole unless told not to.
      'x-accel-buffering': 'no',
    });
    const stream = new OpenStream(reply.raw, options, (end) => {
      this.#open.delete(stream);
      this.#metrics.streamsOpen.set(this.#open.size);
      if (end === 'slow') this.#metrics.streamsDropped.inc();
    });
    this.#open.add(stream);
    this.#metrics.streamsOpen.set(this.#open.size);
    const forget = this.#access.admit(reply.request, ({ code, message: detail }) => {
      stream.send({ event: 'problem', data: JSON.stringify({ code, detail }) });
      stream.end('refused');
    });
    stream.signal.addEventListener('abort', forget, { once: true });
    return stream;
  }

  /** Ends every stream and lets no new one open. */
  stop(): void {
    this.#stopping = true;
    this.#access.stop();
    for (const stream of [...this.#open]) stream.end('stopping');
  }
}

class OpenStream implements EventStream {
  readonly #raw: ServerResponse;
  readonly #bufferBytesMax: number;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #abort = new AbortController();
  readonly #resolved = Promise.withResolvers<StreamEnd>();
  readonly #settle: (end: StreamEnd) => void;
  #over = false;

  constructor(raw: ServerResponse, options: EventStreamOptions, settle: (end: StreamEnd) => void) {
    this.#raw = raw;
    this.#settle = settle;
    this.#bufferBytesMax = options.bufferBytesMax ?? limits.streamBufferBytesMax;
    raw.on('close', () => this.end('client'));
    // A broken connection is an end like any other; without a listener it would be an uncaught error.
    raw.on('error', () => this.end('client'));
    // The first bytes tell the client (and proxies) that the stream is open.
    raw.write(options.retryMs === undefined ? ':\n\n' : `retry: ${options.retryMs}\n\n`);
    const heartbeatMs = options.heartbeatMs ?? limits.streamHeartbeatMs;
    this.#heartbeat = setInterval(() => this.#write(':\n\n'), heartbeatMs);
    this.#heartbeat.unref();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get ended(): Promise<StreamEnd> {
    return this.#resolved.promise;
  }

  send(event: StreamEvent): 'queued' | 'ended' {
    return this.#write(formatEvent(event));
  }

  close(): void {
    this.end('closed');
  }

  end(end: StreamEnd): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#heartbeat);
    // A slow client would not read the end either.
    if (end === 'slow') this.#raw.destroy();
    else this.#raw.end();
    this.#settle(end);
    this.#resolved.resolve(end);
    this.#abort.abort(end);
  }

  #write(text: string): 'queued' | 'ended' {
    if (this.#over) return 'ended';
    this.#raw.write(text);
    // Checked after the write, so that one event larger than the buffer is dropped, too.
    if (this.#raw.writableLength > this.#bufferBytesMax) {
      this.end('slow');
      return 'ended';
    }
    return 'queued';
  }
}

/**
 * Answers a request with server-sent events (HTML Living Standard §9.2). The handler returns `reply`
 * when it got a stream, and the Problem (503) when it did not. What waits for a slow client is
 * bounded: with more than `bufferBytesMax` it is dropped and counted. Ends when the client goes, when
 * the server stops, and soon after the key it was opened with is revoked or expires: then the last event
 * is of type `problem`, its data `{"code":"revoked-token","detail":"…"}`.
 */
export function eventStream(
  reply: FastifyReply,
  options: EventStreamOptions = {},
): EventStream | Problem {
  return reply.server.eventStreams.open(reply, options);
}
