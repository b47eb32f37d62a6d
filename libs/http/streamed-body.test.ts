import type { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { createServer, fileMediaTypes, type HttpServer, route } from './index.ts';

const described = { summary: 'Counts bytes.', public: true } as const;
let server: HttpServer;
beforeAll(async () => {
  const answer = z.strictObject({ bytes: z.int() });
  const file = route({
    ...{ ...described, method: 'POST', url: '/v1/file', streamedBody: true, response: answer },
    handler: async ({ body }) => {
      let bytes = 0;
      for await (const chunk of body as unknown as Readable) bytes += (chunk as Buffer).byteLength;
      return { bytes };
    },
  });
  const json = route({
    ...{ ...described, method: 'POST', url: '/v1/json', body: z.strictObject({}) },
    handler: () => undefined,
  });
  server = await createServer({
    api: { title: 'files', version: '1', description: 'A test.' },
    ...{ routes: [file, json], log: { level: 'silent' } },
    authenticator: { authenticate: () => ({ kind: 'unknown-token' }) as never },
  });
});
afterAll(() => server.stop());

const post = (type: string, path = '/v1/file', headers = {}) =>
  server.inject({
    ...{ method: 'POST', url: path, payload: Buffer.alloc(200_000, 'x') },
    headers: { 'content-type': type, ...headers },
  });

test.each([...fileMediaTypes])(
  'a file of %s comes whole, past the limit of other bodies',
  async (type) => {
    expect((await post(type)).json()).toEqual({ bytes: 200_000 });
  },
);

test('JSON is no file, a file is no JSON, and nothing is unpacked', async () => {
  expect((await post('application/json')).statusCode).toBe(413);
  expect((await post('image/png')).statusCode).toBe(415);
  expect((await post('text/csv', '/v1/json')).statusCode).toBe(415);
  expect((await post('text/csv', '/v1/file', { 'content-encoding': 'gzip' })).statusCode).toBe(415);
});

test('what a route would have taken is named', async () => {
  const detail = async (...what: Parameters<typeof post>) => (await post(...what)).json().detail;
  const files = `The body must be ${fileMediaTypes.join(', ')}, without a Content-Encoding.`;
  const json = 'The body must be application/json in UTF-8, without a Content-Encoding.';
  expect(await detail('image/png')).toBe(files);
  expect(await detail('text/csv', '/v1/file', { 'content-encoding': 'gzip' })).toBe(files);
  expect(await detail('text/csv', '/v1/json')).toBe(json);
  expect(await detail('image/png', '/v1/json')).toBe(json);
});

test('a route with a schema and a file is a mistake', async () => {
  const both = route({
    ...{ ...described, method: 'POST', url: '/v1/both', streamedBody: true },
    body: z.strictObject({}),
    handler: () => undefined,
  });
  const options = { api: { title: 'x', version: '1', description: 'x' }, routes: [both] };
  const authenticator = { authenticate: () => ({ kind: 'unknown-token' }) as never };
  await expect(createServer({ ...options, authenticator })).rejects.toThrow('as it comes');
});
