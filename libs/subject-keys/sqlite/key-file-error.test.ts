import { expect, test } from 'vitest';
import { SubjectKeyStoreError } from '../port.ts';
import { keyFileError } from './key-file-error.ts';

/** Extended result codes of SQLite: the low byte is the primary one. */
test.each([
  [5, 'busy'],
  [261, 'busy'],
  [1032, 'read-only'],
  [13, 'disk-full'],
  [779, 'corrupt'],
  [26, 'not-a-key-store'],
  [266, 'io'],
  [1, 'io'],
])('SQLite result %d is %s', (errcode, code) => {
  const cause = Object.assign(new Error('detail'), { errcode });
  expect(keyFileError(cause, 'a file')).toMatchObject({ code, message: 'a file: detail', cause });
});

test.each([
  ['EACCES', 'read-only'],
  ['EROFS', 'read-only'],
  ['ENOSPC', 'disk-full'],
  ['EIO', 'io'],
])('system error %s is %s', (system, code) => {
  const cause = Object.assign(new Error('detail'), { code: system, syscall: 'open' });
  expect(keyFileError(cause, 'a file')).toMatchObject({ name: 'SubjectKeyStoreError', code });
});

test('bugs and errors that have a name already pass as they are', () => {
  const named = new SubjectKeyStoreError('corrupt', 'x');
  const bug = new TypeError('x');
  expect(keyFileError(named, 'a file')).toBe(named);
  expect(keyFileError(bug, 'a file')).toBe(bug);
  expect(keyFileError('x', 'a file')).toBe('x');
});
