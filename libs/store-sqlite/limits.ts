/** Sizes and waits of the store. Units are last in the name. */
export const limits = {
  pageBytes: 4_096,
  /** How long a statement waits for a lock of another connection. */
  busyMsMax: 30_000,
  /** The same for a reader, which a writer stops only for moments: it must not stop its thread for long. */
  readerBusyMsMax: 2_000,
  /** Page cache of a writing connection while a generation is built; sorting takes as much again for a while. */
  buildingCacheKib: 8_192,
  /** The same when it is live. */
  liveCacheKib: 16_384,
  /** Page cache of a reading connection. */
  readerCacheKib: 32_768,
  /** Pages in the WAL from which a commit writes them back; while building, hot pages then are written once for many commits. */
  buildingWalPages: 16_000,
  /** The same in a live generation, where a thread beside the commits does it long before. */
  liveWalPages: 16_000,
  /** Rows changed in a live generation from which that thread writes the WAL back: a few pages each. */
  checkpointRows: 2_000,
  /** Changed rows in a batch of a rebuild: appending them is as quick as in larger ones, which outlive their collection as garbage. */
  buildBatchRowsMax: 2_000,
  /** Rows put aside unsorted while building, per table; then they are merged in. */
  stagedRowsMax: 1_000_000,
  /** Nodes of counted trees kept in memory by one connection (2 KB each). */
  treeNodesCachedMax: 8_192,
  /** Groups of which a reader remembers where their tree begins. */
  rootsCachedMax: 10_000,
  /** Statements kept by one reader, by their text. */
  statementsCachedMax: 500,
  /** Rows in one page of a snapshot. */
  snapshotPageRows: 1_000,
  /** How long a purge waits for readers that still need the WAL. */
  purgeWaitMsMax: 3_000,
} as const;
