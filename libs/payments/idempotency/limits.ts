/** Limits of stored answers. Units are last in the name. */
export const idempotencyLimits = {
  /** Characters of a caller's name and of a key. */
  callerCharsMax: 128,
  keyCharsMax: 255,
  /** UTF-8 bytes of one stored answer: sealed it is a third longer, and must fit into one event. */
  answerBytesMax: 131_072,
  /** How long a process may work on a request before another may take it over, in milliseconds. */
  holdMsDefault: 30_000,
  /** How long an answer is kept at least, in milliseconds since it was recorded: 30 days. */
  keptMsMin: 30 * 24 * 60 * 60 * 1_000,
  /** Events in one page of the walk that prunes. */
  prunePageEvents: 1_000,
} as const;
