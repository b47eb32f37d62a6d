import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { limits } from './limits.ts';

/** Cryptographically strong random bytes. Only the simulation passes another source than `node:crypto`. */
export type RandomBytes = (bytes: number) => Uint8Array;

const nonceBytes = 12;
const tagBytes = 16;
const algorithm = 'aes-256-gcm';

/**
 * AES-256-GCM (NIST SP 800-38D): nonce, ciphertext and tag in one box; `context` is authenticated.
 * The nonce is random, so one key may seal at most 2^32 boxes (§8.3); a subject stays far below.
 */
export function sealBox(
  key: KeyObject,
  plaintext: Uint8Array,
  context: string,
  random: RandomBytes = randomBytes,
): Buffer {
  const nonce = random(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(context));
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** What `sealBox` was given, or undefined when key, box or context is not the same. */
export function openBox(key: KeyObject, box: Uint8Array, context: string): Buffer | undefined {
  if (box.length < nonceBytes + tagBytes) return undefined;
  const decipher = createDecipheriv(algorithm, key, box.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(box.subarray(box.length - tagBytes));
  const plaintext = decipher.update(box.subarray(nonceBytes, box.length - tagBytes));
  try {
    return Buffer.concat([plaintext, decipher.final()]);
  } catch {
    return undefined;
  }
}

/**
 * A key for one purpose, derived by HKDF-SHA-256 (RFC 5869); the purpose is the `info` of §3.2. `node:crypto` takes twice
 * as long for a key of bytes.
 */
export function deriveKey(key: KeyObject, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', purpose, limits.keyBytes));
}

/**
 * The keys of one subject as the cipher uses them. Key objects, for a key of bytes is made into one at each use, which
 * takes several times as long as sealing a few fields.
 */
export interface SubjectSecret {
  readonly sealing: KeyObject;
  readonly fingerprinting: KeyObject;
}

export function subjectSecret(key: Uint8Array): SubjectSecret {
  const sealing = createSecretKey(key);
  const fingerprinting = createSecretKey(deriveKey(sealing, 'annals subject fingerprint v1'));
  return { sealing, fingerprinting };
}

/** The text form of a sealed box: `v1.` and base64url without padding (RFC 4648 §5). */
const versionPrefix = 'v1.';

export function sealText(
  secret: SubjectSecret,
  plaintext: string,
  context: string,
  random?: RandomBytes,
): string {
  const box = sealBox(secret.sealing, Buffer.from(plaintext), context, random);
  return versionPrefix + box.toString('base64url');
}

export type SealedTextErrorCode = 'unknown-seal-version' | 'seal-broken';

/** A sealed text that does not open: of a newer version, or it or its context was changed. */
export class SealedTextError extends Error {
  readonly code: SealedTextErrorCode;
  constructor(code: SealedTextErrorCode, message: string) {
    super(message);
    this.name = 'SealedTextError';
    this.code = code;
  }
}

/** The plaintext of `sealText`. Throws SealedTextError. */
export function openText(secret: SubjectSecret, sealed: string, context: string): string {
  if (!sealed.startsWith(versionPrefix)) {
    throw new SealedTextError('unknown-seal-version', 'the sealed text is of no known version');
  }
  const encoded = sealed.slice(versionPrefix.length);
  const box = Buffer.from(encoded, 'base64url');
  // Only the one canonical spelling opens: Node's decoder would also skip foreign characters.
  const plaintext =
    box.toString('base64url') === encoded ? openBox(secret.sealing, box, context) : undefined;
  if (!plaintext) {
    throw new SealedTextError('seal-broken', 'the sealed text or its context was changed');
  }
  return plaintext.toString();
}

/** HMAC-SHA-256 (RFC 2104), 64 lower-case hex digits. */
export function fingerprintText(secret: SubjectSecret, text: string): string {
  return createHmac('sha256', secret.fingerprinting).update(text).digest('hex');
}
