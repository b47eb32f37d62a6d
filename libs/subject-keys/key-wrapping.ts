import { createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { limits } from './limits.ts';
import { deriveKey, openBox, sealBox } from './sealing.ts';

/** Bytes of a wrapped key: nonce, key and tag. All are of one size, which `sqlite/key-file.ts` builds on. */
export const wrappedKeyBytes = 12 + limits.keyBytes + 16;

/**
 * Wraps subject keys under a master key: AES-256-GCM with the subject authenticated, so that a
 * wrapped key cannot be moved to another subject. The wrapping key and the check value are derived
 * from the master key (RFC 5869), so the check value tells nothing of either.
 */
export class KeyWrapping {
  /** Stored beside the keys: tells a wrong master key before anything is read or written with it. */
  readonly check: Uint8Array;
  readonly #key: KeyObject;

  /** Throws a TypeError unless the master key is 32 bytes. */
  constructor(masterKey: Uint8Array) {
    if (masterKey.length !== limits.keyBytes) {
      throw new TypeError(`a master key has ${limits.keyBytes} bytes, not ${masterKey.length}`);
    }
    const master = createSecretKey(masterKey);
    this.#key = createSecretKey(deriveKey(master, 'annals subject key wrapping v1'));
    this.check = deriveKey(master, 'annals master key check v1');
  }

  isCheck(check: Uint8Array): boolean {
    return check.length === this.check.length && timingSafeEqual(check, this.check);
  }

  wrap(subject: string, key: Uint8Array): Buffer {
    return sealBox(this.#key, key, subject);
  }

  /** The key, or undefined when it was wrapped under another master key or for another subject, or was changed. */
  unwrap(subject: string, wrapped: Uint8Array): Uint8Array | undefined {
    return openBox(this.#key, wrapped, subject);
  }
}
