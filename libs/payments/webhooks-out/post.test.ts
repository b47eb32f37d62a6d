import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { webhookLimits } from './limits.ts';
import { httpPost } from './post.ts';

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

const { signal } = new AbortController();
const post = (url: string, { attemptMsMax = 5_000, allowPrivate = true } = {}) =>
  httpPost(
    { allowPrivate },
    { attemptMsMax },
  )({
    ...{ url, signal, body: '{"id":"é"}' },
    headers: { 'webhook-id': 'msg_1' },
  });

test('body and headers arrive as they are', async () => {
  const seen: unknown[] = [];
  const url = await serve(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push(request.method, request.headers['webhook-id'], Buffer.concat(chunks).toString());
    response.writeHead(202).end('thank you');
  });
  expect(await post(url)).toEqual({ kind: 'answered', status: 202, excerpt: 'thank you' });
  expect(seen).toEqual(['POST', 'msg_1', '{"id":"é"}']);
});

test('a redirect is an answer, and is not followed', async () => {
  let calls = 0;
  const url = await serve((_, response) => {
    calls += 1;
    response.writeHead(307, { location: '/elsewhere' }).end();
  });
  expect(await post(url)).toMatchObject({ kind: 'answered', status: 307 });
  expect(calls).toBe(1);
});

test('an answer without an end is read to its bound, and little of it is kept', async () => {
  const url = await serve((_, response) => {
    response.writeHead(500);
    const write = () => {
      while (!response.destroyed && response.write('line\n'.repeat(1_000)));
    };
    response.on('drain', write);
    write();
  });
  const answer = await post(url);
  expect(answer).toMatchObject({ kind: 'answered', status: 500 });
  expect(answer.kind === 'answered' && answer.excerpt).toHaveLength(webhookLimits.excerptCharsMax);
  expect(JSON.stringify(answer)).not.toContain('\\n');
});

test('of an answer with a card number in it nothing is kept', async () => {
  const url = await serve((_, response) => response.writeHead(400).end('not 4242 4242 4242 4242'));
  expect(await post(url)).toEqual({ kind: 'answered', status: 400, excerpt: '' });
});

test('who does not answer in time, or at all, is a value', async () => {
  const silent = await serve(() => undefined);
  const late = await post(silent, { attemptMsMax: 50 });
  expect(late).toEqual({ kind: 'no-answer', reason: 'no answer within 50 ms' });
  const cut = await serve((request) => request.socket.destroy());
  expect(await post(cut)).toMatchObject({ kind: 'no-answer' });
});

test('nothing inside the own network is called, neither by address nor by name', async () => {
  let calls = 0;
  const url = await serve((_, response) => {
    calls += 1;
    response.end();
  });
  const byAddress = await post(url, { allowPrivate: false });
  expect(byAddress).toMatchObject({ reason: expect.stringContaining('public internet') });
  const inside = httpPost(
    { allowPrivate: false },
    {
      lookUp: (_host, _options, callback) =>
        callback(null, [
          { address: '93.184.216.34', family: 4 },
          { address: '127.0.0.1', family: 4 },
        ]),
    },
  );
  const byName = await inside({
    ...{ url: url.replace('127.0.0.1', 'inside.example'), headers: {}, body: '', signal },
  });
  expect(byName).toEqual({
    kind: 'no-answer',
    reason: 'inside.example is not on the public internet',
  });
  expect(calls).toBe(0);
});
