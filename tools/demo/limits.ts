/** Limits of the demo. Units are last in the name. */
export const limits = {
  playersMin: 2,
  playersMax: 1_000_000,
  matchesMin: 1,
  matchesMax: 5_000_000,
  seedMax: 2_147_483_647,
  /** Requests under way at once, each on a connection of its own that is kept open. */
  requestsAtOnceMax: 32,
  /** Times a request is sent again that the service asks to send again. */
  attemptsMax: 8,
  /** How long one answer may take. */
  answerMsMax: 30_000,
  /** The longest Retry-After that is waited for. */
  retryAfterMsMax: 10_000,
  /** Rows in one page of a board, and the most rows of a picture: the service's own limits. */
  pageRowsMax: 1_000,
  /** How long a service of the demo's own may take to start and to stop. */
  startMsMax: 60_000,
  stopMsMax: 15_000,
  /** How long reads may take to be refused after the files are gone, and to come back after a promote. */
  lossSeenMsMax: 30_000,
  readableMsMax: 60_000,
  /** Characters of a child's output that are kept. */
  outputCharsMax: 65_536,
  /** Differing rows that are shown. */
  differencesShownMax: 10,
} as const;
