import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createServer, identifier, route, unavailable } from './index.ts';
import { limits } from './limits.ts';
import type { ServerOptions } from './server.ts';
import { openSampleApi, type SampleApi, sampleErrors } from './testing/sample-api.ts';

let api: SampleApi | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

async function open(options: Partial<ServerOptions> = {}): Promise<SampleApi> {
  api = await openSampleApi(options);
  return api;
}

const failing = (error: unknown) =>
  route({
    method: 'GET',
    url: '/v1/failing',
    summary: 'x',
    public: true,
    handler: () => {
      throw error;
    },
  });

/** Sends bytes on a bare connection; resolves with all that comes back until it is closed. */
async function rawExchange(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined);
  socket.write(bytes);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

async function listen({ server }: SampleApi): Promise<number> {
  await server.listen({ host: '127.0.0.1', port: 0 });
  return (server.server.address() as { readonly port: number }).port;
}

describe('errors', () => {
  it('of a handler are a 500 with the request id, and tell nothing else', async () => {
    const lines: string[] = [];
    const error = new Error('password is hunter2', { cause: new SyntaxError('near "hunter2"') });
    const { server } = await open({
      routes: [failing(error)],
      log: { stream: { write: (line) => lines.push(line) } },
    });
    const answer = await server.inject({ url: '/v1/failing', headers: { 'x-request-id': 'r-1' } });
    expect(answer.statusCode).toBe(500);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.json()).toMatchObject({ code: 'internal-error', request_id: 'r-1' });
    expect(answer.body).not.toContain('hunter2');
    const logged = lines.map((line) => JSON.parse(line)).find((line) => line.err);
    expect(logged).toMatchObject({ request_id: 'r-1', err: { message: 'password is hunter2' } });
    // The message of a SyntaxError quotes data; only its place is logged.
    expect(logged.err.cause).toMatchObject({ type: 'SyntaxError' });
    expect(logged.err.cause.message).toBeUndefined();
  });

  it('that are not even errors are a 500, too', async () => {
    const { server } = await open({ routes: [failing('text'), { ...failing(null), url: '/b' }] });
    expect((await server.inject('/v1/failing')).statusCode).toBe(500);
    expect((await server.inject('/b')).json()).toMatchObject({ code: 'internal-error' });
  });

  it('that carry a status of their own do not choose the answer', async () => {
    const { server } = await open({
      routes: [failing(Object.assign(new Error('secret'), { statusCode: 418 }))],
    });
    const answer = await server.inject('/v1/failing');
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('secret');
  });

  it('may be translated by the app', async () => {
    const full = Object.assign(new Error('disk'), { code: 'disk-full' });
    const { server } = await open({
      routes: [failing(full)],
      translate: (error) => (error === full ? unavailable('the disk is full', 30) : undefined),
    });
    const answer = await server.inject('/v1/failing');
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('30');
    expect(answer.json()).toMatchObject({ code: 'unavailable' });
  });

  it('may be thrown or returned as problems', async () => {
    const { server } = await open({
      routes: [failing(unavailable('later', 1)), returning(unavailable('later', 1))],
    });
    expect((await server.inject('/v1/failing')).statusCode).toBe(503);
    expect((await server.inject('/v1/returning')).statusCode).toBe(503);
  });

  const returning = (problem: ReturnType<typeof unavailable>) =>
    route({
      method: 'GET',
      url: '/v1/returning',
      summary: 'x',
      public: true,
      handler: async () => problem,
    });

  it('of a route that answers other than it says are found in tests', async () => {
    const wrong = route({
      method: 'GET',
      url: '/v1/wrong',
      summary: 'x',
      public: true,
      response: z.strictObject({ a: z.int() }),
      handler: () => ({ a: 1, leaked: 'b' }),
    });
    const checked = await open({ routes: [wrong] });
    expect((await checked.server.inject('/v1/wrong')).statusCode).toBe(500);
    await checked.close();
    const { server } = await open({ routes: [wrong], checkResponses: false });
    expect((await server.inject('/v1/wrong')).statusCode).toBe(200);
  });
});

