import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson, sha256 } from '@annals/core';
import type { LogDigest } from './events.ts';

/** What stands before the 32 bytes of an Ed25519 key in PKCS #8 and in SubjectPublicKeyInfo (RFC 8410). */
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex');

export const digestKeyPattern = /^[0-9a-f]{64}$/;

/** An Ed25519 key pair of a seed. */
export interface DigestKey {
  readonly publicKey: string;
  sign(text: string): string;
}

/** `seed`: 32 random bytes as 64 hex digits, as `openssl rand -hex 32` makes them. Throws RangeError for anything else. */
export function digestKeyOf(seed: string): DigestKey {
  if (!digestKeyPattern.test(seed)) throw new RangeError('a digest key has 64 hex digits');
  const der = Buffer.concat([privatePrefix, Buffer.from(seed, 'hex')]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return {
    publicKey: spki.subarray(publicPrefix.length).toString('hex'),
    sign: (text) => sign(null, Buffer.from(text), key).toString('hex'),
  };
}

function publicKeyOf(hex: string): KeyObject {
  const der = Buffer.concat([publicPrefix, Buffer.from(hex, 'hex')]);
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}

type Unsigned = Omit<LogDigest, 'signature' | 'place'>;

export function signedText({ signature: _, place: __, ...signed }: Partial<LogDigest>): string {
  return canonicalJson(['annals-log-digest-1', signed] as never);
}

export function signDigest(digest: Unsigned, key: DigestKey): string {
  return key.sign(signedText(digest));
}

/** Whether a digest was signed by the key that it names. */
export function isSigned(digest: LogDigest): boolean {
  try {
    const key = publicKeyOf(digest.public_key);
    return verify(null, Buffer.from(signedText(digest)), key, Buffer.from(digest.signature, 'hex'));
  } catch {
    return false;
  }
}

/** The hash of a range of one stream: of the hashes of its events in their order. */
export function rangeHash(hashes: readonly string[]): string {
  return sha256(hashes.join(''));
}
