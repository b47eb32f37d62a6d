/** Limits of the leaderboard. Units are last in the name. */
export const limits = {
  /** Points of one score: an integer from -pointsMax to pointsMax. */
  pointsMax: 1_000_000_000_000,
  /** UTF-16 code units of a user id, and of a match id. */
  userIdCharsMax: 128,
  /** UTF-8 bytes of a user id: the name of its erasure stream holds it. */
  userIdBytesMax: 240,
  matchIdCharsMax: 128,
  /** Characters of a board's id. */
  boardIdCharsMax: 64,
  /** UTF-16 code units of a player's name, and of the URL of a picture. */
  nameCharsMax: 100,
  pictureCharsMax: 2_048,
  /** Scores in one batch. */
  batchScoresMax: 1_000,
  /** Rows in one page of a board. */
  pageRowsMax: 1_000,
  pageRowsDefault: 10,
  /** Rows a page may skip. */
  offsetRowsMax: 1_000_000_000,
  /** Neighbours shown on either side of a player. */
  aroundRowsMax: 50,
  aroundRowsDefault: 4,
  /** Players in one list of friends. */
  friendsMax: 500,
  /** Matches in one page of a player's history. */
  historyMatchesMax: 100,
  historyMatchesDefault: 20,
  /** Revisions from one match of a page to the next that are still read together: others' scores lie between. */
  historyGapEventsMax: 8,
  /** Leaderboards in one page of their list. */
  pageBoardsMax: 1_000,
  pageBoardsDefault: 100,
  /** Buckets a new board deals its players to: one stream each. Fixed in the board's settings. */
  bucketsDefault: 64,
  /** How far in the future a client may say that a match was played, in milliseconds: its clock may be off. */
  futureMsMax: 24 * 60 * 60 * 1_000,
  /** The earliest time a match may have been played: 2000-01-01T00:00:00Z, in milliseconds since 1970. */
  occurredAtMin: 946_684_800_000,
} as const;