describe('paths and methods', () => {
  it('that do not exist are 404, before the body is looked at', async () => {
    const { server } = await open();
    for (const method of ['GET', 'POST', 'DELETE'] as const) {
      const headers = { 'content-type': 'application/json' };
      const request = { method, url: '/v1/nothing?name=ann', headers, payload: '{' };
      const answer = await server.inject(request);
      expect(answer.statusCode).toBe(404);
      expect(answer.json()).toMatchObject({
        code: 'no-such-route',
        type: '/problems/no-such-route',
      });
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
    }
  });

  it('that a path lacks are 405 with Allow', async () => {
    const { server } = await open();
    const answer = await server.inject({ method: 'PUT', url: '/v1/scores' });
    expect(answer.statusCode).toBe(405);
    expect(answer.headers.allow).toBe('POST');
    expect(answer.json()).toMatchObject({ code: 'method-not-allowed' });
  });

  it('answer HEAD like GET, without a body, but not for event streams', async () => {
    const { server } = await open();
    const head = await server.inject({ method: 'HEAD', url: '/v1/scores/m-1' });
    const get = await server.inject('/v1/scores/m-1');
    expect(head.statusCode).toBe(200);
    expect(head.body).toBe('');
    expect(head.headers['content-length']).toBe(get.headers['content-length']);
    expect((await server.inject({ method: 'HEAD', url: '/v1/live' })).statusCode).toBe(405);
  });

  it('keep literal paths and parameters apart', async () => {
    const { server } = await open();
    // POST /v1/scores/batch exists; as a match id, "batch" is as good as any.
    expect((await server.inject('/v1/scores/batch')).statusCode).toBe(200);
    expect((await server.inject({ method: 'POST', url: '/v1/scores/x' })).statusCode).toBe(405);
  });

  it('explain every problem under its type', async () => {
    const { server } = await open();
    const one = await server.inject('/problems/score-conflict');
    expect(one.json()).toMatchObject({ code: 'score-conflict', status: 409, of: 'sample' });
    expect((await server.inject('/problems')).json().length).toBeGreaterThan(15);
    expect((await server.inject('/problems/nothing')).statusCode).toBe(404);
  });
});

describe('connections', () => {
  it.each([
    ['no HTTP at all', 'hello\r\n\r\n', 400, 'malformed-http'],
    ['headers without end', `GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}`, 431, 'headers-too-large'],
  ])('with %s are answered and closed', async (_, bytes, status, code) => {
    const answer = await rawExchange(await listen(await open()), bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain('content-type: application/problem+json');
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toMatchObject({
      status,
      code,
    });
  });

  it('that break off in a body harm nobody', async () => {
    const sample = await open();
    const port = await listen(sample);
    const token = sample.issueKey(['scores:write']);
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `POST /v1/scores HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n` +
        'content-type: application/json\r\ncontent-length: 100\r\n\r\n{"user_id"',
    );
    await once(socket, 'connect');
    socket.destroy();
    await once(socket, 'close');
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
    expect(answer.status).toBe(200);
    expect(sample.stored()).toBe(0);
  });
});

describe('request ids', () => {
  it('are taken over when they are sane, and made when not', async () => {
    const { server } = await open();
    const idFor = async (given?: string) => {
      const headers = given === undefined ? {} : { 'x-request-id': given };
      return (await server.inject({ url: '/healthz', headers })).headers['x-request-id'];
    };
    expect(await idFor('abc-1.2:3')).toBe('abc-1.2:3');
    for (const bad of ['', 'a b', 'a"b', 'x'.repeat(limits.requestIdCharsMax + 1), undefined]) {
      expect(await idFor(bad)).toMatch(/^[\w-]{8}-\w+$/);
    }
    expect(await idFor()).not.toBe(await idFor());
  });
});

