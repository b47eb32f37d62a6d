import type { SubjectSecret } from './sealing.ts';

/** What is known of a subject: its keys, or that it was erased. */
export type KnownSubject = SubjectSecret | 'erased';

/**
 * The subjects used last, at most `entriesMax` of them. Everything in it was read under one erasure
 * token of the store; under another token it is all forgotten.
 */
export class KeyCache {
  readonly #entries = new Map<string, KnownSubject>();
  readonly #entriesMax: number;
  #token = '';

  constructor(entriesMax: number) {
    if (!Number.isInteger(entriesMax) || entriesMax < 0) {
      throw new TypeError(`a cache of ${entriesMax} keys cannot be`);
    }
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Says which erasures the store has seen by now. */
  follow(token: string): void {
    if (token === this.#token) return;
    this.#entries.clear();
    this.#token = token;
  }

  get(subject: string): KnownSubject | undefined {
    const known = this.#entries.get(subject);
    if (known !== undefined) {
      // A Map iterates in order of insertion: putting it in again makes it the youngest.
      this.#entries.delete(subject);
      this.#entries.set(subject, known);
    }
    return known;
  }

  /** Remembers what was read after the store had said `token`; ignored when an erasure came between. */
  put(subject: string, known: KnownSubject, token: string): void {
    if (token !== this.#token || this.#entriesMax === 0) return;
    this.#entries.delete(subject);
    this.#entries.set(subject, known);
    if (this.#entries.size > this.#entriesMax) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
  }
}
