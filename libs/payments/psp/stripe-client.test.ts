import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { stripeClient } from './stripe-client.ts';
import { failureOf } from './stripe-errors.ts';

const servers: (() => void)[] = [];
afterEach(() => {
  for (const close of servers.splice(0)) close();
});

async function serve(answer: Parameters<typeof createServer>[1]) {
  const server = createServer(answer ?? (() => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  return stripeClient({ url: `http://127.0.0.1:${port}`, key: 'sk_test_1', callMsMax: 5_000 });
}

test('a connection that is cut is tried once, where the client itself would try twice', async () => {
  const keys: unknown[] = [];
  const stripe = await serve((request) => {
    keys.push(request.headers['idempotency-key']);
    request.socket.destroy();
  });
  const failure = await stripe.paymentIntents
    .confirm('pi_1', {}, { idempotencyKey: 'ours' })
    .then(() => undefined, failureOf);
  expect(failure).toMatchObject({ kind: 'unknown', reason: 'connection_lost' });
  // Time enough for the client's own retry, which waits half a second.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  expect(keys).toEqual(['ours']);
});

test('a 500 is not tried again, not even where the provider asks for it', async () => {
  let requests = 0;
  const stripe = await serve((_request, response) => {
    requests += 1;
    response.writeHead(500, { 'stripe-should-retry': 'true' });
    response.end('{"error":{"type":"api_error","message":"m"}}');
  });
  const failure = await stripe.payouts
    .create({ amount: 1, currency: 'usd' })
    .then(() => undefined, failureOf);
  expect(failure).toMatchObject({ kind: 'unknown', reason: 'provider_error' });
  expect(requests).toBe(1);
});

test('an answer that breaks off is unknown', async () => {
  const stripe = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"id":', () => response.destroy());
  });
  const failure = await stripe.paymentIntents.confirm('pi_1').then(() => undefined, failureOf);
  expect(failure).toMatchObject({ kind: 'unknown', reason: 'connection_lost' });
});

test('only addresses of HTTP are taken', () => {
  const options = { url: 'ftp://127.0.0.1', key: 'k', callMsMax: 1 };
  expect(() => stripeClient(options)).toThrow('no address of an API');
});