describe('a body', () => {
  const sent = async (headers: { readonly [name: string]: string }) => {
    const sample = await open();
    const token = sample.issueKey(['scores:write']);
    const payload = JSON.stringify({ user_id: 'ann', points: 1, match_id: 'm' });
    const given = { authorization: `Bearer ${token}`, ...headers };
    const answer = await sample.server.inject({
      ...{ method: 'POST', url: '/v1/scores', headers: given, payload },
    });
    await sample.close();
    return answer.statusCode;
  };
  const type = 'application/json';

  it.each([
    { 'content-type': `${type}; charset=iso-8859-1` },
    { 'content-type': `${type};charset="utf-16"` },
    { 'content-type': type, 'content-encoding': 'gzip' },
  ])('with %j is 415', async (headers) => {
    expect(await sent(headers)).toBe(415);
  });

  it.each([
    { 'content-type': `${type}; charset=UTF-8` },
    { 'content-type': `${type};charset="utf-8"` },
    { 'content-type': type, 'content-encoding': 'identity' },
  ])('with %j is read', async (headers) => {
    expect(await sent(headers)).toBe(200);
  });
});

describe('the log', () => {
  it('has one line for each request, and nothing personal in it', async () => {
    const lines: string[] = [];
    const sample = await open({
      log: { requests: 'all', stream: { write: (line) => lines.push(line) } },
    });
    const token = sample.issueKey(['scores:write']);
    await sample.server.inject({
      method: 'POST',
      url: '/v1/scores?email=ann@example.org',
      headers: { authorization: `Bearer ${token}`, 'user-agent': 'ann-phone' },
      payload: { user_id: 'ann@example.org', points: 'ann' },
    });
    await sample.server.inject('/v1/scores/ann@example.org');
    await sample.server.inject('/v1/ann@example.org');
    await sample.server.inject('/v1/%ZZann@example.org');
    const text = lines.join('');
    expect(text).not.toMatch(/ann/);
    expect(text).not.toContain(token);
    expect(text).not.toContain('127.0.0.1');
    const requests = lines.map((line) => JSON.parse(line)).filter((line) => line.route);
    expect(requests).toMatchObject([
      { method: 'POST', route: '/v1/scores', status: 400, key: token.slice(0, 6) },
      { method: 'GET', route: '/v1/scores/:match_id', status: 200 },
      { method: 'GET', route: 'unmatched', status: 404 },
    ]);
    expect(requests[0].request_id).toBeTruthy();
    expect(requests[0].ms).toBeGreaterThanOrEqual(0);
  });

  it('has by default only the requests that failed', async () => {
    const lines: string[] = [];
    const { server } = await open({
      routes: [failing(new Error('broken'))],
      log: { stream: { write: (line) => lines.push(line) } },
    });
    await server.inject('/v1/scores/m-1');
    await server.inject('/v1/failing');
    const requests = lines.map((line) => JSON.parse(line)).filter(({ route }) => route);
    expect(requests).toMatchObject([{ route: '/v1/failing', status: 500, level: 50 }]);
  });

  it('warns of what is refused for a while, and says it once for many', async () => {
    const lines: string[] = [];
    const { server } = await open({
      routes: [failing(unavailable('the board is lost', 1))],
      log: { stream: { write: (line) => lines.push(line) } },
    });
    for (let time = 0; time < 40; time += 1) await server.inject('/v1/failing');
    await server.stop();
    const told = lines.map((line) => JSON.parse(line)).filter(({ code }) => code === 'unavailable');
    expect(told[0]).toMatchObject({ level: 40, status: 503, route: '/v1/failing' });
    expect(told.every(({ level }) => level === 40)).toBe(true);
    // However slow the machine is, they are far fewer than the requests, and none is forgotten.
    expect(told.length).toBeLessThan(20);
    const counted = told.reduce((sum, { requests = 1 }) => sum + requests, 0);
    expect(counted).toBe(40);
  });
});

