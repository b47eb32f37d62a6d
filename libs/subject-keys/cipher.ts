import type { SubjectCipher, SubjectKeyring, SubjectState } from '@annals/core';
import { KeyCache, type KnownSubject } from './key-cache.ts';
import { limits } from './limits.ts';
import type { StoredSubjectKey, SubjectKeyStore } from './port.ts';
import {
  fingerprintText,
  openText,
  type RandomBytes,
  type SubjectSecret,
  sealText,
  subjectSecret,
} from './sealing.ts';

/**
 * The cipher of personal data over a key store.
 *
 * Each `keyring` asks the store whether a key was destroyed since its cache was filled, in this
 * process or another, and starts anew when so. A key is thus never used longer after its erasure than
 * the keyring that was handed out before it lives: callers take one for each batch and drop it.
 */
export function subjectCipher(
  store: Pick<SubjectKeyStore, 'get' | 'create' | 'erasures'>,
  options: { readonly cachedKeysMax?: number; readonly randomBytes?: RandomBytes } = {},
): SubjectCipher {
  const cache = new KeyCache(options.cachedKeysMax ?? limits.cachedKeysMax);
  return {
    keyring: async (subjects, { create }) => {
      const token = await store.erasures();
      cache.follow(token);
      const known = new Map<string, KnownSubject>();
      const unknown: string[] = [];
      for (const subject of new Set(subjects)) {
        const cached = cache.get(subject);
        if (cached === undefined) unknown.push(subject);
        else known.set(subject, cached);
      }
      for (let start = 0; start < unknown.length; start += limits.batchSubjectsMax) {
        const batch = unknown.slice(start, start + limits.batchSubjectsMax);
        const stored = create ? await store.create(batch) : await store.get(batch);
        for (const [subject, key] of stored) {
          const entry = knownSubject(key);
          known.set(subject, entry);
          cache.put(subject, entry, token);
        }
      }
      return new Keyring(known, options.randomBytes);
    },
  };
}

function knownSubject(stored: StoredSubjectKey): KnownSubject {
  return stored.kind === 'erased' ? 'erased' : subjectSecret(stored.key);
}

class Keyring implements SubjectKeyring {
  readonly #known: ReadonlyMap<string, KnownSubject>;
  readonly #randomBytes: RandomBytes | undefined;

  constructor(known: ReadonlyMap<string, KnownSubject>, randomBytes: RandomBytes | undefined) {
    this.#known = known;
    this.#randomBytes = randomBytes;
  }

  state(subject: string): SubjectState {
    const known = this.#known.get(subject);
    if (known === undefined) return 'missing';
    return known === 'erased' ? 'erased' : 'present';
  }

  seal(subject: string, plaintext: string, context: string): string {
    return sealText(this.#secret(subject), plaintext, context, this.#randomBytes);
  }

  open(subject: string, sealed: string, context: string): string {
    return openText(this.#secret(subject), sealed, context);
  }

  fingerprint(subject: string, text: string): string {
    return fingerprintText(this.#secret(subject), text);
  }

  #secret(subject: string): SubjectSecret {
    const known = this.#known.get(subject);
    if (known === undefined || known === 'erased') throw new NoSubjectKeyError(this.state(subject));
    return known;
  }
}

/** A keyring was asked to use a key it does not have. `subjectState` says why; the subject is not named, for logs. */
export class NoSubjectKeyError extends Error {
  readonly code = 'no-subject-key';
  readonly subjectState: SubjectState;
  constructor(subjectState: SubjectState) {
    super(`the keyring has no key of this subject: it is ${subjectState}`);
    this.name = 'NoSubjectKeyError';
    this.subjectState = subjectState;
  }
}
