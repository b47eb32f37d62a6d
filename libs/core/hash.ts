import { createHmac, hash } from 'node:crypto';

/** SHA-256 (FIPS 180-4) of `input` (text as UTF-8), 64 lower-case hex digits. */
export function sha256(input: string | Uint8Array): string {
  return hash('sha256', input, 'hex');
}

/** HMAC-SHA-256 (RFC 2104), 64 lower-case hex digits. */
export function hmacSha256(key: Uint8Array, input: string): string {
  return createHmac('sha256', key).update(input).digest('hex');
}
