import { expect, test } from 'vitest';
import { parseAddress } from './connection.ts';

test.each([
  ['redis://localhost', false, [{ host: 'localhost', port: 6379 }], {}],
  ['redis://10.0.0.1:7000/3', false, [{ host: '10.0.0.1', port: 7000 }], { db: 3 }],
  ['rediss://[::1]:7000', false, [{ host: '::1', port: 7000 }], { tls: {} }],
  [
    'redis://us%40er:p%3Aw@a:1,b?cluster=true',
    true,
    [
      { host: 'a', port: 1 },
      { host: 'b', port: 6379 },
    ],
    { username: 'us@er', password: 'p:w' },
  ],
  ['redis://[::1]', false, [{ host: '::1', port: 6379 }], {}],
  ['redis://:secret@a', false, [{ host: 'a', port: 6379 }], { password: 'secret' }],
])('the address %s', (url, cluster, nodes, options) => {
  expect(parseAddress(url)).toMatchObject({ cluster, nodes, options });
  expect(parseAddress(url).place).not.toMatch(/secret|p%3Aw/);
});

test.each([
  'http://a',
  'redis://',
  'redis://a,b',
  'redis://a:0',
  'redis://a:70000',
  'redis://a/0?cluster=true',
  'redis://a?cluster=maybe',
  'redis://user:secret@a:b:c',
  'redis://user:sec/secret@a',
  'redis://a/x',
  'redis://a?prefix=b',
])('%s is none, and the password is not told', (url) => {
  expect(() => parseAddress(url)).toThrow(TypeError);
  expect(() => parseAddress(url)).not.toThrow('secret');
});
