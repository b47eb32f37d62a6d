export const financeLimits = {
  reasonCharsMax: 500,
  linesMax: 50,
  /** How long a request waits for its second person. */
  expiresAfterMs: 7 * 24 * 60 * 60 * 1_000,
} as const;
