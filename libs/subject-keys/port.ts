/**
 * The store of subject keys: one AES-256 key for each person whose data is in the log.
 *
 * This file is the whole port. Adapters: the in-memory twin and SQLite beside it; Cassandra in
 * `libs/store-cassandra`, with what else needs its driver.
 * `describeSubjectKeyStore` in `contract/` is the law they all keep.
 *
 * A key is made once and destroyed once. What stays after that is a tombstone: the subject is
 * erased, and never gets a key again.
 */

export type StoredSubjectKey =
  /** 32 bytes. Whoever holds it must not write to it. */
  { readonly kind: 'key'; readonly key: Uint8Array } | { readonly kind: 'erased' };

export interface ListedSubject {
  readonly subject: string;
  readonly state: 'present' | 'erased';
}

/** Every method throws SubjectKeyStoreError on broken I/O, and a TypeError for an invalid subject or batch: a bug of the caller. */
export interface SubjectKeyStore {
  /** What is stored of these subjects. One the store has never seen is not in the map. */
  get(subjects: readonly string[]): Promise<ReadonlyMap<string, StoredSubjectKey>>;

  /**
   * Gives each subject that was never seen a random key, durably, before it resolves with all of
   * them. Whoever comes first wins, across processes; everybody gets the winner's key.
   */
  create(subjects: readonly string[]): Promise<ReadonlyMap<string, StoredSubjectKey>>;

  /**
   * Destroys the keys of these subjects for good and leaves tombstones, also for one that never had
   * a key. When it resolves, no copy of a key is left in any file of the store (on Cassandra: once its
   * nodes have compacted theirs). Resolves with the number of keys that were there. Safe to repeat.
   */
  destroy(subjects: readonly string[]): Promise<number>;

  /** All subjects in the order of their UTF-8 bytes, strictly after `after`; at most `limit` (default: `limits.batchSubjectsMax`). */
  list(options?: {
    readonly after?: string;
    readonly limit?: number;
  }): Promise<readonly ListedSubject[]>;

  /**
   * A token that is another one as soon as any process has destroyed a key since, so that a cache
   * of keys knows when to let go. Cheap: a cipher asks before each batch.
   */
  erasures(): Promise<string>;

  /** Waits for writes under way, then lets go of files. */
  close(): Promise<void>;
}

export type SubjectKeyStoreErrorCode =
  | 'closed'
  | 'overloaded'
  | 'wrong-master-key'
  | 'newer-format'
  | 'not-a-key-store'
  | 'corrupt'
  /** The file was removed, or another put in its place, while it was open: restart. */
  | 'replaced'
  | 'read-only'
  | 'disk-full'
  /** Another process held the files for too long; safe to repeat. */
  | 'busy'
  /** The server that has the keys does not answer; it passes when that is back. */
  | 'unreachable'
  /** The server does not let us: user, password, permissions. */
  | 'refused'
  | 'io';

/** Broken I/O or a store that must not be used; `code` is stable, `message` says what to do. */
export class SubjectKeyStoreError extends Error {
  readonly code: SubjectKeyStoreErrorCode;
  constructor(code: SubjectKeyStoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SubjectKeyStoreError';
    this.code = code;
  }
}
