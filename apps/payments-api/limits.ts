/** Limits of the payments API. Units are last in the name. */
export const limits = {
  /** Of one member of the evidence in a dispute. */
  evidenceCharsMax: 20_000,
  /** Of all of it: it is one event. */
  evidenceBytesMax: 150_000,
  /** Bytes of the body of an answer to a dispute: its files are base64. */
  evidenceBodyBytesMax: 6_500_000,
  /** Characters of ids that callers make up: of checkouts, orders, sellers, refunds and payouts. */
  idCharsMax: 64,
  /** Orders in one checkout. */
  ordersMax: 1_000,
  /**
   * Bytes of a checkout's orders with their terms, and of its buyer's data, as they are stored: all of it is one event,
   * and one event has 256 KiB.
   */
  checkoutBytesMax: 260_000,
  /** Bytes of the body of a new checkout. */
  checkoutBodyBytesMax: 1_048_576,
  descriptionCharsMax: 255,
  /** What is said of the buyer: fields, and characters of their names and values. */
  buyerFieldsMax: 32,
  buyerNameCharsMax: 64,
  buyerValueCharsMax: 512,
  /** Characters of a provider's token. */
  tokenCharsMax: 255,
  urlCharsMax: 2_000,
  /** How long a checkout may be paid, in milliseconds. */
  expiresAfterMs: 24 * 60 * 60 * 1_000,
  /** How long a page of the provider takes a card, in milliseconds: Stripe's have a day at most. */
  pageExpiresAfterMs: 23 * 60 * 60 * 1_000,
  /** How long an answer waits for the address of a page unless told, in seconds. */
  pageWaitSecondsDefault: 10,
  /** How long an answer waits for a read model to come to a position, in milliseconds. */
  visibleMsMax: 5_000,
  /** How long `Prefer: wait` may wait for a payment to come to something, in seconds. */
  waitSecondsMax: 20,
  /** How often it is looked at meanwhile, in milliseconds. */
  waitPollMs: 50,
  /** How long a secret of a webhook endpoint that was replaced may go on signing, in seconds. */
  oldSecretSecondsMax: 7 * 24 * 60 * 60,
  /** Lines of an entry by hand, and characters of an account's name. */
  entryLinesMax: 50,
  accountCharsMax: 100,
  streamCharsMax: 256,
  reasonCharsMax: 500,
  /** Lines of a history in one answer. */
  historyLinesMax: 1_000,
  /** Bytes of a settlement file or bank statement that is uploaded; larger ones are for annals reconcile. */
  uploadBytesMax: 268_435_456,
  /** Characters of a comment, and of a reason. */
  commentCharsMax: 2_000,
  /** Rows of one page of a list. */
  pageRowsMax: 500,
  pageRowsDefault: 100,
  cursorCharsMax: 1_024,
  /** Currencies that one seller sells in. */
  sellerCurrenciesMax: 200,
  releaseAfterDaysMax: 365,
  /** Entries that are read at once for an export. */
  exportPageEntries: 500,
} as const;
