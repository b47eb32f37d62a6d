import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type EventStream,
  type EventStreamOptions,
  eventStream,
  formatEvent,
  lastEventId,
  Problem,
  route,
} from './index.ts';
import { openSampleApi, type SampleApi } from './testing/sample-api.ts';

describe('the text of an event (HTML §9.2)', () => {
  it('has one data line for each line, whichever way lines end', () => {
    expect(formatEvent({ data: 'a\nb\r\nc\rd' })).toBe('data: a\ndata: b\ndata: c\ndata: d\n\n');
    expect(formatEvent({ data: '' })).toBe('data: \n\n');
    expect(formatEvent({ id: '7', event: 'top', retryMs: 1_500, data: ' x' })).toBe(
      'retry: 1500\nevent: top\nid: 7\ndata:  x\n\n',
    );
  });

  it('cannot be broken out of', () => {
    expect(() => formatEvent({ id: 'a\nb', data: '' })).toThrow(TypeError);
    expect(() => formatEvent({ event: 'a\rdata: b', data: '' })).toThrow(TypeError);
    expect(() => formatEvent({ id: 'a\0', data: '' })).toThrow(TypeError);
  });
});

describe('Last-Event-ID', () => {
  it.each([
    ['0:0042', '0:0042'],
    ['', undefined],
    ['x'.repeat(257), undefined],
    ['a\u00e9', undefined],
    [undefined, undefined],
  ])('%j is read as %j', (given, id) => {
    expect(lastEventId({ headers: { 'last-event-id': given } })).toBe(id);
  });
});

describe('an event stream', () => {
  let api: SampleApi;
  let port: number;
  let opened: EventStream[];
  let options: EventStreamOptions;

  beforeEach(async () => {
    opened = [];
    options = {};
    const feed = route({
      method: 'GET',
      url: '/v1/feed',
      summary: 'x',
      public: true,
      streams: true,
      handler: (_request, reply) => {
        const stream = eventStream(reply, options);
        if (stream instanceof Problem) return stream;
        opened.push(stream);
        return reply;
      },
    });
    api = await openSampleApi({ routes: [feed] });
    await api.server.listen({ host: '127.0.0.1', port: 0 });
    port = (api.server.server.address() as { readonly port: number }).port;
  });
  afterEach(() => api.close());

  async function connectFeed() {
    const request = get({ port, host: '127.0.0.1', path: '/v1/feed', agent: false });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    response.on('error', () => undefined);
    const stream = opened.at(-1)!;
    return { request, response, stream, text: () => text };
  }

  const until = (check: () => void) => vi.waitFor(check, { timeout: 15_000, interval: 10 });

  const metric = async (name: string) => {
    const { body } = await api.server.inject('/metrics');
    return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(body)?.[1]);
  };

  it('comes with the headers of a stream, and events as they are sent', async () => {
    options = { retryMs: 2_000 };
    const { response, stream, text } = await connectFeed();
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    expect(response.headers['x-request-id']).toBeTruthy();
    expect(stream.send({ id: '1', data: 'one' })).toBe('queued');
    expect(stream.send({ id: '2', data: 'two' })).toBe('queued');
    await until(() =>
      expect(text()).toBe('retry: 2000\n\nid: 1\ndata: one\n\nid: 2\ndata: two\n\n'),
    );
    expect(await metric('http_event_streams_open')).toBe(1);
    stream.close();
    await once(response, 'end');
    expect(await stream.ended).toBe('closed');
    expect(stream.send({ data: 'late' })).toBe('ended');
    expect(await metric('http_event_streams_open')).toBe(0);
  });

  it('is kept open by comments', async () => {
    options = { heartbeatMs: 20 };
    const { text, request } = await connectFeed();
    await until(() => expect(text().match(/^:$/gm)?.length).toBeGreaterThan(3));
    request.destroy();
  });

  it('ends when its client goes, and tells what feeds it', async () => {
    const { request, stream } = await connectFeed();
    request.destroy();
    expect(await stream.ended).toBe('client');
    expect(stream.signal.aborted).toBe(true);
    expect(stream.signal.reason).toBe('client');
    await until(async () => expect(await metric('http_requests_in_flight')).toBe(1));
  });

  it('drops a client that does not read, with bounded memory, and counts it', async () => {
    options = { bufferBytesMax: 100_000 };
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.pause();
    socket.write('GET /v1/feed HTTP/1.1\r\nhost: x\r\n\r\n');
    await until(() => expect(opened).toHaveLength(1));
    const [stream] = opened;
    const data = 'x'.repeat(10_000);
    let sent = 0;
    // The kernel's buffers take some megabytes first; they are not this process's memory.
    while (stream!.send({ data }) === 'queued' && sent < 10_000) {
      sent += 1;
      await new Promise(setImmediate);
    }
    expect(sent).toBeLessThan(10_000);
    expect(await stream!.ended).toBe('slow');
    expect(await metric('http_event_streams_dropped_total')).toBe(1);
    expect(await metric('http_event_streams_open')).toBe(0);
    socket.destroy();
  });

  it('drops a client for one event that is larger than its buffer', async () => {
    options = { bufferBytesMax: 1_000 };
    const { stream, response } = await connectFeed();
    response.pause();
    expect(stream.send({ data: 'x'.repeat(20_000_000) })).toBe('ended');
    expect(await stream.ended).toBe('slow');
  });

  it('ends when the server stops, and no new one opens', async () => {
    const { response, stream } = await connectFeed();
    const stopped = api.server.stop();
    await once(response, 'end');
    expect(await stream.ended).toBe('stopping');
    await stopped;
  });

  it('is no duration, but its refusal is', async () => {
    const { request } = await connectFeed();
    request.destroy();
    await until(async () => expect(await metric('http_event_streams_open')).toBe(0));
    await api.server.inject('/v1/feed?no=1');
    const { body } = await api.server.inject('/metrics');
    const series = 'http_request_duration_seconds_count{method="GET",route="/v1/feed"';
    expect(body).not.toContain(`${series},status="200"`);
    expect(body).toContain(`${series},status="400"} 1`);
  });
});
