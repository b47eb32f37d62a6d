import { crc32 } from 'node:zlib';
import { sha256 } from '@annals/core';

/**
 * The text of a key, `annals_<key_id>_<secret><checksum>`: 16 hex digits, 43 characters base64url of
 * 32 random bytes, and 6 characters base64url of the CRC-32 of all that stands before. The checksum
 * tells a typo or a cut-off key without looking it up, and secret scanners what is a key; it is no
 * protection. The prefix names the product, so that a leaked key is recognised.
 */
export interface KeyText {
  readonly keyId: string;
  readonly secret: string;
}

const pattern = /^annals_([0-9a-f]{16})_([A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})$/;
const checksumChars = 6;

/** The token of a key. `keyId` has 8 bytes, `secret` 32. */
export function keyToken(keyId: Uint8Array, secret: Uint8Array): string {
  const id = Buffer.from(keyId).toString('hex');
  const body = `annals_${id}_${Buffer.from(secret).toString('base64url')}`;
  return body + checksumOf(body);
}

/** The parts of a token, or undefined when it is none or was mistyped. */
export function parseKeyToken(token: string): KeyText | undefined {
  const [, keyId, secret, checksum] = pattern.exec(token) ?? [];
  if (keyId === undefined || secret === undefined) return undefined;
  if (checksumOf(token.slice(0, -checksumChars)) !== checksum) return undefined;
  return { keyId, secret };
}

/**
 * What is stored of a secret: SHA-256, 64 hex digits. No slow hash (scrypt, argon2), because those
 * make up for secrets that people choose: nobody guesses 256 random bits at any speed, and every
 * request would pay for it.
 */
export function secretHash(secret: string): string {
  return sha256(secret);
}

function checksumOf(text: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return bytes.toString('base64url');
}
