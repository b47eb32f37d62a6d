/** Limits of every key store. Units are last in the name. */
export const limits = {
  /** UTF-8 bytes of a subject's whole name, `kind:id`: the name of its erasure stream must fit the log's limit. */
  subjectBytesMax: 256,
  /** Subjects in one call of a store, and in one page of `list`. */
  batchSubjectsMax: 10_000,
  /** Subjects whose key waits to be created in one process; beyond it the store says `overloaded`. */
  waitingSubjectsMax: 100_000,
  /** Unwrapped keys a cipher keeps in memory unless it is told otherwise (about 300 bytes each). */
  cachedKeysMax: 50_000,
  /** Bytes of a subject key and of a master key: AES-256. */
  keyBytes: 32,
} as const;
