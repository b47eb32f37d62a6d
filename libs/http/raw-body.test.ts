import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { createServer, type HttpServer, route } from './index.ts';

let server: HttpServer;
beforeAll(async () => {
  const raw = route({
    ...{ method: 'POST', url: '/v1/raw', summary: 'Gives the bytes back.', public: true },
    ...{ rawBody: true, bodyBytesMax: 64, response: z.strictObject({ hex: z.string() }) },
    handler: ({ body }) => ({ hex: (body ?? Buffer.alloc(0)).toString('hex') }),
  });
  server = await createServer({
    api: { title: 'raw', version: '1', description: 'A test.' },
    ...{ routes: [raw], log: { level: 'silent' } },
    authenticator: { authenticate: () => ({ kind: 'unknown-token' }) as never },
  });
});
afterAll(() => server.stop());

const post = (payload: Buffer | string, type = 'application/json') =>
  server.inject({ method: 'POST', url: '/v1/raw', payload, headers: { 'content-type': type } });

test('the bytes come as they were sent, JSON or not', async () => {
  for (const text of ['{"a": 1 }', 'no json', '{"__proto__":1}']) {
    const answer = await post(text);
    expect(answer.statusCode).toBe(200);
    expect(Buffer.from(answer.json().hex, 'hex').toString()).toBe(text);
  }
  expect((await post(Buffer.from([0xff, 0x00]))).json()).toEqual({ hex: 'ff00' });
});

test('the limits of a body are the same as of any other', async () => {
  expect((await post('x'.repeat(65))).statusCode).toBe(413);
  expect((await post('x', 'text/plain')).statusCode).toBe(415);
});

test('a route with a schema and raw bytes is a mistake', async () => {
  const both = route({
    ...{ method: 'POST', url: '/v1/both', summary: 'A mistake.', public: true, rawBody: true },
    body: z.strictObject({}),
    handler: () => undefined,
  });
  const options = { api: { title: 'x', version: '1', description: 'x' }, routes: [both] };
  const authenticator = { authenticate: () => ({ kind: 'unknown-token' }) as never };
  await expect(createServer({ ...options, authenticator })).rejects.toThrow(
    'takes its body as bytes',
  );
});