describe('the rate limit', () => {
  it('counts a key, whatever its address', async () => {
    const sample = await open({ rateLimit: { requestsPerKeyMax: 2 } });
    const [one, two] = [sample.issueKey(['scores:read']), sample.issueKey(['scores:write'])];
    const call = (token: string) =>
      sample.server.inject({
        method: 'POST',
        url: '/v1/scores',
        headers: { authorization: `Bearer ${token}` },
        payload: {},
      });
    expect((await call(two)).statusCode).toBe(400);
    expect((await call(two)).statusCode).toBe(400);
    const refused = await call(two);
    expect(refused.statusCode).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused.json()).toMatchObject({ code: 'rate-limited' });
    expect((await call(one)).statusCode).toBe(403);
  });

  it('counts an address that has no good key, but not its probes', async () => {
    const { server } = await open({ rateLimit: { requestsPerAddressMax: 2 } });
    const statuses: number[] = [];
    for (const authorization of ['Bearer wrong-key', 'Basic abc', 'Bearer wrong-key-2']) {
      const answer = await server.inject({
        method: 'DELETE',
        url: '/v1/scores/a',
        headers: { authorization },
      });
      statuses.push(answer.statusCode);
    }
    expect(statuses).toEqual([401, 401, 429]);
    expect((await server.inject('/v1/nothing')).statusCode).toBe(429);
    const elsewhere = await server.inject({ url: '/v1/scores/a', remoteAddress: '10.0.0.1' });
    expect(elsewhere.statusCode).toBe(200);
    expect((await server.inject('/healthz')).statusCode).toBe(200);
  });

  it('believes X-Forwarded-For only of proxies it was told of', async () => {
    const rateLimit = { requestsPerAddressMax: 1 };
    const call = (sample: SampleApi, address: string) =>
      sample.server.inject({ url: '/v1/scores/a', headers: { 'x-forwarded-for': address } });
    const wary = await open({ rateLimit });
    await call(wary, '10.0.0.1');
    expect((await call(wary, '10.0.0.2')).statusCode).toBe(429);
    await wary.close();
    const trusting = await open({ rateLimit, trustProxy: '127.0.0.1' });
    await call(trusting, '10.0.0.1');
    expect((await call(trusting, '10.0.0.2')).statusCode).toBe(200);
    expect((await call(trusting, '10.0.0.1')).statusCode).toBe(429);
  });
});

describe('authentication', () => {
  it('may take its time, and its failure is a 500', async () => {
    const keys = {
      authenticate: async (token: string) => {
        if (token === 'broken') throw new Error('the key store is gone');
        return {
          kind: 'authenticated',
          keyId: 'k',
          name: 'slow',
          scopes: ['scores:admin'],
        } as const;
      },
    };
    const { server } = await open({ authenticator: keys });
    const call = (token: string) =>
      server.inject({
        method: 'DELETE',
        url: '/v1/scores/a',
        headers: { authorization: `Bearer ${token}` },
      });
    expect((await call('good')).statusCode).toBe(204);
    const answer = await call('broken');
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('key store');
  });

  it('that is expired or malformed is told apart', async () => {
    for (const reason of ['expired', 'malformed'] as const) {
      const sample = await open({
        authenticator: { authenticate: () => ({ kind: 'rejected', reason }) },
      });
      const answer = await sample.server.inject({
        method: 'DELETE',
        url: '/v1/scores/a',
        headers: { authorization: 'Bearer abc' },
      });
      expect(answer.json()).toMatchObject({ code: `${reason}-token`, status: 401 });
      await sample.close();
    }
  });

  it('gives the handler who calls', async () => {
    const whoami = route({
      method: 'GET',
      url: '/v1/whoami',
      summary: 'x',
      scope: 'scores:read',
      response: z.strictObject({ key: z.string() }),
      handler: ({ caller }) => ({ key: caller.keyId }),
    });
    const sample = await open({ routes: [whoami] });
    const token = sample.issueKey(['scores:read']);
    const answer = await sample.server.inject({
      url: '/v1/whoami',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.json()).toEqual({ key: token.slice(0, 6) });
  });
});

describe('routes of plugins', () => {
  it('pass the same gate, with parsers of their own', async () => {
    const sample = await open({
      extend: (app) => {
        app.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) =>
          done(null, body),
        );
        app.put('/files/:name', { config: { scope: 'files:write' } }, ({ body }) => body);
      },
    });
    const put = (headers: { readonly [name: string]: string }) =>
      sample.server.inject({
        method: 'PUT',
        url: '/files/a',
        headers: { 'content-type': 'text/plain', ...headers },
        payload: 'hello',
      });
    expect((await put({})).statusCode).toBe(401);
    const authorization = `Bearer ${sample.issueKey(['files:write'])}`;
    expect((await put({ authorization })).body).toBe('hello');
    const elsewhere = await sample.server.inject({
      method: 'POST',
      url: '/v1/scores',
      headers: {
        'content-type': 'text/plain',
        authorization: `Bearer ${sample.issueKey(['scores:write'])}`,
      },
      payload: 'hello',
    });
    expect(elsewhere.statusCode).toBe(415);
  });
});

