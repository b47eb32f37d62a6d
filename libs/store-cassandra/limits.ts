/** Sizes and waits of the store. Units are last in the name. */
export const limits = {
  /** Requests on their way at once through one connection; the others wait their turn. */
  inFlightMax: 256,
  /** Requests that wait their turn; beyond it a call is refused as overloaded. */
  waitingMax: 1_000_000,
  connectMsMax: 15_000,
  requestMsMax: 30_000,
  /** Between two looks whether a node that was away is back: soon, and then less often. */
  reconnectMsMin: 250,
  reconnectMsMax: 2_000,
  /** A change of the schema: all nodes write it down, and a dropped table's files go. */
  schemaMsMax: 120_000,
  /** How often a statement is sent that may be repeated without harm. */
  attemptsMax: 4,
  retryMsMin: 50,
  pageRows: 5_000,
  schemaAgreementSecondsMax: 60,
  /**
   * Estimated bytes of one batch of rows of one partition: Cassandra logs a warning for each batch
   * above 5 KiB unless it is told otherwise.
   */
  batchBytesMax: 4_096,
  batchRowsMax: 60,
  /** Keys in one query of a partition. */
  loadKeysMax: 60,
  /** UTF-16 units of a journal that is kept in the worker's own row, and of a chunk of a longer one. */
  inlineJournalLengthMax: 32_768,
  journalChunkLengthMax: 262_144,
  journalPageChunks: 16,
  /** A batch that was decided must be found again within this time, or the generation is lost. */
  journalSeconds: 7 * 24 * 3_600,
  /** How long a snapshot may be read, and what it needs is kept. */
  snapshotMsMax: 3_600_000,
  snapshotsMax: 8,
  /** Rows in one page of a snapshot. */
  snapshotPageRows: 1_000,
  /** Rows asked of one partition at once, while a snapshot merges all of them. */
  bucketPageRows: 250,
  /** Partitions of a table that are read at once where order does not matter. */
  bucketsReadMax: 32,
  /** Partitions of each table in a new generation, unless told. */
  buckets: 256,
  bucketsMax: 4_096,
  /** Partitions of each group of a sorted order in a new generation, unless told. */
  orderShards: 8,
  orderShardsMax: 256,
  /** Tries of a compare-and-set against others who change the same row. */
  casAttemptsMax: 50,
  /** How long somebody else's batch may take to be written before it is written for him. */
  settleMsMax: 500,
  settlePollMs: 20,
  /** How long the nodes may take to compact the tables of a generation. */
  compactMsMax: 12 * 3_600_000,
  compactOutputBytes: 16 * 1_048_576,
  /** Children of the ranks' nodes that a worker keeps in memory from one batch to the next: some 50 bytes each. */
  rankChildrenKeptMax: 1_000_000,
  /** Nodes that one question about different scores may look into where several workers wrote. */
  distinctNodesMax: 4_096,
  /** Reads of one answer until no batch came between; then it is not exact. */
  exactReadsMax: 3,
  /** Rows of each table that a reader keeps in memory as long as their table does not change. */
  keptRowsMax: 5_000,
  /** Rows of one partition of an order that a page reads at once, and the least. */
  orderPageRowsMax: 1_000,
  orderPageRowsMin: 16,
  /** How long a generation that was there is taken to be there. */
  presenceMsMax: 1_000,
  /** Between two looks at the checkpoint while somebody waits: the longer nothing comes, the longer. */
  waitingPollMsMin: 2,
  waitingPollMsMax: 20,
  waitersMax: 20_000,
  /** Members of one read of an order. */
  topMax: 10_000,
} as const;
