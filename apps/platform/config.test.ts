import { configFrom } from '@annals/core';
import { describe, expect, it } from 'vitest';
import { configSchema } from './config.ts';

const read = (env: { readonly [name: string]: string }) => configFrom(configSchema, env);

const ratesMessage =
  'must be KEY/ADDRESS, two numbers of requests in ten seconds up to 100000000, or off';
const proxiesMessage = 'must be addresses or networks, apart by commas';

type Refused = [variable: string, value: string, message: string];
const badRates = ['', '5000', '0/5', '5/', '1/2/3', '-1/5', '999999999/1', 'none'].map(
  (text): Refused => ['ANNALS_RATE_LIMITS', text, ratesMessage],
);
const badProxies = [
  '',
  'true',
  '*',
  'proxy.example',
  '10.0.0.0/33',
  '10.0.0.1,',
  '::1/129',
  '10.0.0.0/8/8',
].map((text): Refused => ['ANNALS_TRUSTED_PROXIES', text, proxiesMessage]);

describe('the settings of the platform', () => {
  it('all have a default, but the keys', () => {
    expect(read({})).toEqual({
      kind: 'configured',
      value: {
        HOST: '127.0.0.1',
        PORT: 8080,
        ANNALS_DATA: './data',
        ANNALS_LOG_LEVEL: 'warn',
        ANNALS_WHEN_LOST: 'refuse',
        ANNALS_OPERATIONS: 'loopback',
        ANNALS_DRAIN_MS: 0,
      },
    });
  });

  it('are read as text', () => {
    expect(read({ PORT: '0', HOST: '::1', ANNALS_MASTER_KEY: 'aB'.repeat(32) })).toMatchObject({
      value: { PORT: 0, HOST: '::1', ANNALS_MASTER_KEY: 'aB'.repeat(32) },
    });
    expect(
      read({
        ANNALS_RATE_LIMITS: '5000/100',
        ANNALS_TRUSTED_PROXIES: '10.0.0.0/8, ::1',
        ANNALS_OPERATIONS: 'anyone',
        ANNALS_DRAIN_MS: '5000',
      }),
    ).toMatchObject({
      value: {
        ANNALS_RATE_LIMITS: { requestsPerKeyMax: 5_000, requestsPerAddressMax: 100 },
        ANNALS_TRUSTED_PROXIES: ['10.0.0.0/8', '::1'],
        ANNALS_OPERATIONS: 'anyone',
        ANNALS_DRAIN_MS: 5_000,
      },
    });
    expect(read({ ANNALS_RATE_LIMITS: 'off' })).toMatchObject({
      value: { ANNALS_RATE_LIMITS: false },
    });
    expect(
      read({ ANNALS_LOG: 'kafka://k:9092/t', ANNALS_LEADERBOARD_STORE: 'redis://r' }),
    ).toMatchObject({
      value: { ANNALS_LOG: { kind: 'kafka' }, ANNALS_LEADERBOARD_STORE: { kind: 'redis' } },
    });
    expect(read({ ANNALS_ROLES: 'api' })).toMatchObject({ value: { ANNALS_ROLES: ['api'] } });
    expect(read({ ANNALS_ROLES: 'all' })).toMatchObject({
      value: { ANNALS_ROLES: ['api', 'projector'] },
    });
    expect(read({ PORT: '65535' })).toMatchObject({ value: { PORT: 65_535 } });
  });

  it.each<Refused>([
    ['PORT', 'http', 'must be a port, 0 to 65535'],
    ['PORT', '', 'must be a port, 0 to 65535'],
    ['PORT', '65536', 'must be a port, 0 to 65535'],
    ['PORT', '-1', 'must be a port, 0 to 65535'],
    ['PORT', '0x50', 'must be a port, 0 to 65535'],
    ['PORT', '1e3', 'must be a port, 0 to 65535'],
    ['PORT', ' 80', 'must be a port, 0 to 65535'],
    ['ANNALS_ADMIN_KEY', 'short', 'an admin key has at least 24 characters'],
    ['ANNALS_ADMIN_KEY', '', 'an admin key has at least 24 characters'],
    [
      'ANNALS_ADMIN_KEY',
      'with spaces in it, and 24 of them',
      'an admin key holds only A-Z, a-z, 0-9, . _ ~ + / -, and = at its end',
    ],
    ['ANNALS_MASTER_KEY', '12', 'must be 64 hex digits'],
    [
      'ANNALS_LOG_LEVEL',
      'loud',
      'Invalid option: expected one of "debug"|"info"|"warn"|"error"|"silent"',
    ],
    ...badRates,
    ...badProxies,
    ['ANNALS_OPERATIONS', 'everyone', 'must be loopback or anyone'],
    ['ANNALS_DRAIN_MS', '5s', 'must be a whole number, 0 to 300000'],
    ['ANNALS_DRAIN_MS', '300001', 'must be a whole number, 0 to 300000'],
    ['ANNALS_DATA', '', 'must name a folder'],
    ['HOST', '', 'must be an address'],
    ['ANNALS_ROLES', 'reader', 'must be api, projector or all'],
    ['ANNALS_LEADERBOARD_LOG', 'kafka://h:0', 'has no host and port in "h:0"'],
  ])('%s=%j is refused by name', (variable, value, message) => {
    expect(read({ [variable]: value })).toEqual({
      kind: 'invalid',
      problems: [`${variable}: ${message}`],
    });
  });
});
