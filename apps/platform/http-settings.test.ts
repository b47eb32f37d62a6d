import { afterEach, expect, it } from 'vitest';
import { startPlatform } from './index.ts';
import { adminKey, testConfig } from './testing/open-platform.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

let close: (() => Promise<void>) | undefined;
afterEach(async () => {
  await close?.();
  close = undefined;
});

async function open(settings: Parameters<typeof testConfig>[1]) {
  const folder = await temporaryFolder();
  const platform = await startPlatform(testConfig(folder.path, settings));
  close = async () => {
    await platform.stop();
    await folder.remove();
  };
  return platform.server;
}

const remoteAddress = '10.1.2.3';
const forwarded = { 'x-forwarded-for': '198.51.100.7' };
const authorization = `Bearer ${adminKey}`;

it('ANNALS_OPERATIONS=anyone opens the probes to a kubelet', async () => {
  const server = await open({ ANNALS_OPERATIONS: 'anyone' });
  expect((await server.inject({ url: '/healthz', remoteAddress })).statusCode).toBe(200);
});

it('without it they need a key from elsewhere', async () => {
  const server = await open({});
  expect((await server.inject({ url: '/healthz', remoteAddress })).statusCode).toBe(401);
});

it('ANNALS_RATE_LIMITS bounds a key, and an address behind a trusted proxy by its own address', async () => {
  const server = await open({
    ANNALS_RATE_LIMITS: { requestsPerKeyMax: 3, requestsPerAddressMax: 2 },
    ANNALS_TRUSTED_PROXIES: ['10.0.0.0/8'],
  });
  const withKey = () => server.inject({ url: '/v1/leaderboards', headers: { authorization } });
  for (let time = 0; time < 3; time += 1) expect((await withKey()).statusCode).toBe(200);
  expect((await withKey()).statusCode).toBe(429);
  const without = (headers: { readonly [name: string]: string }) =>
    server.inject({ url: '/v1/leaderboards', headers, remoteAddress });
  for (let time = 0; time < 2; time += 1) expect((await without(forwarded)).statusCode).toBe(401);
  expect((await without(forwarded)).statusCode).toBe(429);
  // Another client behind the same proxy.
  expect((await without({ 'x-forwarded-for': '198.51.100.8' })).statusCode).toBe(401);
});
