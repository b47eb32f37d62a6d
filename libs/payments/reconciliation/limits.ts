/** Limits of reconciliation. Units are last in the name. */
export const reconciliationLimits = {
  /** Bytes of one file. */
  fileBytesMax: 4 * 2 ** 30,
  /** Characters of one line of a file, and of one text in an XML file. */
  lineCharsMax: 16_384,
  textCharsMax: 4_096,
  /** Lines that one quoted CSV record may go over. */
  recordLinesMax: 32,
  /** Records that are parsed together. */
  batchRecords: 500,
  /** Elements inside each other in an XML file. */
  xmlDepthMax: 64,
  /** Characters of an XML file without an element that begins or ends. */
  xmlQuietCharsMax: 1_048_576,
  /** Transactions of one entry of a bank statement. */
  entryTransactionsMax: 10_000,
  /** Bad lines after which a file is given up: it is of another kind. */
  badLinesMax: 100_000,
  /** Characters of an id or reference. */
  idCharsMax: 255,
  /** Rows sorted at once in memory; each run of them is a scratch file. */
  runRows: 40_000,
  /** Bytes of scratch files read at once, for each run. */
  runReadBytes: 65_536,
  /** Rows of one key that are compared with each other. */
  keyRowsMax: 10_000,
  /** Files a movement may wait for its other side. */
  waitsMax: 3,
  /** How close to the end of the file's day a movement must be to wait, in milliseconds. */
  timingMsMax: 6 * 60 * 60 * 1_000,
  /** Minor units by which rounding may differ. */
  roundingMinorMax: 1n,
  /**
   * Basis points of the amount up to which a fee is corrected without a person, and of what a file has charged up to which
   * its fees of no single payment are.
   */
  feeBasisPointsMax: 1_000,
  /** Characters of a comment. */
  commentCharsMax: 2_000,
  /** Lines of an entry that somebody proposes. */
  entryLinesMax: 20,
  /** Breaks that one event names. */
  breaksPerEventMax: 200,
  /** Breaks in one page of a queue. */
  queuePageMax: 200,
  /** Breaks of a queue that a metric counts: where more wait, the figure says no more. */
  waitingCountedMax: 2_000,
  /** How long a comparison waits for a read model, in milliseconds. */
  visibleMsMax: 10_000,
  /** Movements of ours that are read at once. */
  movementsPage: 2_000,
  /** Sellers whose wallets are compared at one checkpoint. */
  comparedSellers: 500,
  /** How often a page of wallets is read anew, each a quarter of the one before, where it is never of one moment. */
  comparisonTriesMax: 20,
  /** Wallets that differ, which a comparison names. */
  differencesMax: 1_000,
  /** Days before and after a day whose bank statements are looked at; twice as many before it for payouts. */
  bankDays: 7,
  /** Days before a night whose payouts and lines it may find to be missing: the night of each has said the rest. */
  bankReportedDays: 5,
  /** Lines of a bank statement in one event, and events that are read at once. */
  keptLinesPerEvent: 200,
  keptEventsPage: 50,
  /** How often a provider is asked for a file in one night, and how long to wait before the second time. */
  fileTriesMax: 4,
  fileWaitMs: 1_000,
} as const;
