/** Sizes and waits of the store. Units are last in the name. */
export const limits = {
  /** Shards a generation may have. */
  shardsMax: 256,
  /** Rows written by one script: what Redis does meanwhile waits for it (a few milliseconds). */
  pieceRowsMax: 2_000,
  /** The same in bytes: a piece ends when it has as many. */
  pieceBytesMax: 1_000_000,
  /** Pieces sent to one shard before the first of them is answered. */
  piecesInFlightMax: 4,
  /** Rows that a projector that follows keeps in memory: about 80 MB for each share and generation where there are as many. */
  foldedRowsMax: 200_000,
  /** Keys looked up by one script. */
  loadKeysMax: 2_000,
  /** Rows that are ranked again by one script when building ends. */
  rankPageRows: 1_000,
  /** Rows of a group from which on its places are cut into ranges; fewer lie in one shard. */
  rangeRowsMin: 2_000,
  /** How far a border may lie from its place, in parts of a shard's fair share, before it is moved. */
  borderSlack: 0.25,
  /** Places that go over a border in one change: commits wait for so long, a few milliseconds. */
  borderStepPlaces: 2_000,
  /** Ties go together, up to so many. */
  borderTiesMax: 20_000,
  /** Rows that were committed between two looks at the sizes of their groups, and changes that follow one look. */
  borderLookRows: 2_000,
  borderStepsMax: 8,
  /** Groups whose sizes are looked at together. */
  borderLookGroupsMax: 32,
  /** A change of borders that says nothing for so long was cut off: somebody else ends it. */
  borderChangeMsMax: 10_000,
  /** Scores of a group by which its borders are chosen as its orders are made. */
  borderSampleScores: 4_096,
  /** Waits for a change of borders that another process makes. */
  borderWaitMsMax: 120_000,
  /** Fields or keys asked for in one step of a scan. */
  scanCount: 1_000,
  /** Keys removed by one UNLINK. */
  unlinkKeysMax: 500,
  /**
   * What a shard keeps of the past, to go back to a checkpoint that all shards can reach after a failover
   * lost the last writes of one of them. More than that means that the generation is lost.
   */
  undoBytesMax: 16_000_000,
  undoRecordsMax: 10_000,
  /** Hashes that a snapshot reads at the same time. */
  bucketsInFlightMax: 32,
  /** Snapshots of one generation open at a time. */
  snapshotsMax: 4,
  /** How long a snapshot outlives whoever read it last. */
  snapshotMsMax: 120_000,
  /** Looks for a moment in which all shards stand at one checkpoint, before commits are made to wait for it. */
  snapshotLooksMax: 20,
  /** How long commits wait for a snapshot to begin or for a purge, at most. */
  pauseMsMax: 5_000,
  /** How long a batch may be half there while new ones wait, before its committer is taken to be gone. */
  cutOffMs: 1_000,
  /** Rows in one page of a snapshot. */
  snapshotPageRows: 1_000,
  /** Bytes of an order's member: what a row is sorted by. */
  memberBytesMax: 65_000,
  /** Problems of a snapshot that are told one by one. */
  problemsMax: 20,
  /** Times a read is done again because commits came between its parts. */
  readRetriesMax: 3,
  /** What one script does for reads that share it, in counts of a value in one shard: about a millisecond. */
  readWeightMax: 256,
  /** Rows, or values of a hash, that take a script as long as the counts of one value. */
  rowsInCount: 4,
  /** Rows that a reader keeps in memory as long as their table does not change. */
  keptRowsMax: 5_000,
  /** Beginnings of keys that a table remembers. */
  keptPrefixesMax: 4_096,
  /** Groups of which a reader remembers how many places each shard has. */
  keptSizesMax: 1_000,
  /** Rows of a page that are merged from the first one on; a page beyond is found by halving. */
  mergedRowsMax: 1_000,
  halvingsMax: 400,
  /** Different values of an order in one answer. */
  scoresPageMax: 2_000,
  /** How old the knowledge may be that a generation is there, lost, or not built yet. */
  presenceMsMax: 200,
  /** Between two looks at the checkpoint while somebody waits: soon after a commit, and when nothing happens for long. */
  waitingPollMsMin: 1,
  waitingPollMsMax: 8,
  /** Waiters at a time; more are told `timeout` at once. */
  waitersMax: 20_000,
  connectMsMax: 5_000,
  /** How long a command may take before its outcome is unknown. */
  commandMsMax: 20_000,
  /** Times a command is sent again over a new connection. */
  retriesMax: 3,
  reconnectMsMax: 2_000,
} as const;
