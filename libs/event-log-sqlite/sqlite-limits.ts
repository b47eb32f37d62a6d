/** Bounds of the SQLite log, beside the limits of the port. Units are last in the name. */
export const sqliteLimits = {
  /** Appends waiting or being written; the next one is refused as `overloaded`. */
  queueAppendsMax: 10_000,
  /** The same in bytes, as `appendBytes` counts them. */
  queueBytesMax: 67_108_864,
  /** Events of one transaction, so that the first caller of a long queue is not kept waiting for the last. */
  commitEventsMax: 4_000,
  /** How long the writer looks out for the next append of a single caller before it sleeps. */
  writerLooksOutMsMax: 0.1,
  /** How long the writer asks for the write lock while another process holds it. */
  writeLockWaitMsMax: 10_000,
  /** How long a reader waits while another process recovers the write-ahead log. */
  readLockWaitMsMax: 10_000,
  /** Streams whose id and head the writer remembers. */
  cachedStreamsMax: 50_000,
  /** Rows fetched by one query of a page: by these a page may go beyond `pageDataUnitsMax`. */
  fetchRowsMax: 64,
  /** UTF-16 units of data in one page of `read`; a page is cut short behind it. */
  pageDataUnitsMax: 8_388_608,
  /** Kinds (category and type) merged by index in one query; a wider filter scans. */
  mergedKindsMax: 128,
  /** Positions that are scanned rather than looked up kind by kind: those at the end of the log, that a subscriber has not seen. */
  scannedShortMax: 400,
  /** UTF-16 units of data that are read once for all subscribers; where there is more each reads pages of its own. */
  recentDataUnitsMax: 524_288,
  /** Positions one call may scan where the filter is too wide for the index. */
  scannedPositionsMax: 20_000,
  /** Positions counted between two turns of the event loop. */
  countedPositionsMax: 500_000,
  /** Page cache of the writer's connection. */
  writerCacheKibibytes: 32_768,
  /**
   * Pages in the write-ahead log of a replica before a commit writes them back: 64 MiB. A commit of a few events
   * touches as many pages, mostly the same again and again, and writing back takes two fsyncs.
   */
  replicaWalPages: 16_000,
  /** The write-ahead log is cut back to this after a checkpoint. */
  journalBytesMax: 67_108_864,
  /** Problems named by one integrity check. */
  integrityProblemsMax: 100,
} as const;
