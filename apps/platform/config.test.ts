import { configFrom } from '@annals/core';
import { describe, expect, it } from 'vitest';
import { configSchema } from './config.ts';

const read = (env: { readonly [name: string]: string }) => configFrom(configSchema, env);

describe('the settings of the platform', () => {
  it('all have a default, but the keys', () => {
    expect(read({})).toEqual({
      kind: 'configured',
      value: {
        HOST: '127.0.0.1',
        PORT: 8080,
        ANNALS_DATA: './data',
        ANNALS_LOG_LEVEL: 'warn',
      },
    });
  });

  it('are read as text', () => {
    expect(read({ PORT: '0', HOST: '::1', ANNALS_MASTER_KEY: 'aB'.repeat(32) })).toMatchObject({
      value: { PORT: 0, HOST: '::1', ANNALS_MASTER_KEY: 'aB'.repeat(32) },
    });
    expect(read({ PORT: '65535' })).toMatchObject({ value: { PORT: 65_535 } });
  });

  it.each([
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
    ['ANNALS_DATA', '', 'must name a folder'],
    ['HOST', '', 'must be an address'],
  ])('%s=%j is refused by name', (variable, value, message) => {
    expect(read({ [variable]: value })).toEqual({
      kind: 'invalid',
      problems: [`${variable}: ${message}`],
    });
  });
});
