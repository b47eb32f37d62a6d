import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isKeyId } from './key-id.ts';
import { keyToken, parseKeyToken, secretHash } from './key-text.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

test('a token parses to the id and the secret it was made of', () => {
  fc.assert(
    fc.property(bytes(8), bytes(32), (keyId, secret) => {
      expect(parseKeyToken(keyToken(keyId, secret))).toEqual({
        keyId: Buffer.from(keyId).toString('hex'),
        secret: Buffer.from(secret).toString('base64url'),
      });
    }),
  );
});

test('the format stays as it is: keys are out in the world', () => {
  expect(keyToken(Buffer.alloc(8, 1), Buffer.alloc(32, 2))).toBe(
    'annals_0101010101010101_AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgISjRbeg',
  );
});

test('one character changed, left out, doubled or swapped is a typo, wherever it is', () => {
  const token = keyToken(randomBytes(8), randomBytes(32));
  for (let at = 0; at < token.length; at += 1) {
    const [before, character, after] = [
      token.slice(0, at),
      token[at] as string,
      token.slice(at + 1),
    ];
    for (const other of 'aZ09-_') {
      if (other !== character) expect(parseKeyToken(before + other + after)).toBeUndefined();
    }
    expect(parseKeyToken(before + after)).toBeUndefined();
    expect(parseKeyToken(before + character + character + after)).toBeUndefined();
    const swapped = before + (after[0] ?? '') + character + after.slice(1);
    if (swapped !== token) expect(parseKeyToken(swapped)).toBeUndefined();
  }
});

test.each([
  '',
  'annals_',
  'Bearer annals_x',
  `${'a'.repeat(10_000)}`,
  'annals_0101010101010101_AgI',
])('is no token: %j', (text) => expect(parseKeyToken(text)).toBeUndefined());

test('white space around a token is not part of it', () => {
  const token = keyToken(randomBytes(8), randomBytes(32));
  for (const text of [` ${token}`, `${token}\n`, `${token} `]) {
    expect(parseKeyToken(text)).toBeUndefined();
  }
});

test('a key id is 16 lower-case hex digits', () => {
  expect(isKeyId('0123456789abcdef')).toBe(true);
  for (const text of ['', '0123456789abcde', '0123456789ABCDEF', '0123456789abcdefg', 'admin']) {
    expect(isKeyId(text), text).toBe(false);
  }
});

test('what is stored of a secret is its SHA-256 (the vector "abc" of FIPS 180-4)', () => {
  expect(secretHash('abc')).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});
