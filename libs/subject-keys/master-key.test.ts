import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadMasterKey, masterKeyFrom } from './master-key.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'annals-master-'));
  file = join(folder, 'data', 'master.key');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const failure = (code: string) => expect.objectContaining({ name: 'MasterKeyError', code });

describe('the master key of configuration', () => {
  test('is 64 hex digits, in either case', () => {
    expect(masterKeyFrom('0f'.repeat(32))).toEqual(Buffer.alloc(32, 15));
    expect(masterKeyFrom('0F'.repeat(32))).toEqual(Buffer.alloc(32, 15));
  });

  test.each(['', '0f', '0f'.repeat(31), '0f'.repeat(33), 'zz'.repeat(32), ` ${'0f'.repeat(32)}`])(
    'is not %j, and the error does not show it',
    (text) => {
      expect(() => masterKeyFrom(text)).toThrow(failure('invalid-master-key'));
      expect(() => masterKeyFrom(text)).toThrow('a master key is 64 hex digits');
    },
  );
});

describe('the master key of a file', () => {
  test('is made once, for its owner only, and read from then on', () => {
    const key = loadMasterKey({ file });
    expect(key.length).toBe(32);
    expect(loadMasterKey({ file })).toEqual(key);
    expect(readFileSync(file, 'utf8')).toBe(`${Buffer.from(key).toString('hex')}\n`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'data'))).toEqual(['master.key']);
  });

  test('is another one in another file', () => {
    expect(loadMasterKey({ file })).not.toEqual(loadMasterKey({ file: join(folder, 'other.key') }));
  });

  test('is refused when others can read it', () => {
    loadMasterKey({ file });
    chmodSync(file, 0o640);
    expect(() => loadMasterKey({ file })).toThrow(failure('master-key-exposed'));
  });

  test('is refused when the file holds something else', () => {
    loadMasterKey({ file });
    writeFileSync(file, 'not a key');
    expect(() => loadMasterKey({ file })).toThrow(failure('invalid-master-key'));
    expect(readFileSync(file, 'utf8')).toBe('not a key');
  });

  test('is refused, and not made, while a rotation is unfinished', () => {
    const key = loadMasterKey({ file: `${file}.next` });
    expect(() => loadMasterKey({ file })).toThrow(failure('rotation-unfinished'));
    expect(existsSync(file)).toBe(false);
    expect(key.length).toBe(32);
  });
});
