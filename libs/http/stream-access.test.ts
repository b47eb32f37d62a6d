import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Authentication,
  type EventStream,
  eventStream,
  limits,
  Problem,
  route,
} from './index.ts';
import { openSampleApi, type SampleApi } from './testing/sample-api.ts';

/** A clock that stands still; whoever sleeps on it wakes when it is moved far enough. */
class HandClock {
  time = 1_700_000_000_000;
  readonly #sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();

  now(): number {
    return this.time;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms <= 0 || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = { until: this.time + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', () => resolve());
    });
  }

  async move(ms: number): Promise<void> {
    this.time += ms;
    for (const sleeper of this.#sleepers) {
      if (sleeper.until > this.time) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  }

  sleepers(): number {
    return this.#sleepers.size;
  }
}

/** Keys by token, good until a time of the clock; `broken` throws for all. */
class TimedKeys {
  readonly #clock: HandClock;
  readonly keys = new Map<string, { until: number; revoked: boolean; scopes: string[] }>();
  broken = false;
  asked: string[] = [];

  constructor(clock: HandClock) {
    this.#clock = clock;
  }

  authenticate(token: string): Authentication {
    this.asked.push(token);
    if (this.broken) throw new Error('the log is gone');
    const key = this.keys.get(token);
    if (!key) return { kind: 'rejected', reason: 'unknown' };
    if (key.revoked) return { kind: 'rejected', reason: 'revoked' };
    if (this.#clock.now() >= key.until) return { kind: 'rejected', reason: 'expired' };
    return { kind: 'authenticated', keyId: token, name: token, scopes: key.scopes };
  }
}

describe('the key of an open event stream', () => {
  let clock: HandClock;
  let keys: TimedKeys;
  let api: SampleApi;
  let port: number;
  let opened: EventStream[];

  beforeEach(async () => {
    clock = new HandClock();
    keys = new TimedKeys(clock);
    opened = [];
    const answer = {
      method: 'GET' as const,
      summary: 'x',
      streams: true as const,
      handler: (_request: unknown, reply: Parameters<typeof eventStream>[0]) => {
        const stream = eventStream(reply);
        if (stream instanceof Problem) return stream;
        opened.push(stream);
        return reply;
      },
    };
    api = await openSampleApi({
      clock,
      authenticator: keys,
      routes: [
        route({ ...answer, url: '/v1/feed', scope: 'feed:read' }),
        route({ ...answer, url: '/v1/news', public: true }),
      ],
    });
    await api.server.listen({ host: '127.0.0.1', port: 0 });
    port = (api.server.server.address() as { readonly port: number }).port;
  });
  afterEach(() => api.close());

  async function watch(token: string, path = '/v1/feed') {
    const headers = { authorization: `Bearer ${token}` };
    const request = get({ port, host: '127.0.0.1', path, agent: false, headers });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    const end = once(response, 'end').then(() => text);
    return { stream: opened.at(-1)!, end, status: response.statusCode };
  }

  function issue(token: string, more: { readonly until?: number } = {}) {
    const key = { until: Number.POSITIVE_INFINITY, revoked: false, scopes: ['feed:read'], ...more };
    keys.keys.set(token, key);
    return key;
  }

  it('ends the stream with an event that says why, soon after it is revoked', async () => {
    const key = issue('mine');
    issue('other');
    const revoked = await watch('mine');
    const other = await watch('other');
    await clock.move(limits.streamKeyCheckMs);
    expect(revoked.stream.signal.aborted).toBe(false);
    key.revoked = true;
    await clock.move(limits.streamKeyCheckMs);
    expect(await revoked.stream.ended).toBe('refused');
    expect(await revoked.end).toBe(
      ':\n\nevent: problem\ndata: {"code":"revoked-token","detail":"This API key was revoked."}\n\n',
    );
    expect(other.stream.signal.aborted).toBe(false);
    expect(other.stream.send({ data: 'on' })).toBe('queued');
  });

  it('ends the stream when it expires', async () => {
    issue('mine', { until: clock.now() + 3 * limits.streamKeyCheckMs });
    const { stream, end } = await watch('mine');
    await clock.move(limits.streamKeyCheckMs);
    await clock.move(limits.streamKeyCheckMs);
    expect(stream.signal.aborted).toBe(false);
    await clock.move(limits.streamKeyCheckMs);
    expect(await end).toContain('"expired-token"');
  });

  it('ends the stream when it loses the scope', async () => {
    const key = issue('mine');
    const { end } = await watch('mine');
    key.scopes.length = 0;
    await clock.move(limits.streamKeyCheckMs);
    expect(await end).toContain('"insufficient-scope"');
  });

  it('ends the stream when nobody can tell any more whether it is good', async () => {
    issue('mine');
    const { end } = await watch('mine');
    keys.broken = true;
    await clock.move(limits.streamKeyCheckMs);
    expect(await end).toContain('"unavailable"');
  });

  it('is asked for once in a round, however many streams it has, and no more when they are gone', async () => {
    issue('mine');
    const streams = [await watch('mine'), await watch('mine'), await watch('mine')];
    keys.asked = [];
    await clock.move(limits.streamKeyCheckMs);
    expect(keys.asked).toEqual(['mine']);
    for (const { stream } of streams) stream.close();
    await clock.move(limits.streamKeyCheckMs);
    expect(clock.sleepers()).toBe(0);
    // A stream that opens later is watched again.
    const key = issue('mine');
    const { end } = await watch('mine');
    key.revoked = true;
    await clock.move(limits.streamKeyCheckMs);
    expect(await end).toContain('"revoked-token"');
  });

  it('does not matter to a public stream', async () => {
    const { stream } = await watch('nobody', '/v1/news');
    await clock.move(10 * limits.streamKeyCheckMs);
    expect(keys.asked).toEqual([]);
    expect(stream.signal.aborted).toBe(false);
  });

  it('is looked at no more once the server stops', async () => {
    issue('mine');
    const { stream } = await watch('mine');
    await vi.waitFor(() => expect(clock.sleepers()).toBe(1));
    await api.server.stop();
    expect(await stream.ended).toBe('stopping');
    keys.asked = [];
    await clock.move(limits.streamKeyCheckMs);
    expect(keys.asked).toEqual([]);
  });
});
