/** Limits of API keys. Units are last in the name. */
export const limits = {
  /** Characters of a key's name. */
  nameCharsMax: 64,
  /** Characters of who issued or revoked a key. */
  actorCharsMax: 64,
  /** Keys ever issued in one log, revoked ones among them: every process holds them all in memory. */
  keysMax: 100_000,
  /** How far ahead a key may expire: ten years. Later means no expiry. */
  lifetimeMsMax: 10 * 366 * 24 * 60 * 60 * 1_000,
  /** A fixed admin key from configuration: at least 24 characters, so that it cannot be guessed. */
  adminKeyCharsMin: 24,
  adminKeyCharsMax: 256,
  /** Bytes of a key's random secret and of its id. */
  secretBytes: 32,
  keyIdBytes: 8,
  /** How often one append is sent when its outcome stays unknown, or a decision is made again after a conflict. */
  attemptsMax: 4,
  /** The pause before the first repetition; each one after that doubles it, up to the maximum. */
  pauseMsMin: 50,
  pauseMsMax: 5_000,
  /** How long keys are judged by what was known before the log broke. After that the directory answers nobody. */
  staleMsMax: 60_000,
} as const;