describe('declared headers', () => {
  it('are checked, and the others stay readable', async () => {
    const echo = route({
      method: 'GET',
      url: '/v1/echo',
      summary: 'x',
      public: true,
      headers: { 'min-position': identifier({ charsMax: 10 }).optional() },
      response: z.strictObject({ position: z.string(), agent: z.string() }),
      handler: ({ headers }) => ({
        position: headers['min-position'] ?? 'none',
        agent: String(headers['user-agent']),
      }),
    });
    const { server } = await open({ routes: [echo] });
    const headers = { 'min-position': '0:42', 'user-agent': 'test' };
    const answer = await server.inject({ url: '/v1/echo', headers });
    expect(answer.json()).toEqual({ position: '0:42', agent: 'test' });
    const bad = await server.inject({
      url: '/v1/echo',
      headers: { 'min-position': 'x'.repeat(11) },
    });
    expect(bad.json()).toMatchObject({ errors: [{ in: 'headers', field: 'min-position' }] });
  });
});

describe('a server does not start', () => {
  const options = (routes: ServerOptions['routes']) => ({
    api: { title: 'x', version: '1' },
    authenticator: { authenticate: () => ({ kind: 'rejected', reason: 'unknown' }) as const },
    log: false as const,
    docs: false,
    processMetrics: false,
    routes,
  });
  const base = { method: 'POST', url: '/a', summary: 'x' } as const;
  const handler = () => undefined;

  it('with a route that says nothing of access, or two things', async () => {
    const neither = createServer(options([{ ...base, handler }]));
    await expect(neither).rejects.toThrow('POST /a must declare either its scope or public: true');
    const both = createServer(options([{ ...base, scope: 'a', public: true, handler }]));
    await expect(both).rejects.toThrow('POST /a must declare');
  });

  it('with a body that takes unknown fields, at any depth', async () => {
    const loose = z.strictObject({ list: z.array(z.object({ a: z.int() })) });
    const server = createServer(options([{ ...base, public: true, body: loose, handler }]));
    await expect(server).rejects.toThrow('use z.strictObject');
  });

  it('with a problem that is in no table', async () => {
    const route = { ...base, public: true as const, problems: ['no-such'], handler };
    await expect(createServer(options([route]))).rejects.toThrow('has the code no-such');
  });

  it('with a plugin whose route says nothing of access', async () => {
    const extend: ServerOptions['extend'] = (app) => {
      app.get('/files', () => 'x');
    };
    await expect(createServer({ ...options([]), extend })).rejects.toThrow(
      'GET /files must declare either its scope or public: true in its config',
    );
  });

  it('with two errors of one code', async () => {
    const twice = { ...options([]), errors: [sampleErrors, sampleErrors] };
    await expect(createServer(twice)).rejects.toThrow('two tables of errors have the code');
  });
});
