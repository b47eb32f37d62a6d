import { Counter } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import type { ReadinessCheck } from './index.ts';
import type { ServerOptions } from './server.ts';
import { openSampleApi, type SampleApi } from './testing/sample-api.ts';

let api: SampleApi | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

async function open(options: Partial<ServerOptions> = {}): Promise<SampleApi> {
  api = await openSampleApi(options);
  return api;
}

describe('/readyz', () => {
  it('lists what was checked', async () => {
    const { server } = await open({
      readiness: [{ name: 'log', check: () => ({ kind: 'ready' }) }],
    });
    const answer = await server.inject('/readyz');
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ status: 'ready', checks: [{ name: 'log', ready: true }] });
  });

  it('is 200 and says what is degraded: a server that serves in part is to be sent requests', async () => {
    const detail = 'lost: npx annals rebuild leaderboard';
    const { server } = await open({
      readiness: [
        { name: 'log', check: () => ({ kind: 'ready' }) },
        { name: 'board', check: () => ({ kind: 'degraded', detail }) },
      ],
    });
    const answer = await server.inject('/readyz');
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      status: 'degraded',
      checks: [
        { name: 'log', ready: true },
        { name: 'board', ready: true, degraded: true, detail },
      ],
    });
  });

  it('says 503 and which checks failed, and tells nothing of how they broke', async () => {
    const readiness: ReadinessCheck[] = [
      { name: 'log', check: () => ({ kind: 'ready' }) },
      {
        name: 'board',
        check: async () => ({ kind: 'not-ready', detail: 'lost: npx annals rebuild leaderboard' }),
      },
      {
        name: 'keys',
        check: () => {
          throw new Error('secret path');
        },
      },
      { name: 'slow', check: () => new Promise(() => undefined) },
    ];
    const { server } = await open({ readiness });
    const answer = await server.inject('/readyz');
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.json()).toMatchObject({
      code: 'not-ready',
      detail: 'Not ready: board, keys, slow.',
      checks: [
        { name: 'log', ready: true },
        { name: 'board', ready: false, detail: 'lost: npx annals rebuild leaderboard' },
        { name: 'keys', ready: false },
        { name: 'slow', ready: false, detail: 'no answer in 2000 ms' },
      ],
    });
    expect(answer.body).not.toContain('secret');
    expect((await server.inject('/healthz')).json()).toEqual({ status: 'alive' });
  });
});

describe('/metrics', () => {
  const metric = (text: string, start: string) =>
    text.split('\n').find((line) => line.startsWith(start));

  it('counts by route pattern, method and status, and has what the app registers', async () => {
    const { server } = await open({ processMetrics: true });
    const counter = new Counter({ name: 'app_things', help: 'x', registers: [server.registry] });
    counter.inc(7);
    await server.inject('/v1/scores/ann');
    await server.inject('/v1/scores/bob');
    await server.inject({ method: 'POST', url: '/v1/scores' });
    await server.inject('/nowhere/ann');
    const { body, headers } = await server.inject('/metrics');
    expect(headers['content-type']).toContain('text/plain; version=0.0.4');
    const count = 'http_request_duration_seconds_count';
    expect(
      metric(body, `${count}{method="GET",route="/v1/scores/:match_id",status="200"}`),
    ).toMatch(/ 2$/);
    expect(metric(body, `${count}{method="POST",route="/v1/scores",status="401"}`)).toMatch(/ 1$/);
    expect(metric(body, `${count}{method="other",route="unmatched",status="404"}`)).toMatch(/ 1$/);
    // The scrape itself is the one in flight.
    expect(metric(body, 'http_requests_in_flight')).toBe('http_requests_in_flight 1');
    expect(metric(body, 'app_things')).toBe('app_things 7');
    expect(metric(body, 'process_resident_memory_bytes')).toBeDefined();
    expect(body).not.toContain('ann');
  });

  it('are apart for two servers in one process', async () => {
    const one = await open();
    const two = await openSampleApi();
    await one.server.inject('/v1/scores/a');
    expect((await two.server.inject('/metrics')).body).not.toContain('/v1/scores/:match_id');
    await two.close();
  });
});

describe('operations', () => {
  const paths = ['/healthz', '/readyz', '/metrics'];
  const remoteAddress = '10.0.0.7';

  it('are for this machine, and for keys with the scope', async () => {
    const sample = await open();
    const token = sample.issueKey(['ops:read']);
    const other = sample.issueKey(['scores:write']);
    for (const url of paths) {
      const call = (headers: { readonly [name: string]: string }, from = remoteAddress) =>
        sample.server.inject({ url, headers, remoteAddress: from });
      expect((await call({}, '127.0.0.1')).statusCode).toBe(200);
      expect((await call({}, '::1')).statusCode).toBe(200);
      expect((await call({}, '::ffff:127.0.0.1')).statusCode).toBe(200);
      expect((await call({})).statusCode).toBe(401);
      expect((await call({ authorization: `Bearer ${token}` })).statusCode).toBe(200);
      expect((await call({ authorization: `Bearer ${other}` })).statusCode).toBe(403);
      // A proxy on this machine hands on the requests of others.
      expect((await call({ 'x-forwarded-for': '1.2.3.4' }, '127.0.0.1')).statusCode).toBe(401);
      expect((await call({ forwarded: 'for=1.2.3.4' }, '127.0.0.1')).statusCode).toBe(401);
    }
  });

  it('are for anyone when the app says so', async () => {
    const { server } = await open({ operations: 'anyone' });
    for (const url of paths) {
      expect((await server.inject({ url, remoteAddress })).statusCode).toBe(200);
    }
  });
});
