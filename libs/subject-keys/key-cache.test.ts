import { expect, test } from 'vitest';
import { KeyCache } from './key-cache.ts';
import { subjectSecret } from './sealing.ts';

const secret = subjectSecret(Buffer.alloc(32, 1));

test('forgets the subject that was used longest ago', () => {
  const cache = new KeyCache(2);
  cache.follow('t1');
  cache.put('a', secret, 't1');
  cache.put('b', secret, 't1');
  expect(cache.get('a')).toBe(secret);
  cache.put('c', 'erased', 't1');
  expect(cache.size).toBe(2);
  expect(cache.get('b')).toBeUndefined();
  expect(cache.get('a')).toBe(secret);
  expect(cache.get('c')).toBe('erased');
});

test('forgets everything when the token is another one', () => {
  const cache = new KeyCache(2);
  cache.follow('t1');
  cache.put('a', secret, 't1');
  cache.follow('t1');
  expect(cache.get('a')).toBe(secret);
  cache.follow('t2');
  expect(cache.get('a')).toBeUndefined();
});

test('does not keep what was read under an older token', () => {
  const cache = new KeyCache(2);
  cache.follow('t1');
  cache.follow('t2');
  cache.put('a', secret, 't1');
  expect(cache.get('a')).toBeUndefined();
});

test('of size 0 keeps nothing; a size that cannot be is refused', () => {
  const cache = new KeyCache(0);
  cache.follow('t1');
  cache.put('a', secret, 't1');
  expect(cache.size).toBe(0);
  expect(() => new KeyCache(-1)).toThrow(TypeError);
  expect(() => new KeyCache(1.5)).toThrow(TypeError);
});
