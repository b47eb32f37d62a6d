/** Bounds of webhooks out; units are last in the name. */
export const webhookLimits = {
  endpointsMax: 64,
  endpointIdCharsMax: 64,
  urlCharsMax: 2_048,
  /** Bytes of a secret before its base64. */
  secretBytes: 32,
  /** How long the secret before the last stays live after a rotation, unless told. */
  oldSecretMs: 24 * 60 * 60 * 1_000,
  oldSecretMsMax: 7 * 24 * 60 * 60 * 1_000,
  /** One attempt, from the connection to the end of the answer. */
  attemptMsMax: 10_000,
  /** Of an answer's body, the rest is not read. */
  responseBytesMax: 4_096,
  /** What of it is kept in the delivery log. */
  excerptCharsMax: 200,
  /** Attempts under way at once for one endpoint: a slow one takes nothing from the others. */
  attemptsPerEndpointMax: 8,
  /** The wait after the first attempt that failed, doubled after each further one. */
  retryAfterMs: 5_000,
  retryAfterMsMax: 6 * 60 * 60 * 1_000,
  /** From when it was queued, or asked for again: then a delivery is dead. */
  giveUpAfterMs: 3 * 24 * 60 * 60 * 1_000,
  /** How often it is looked for what is due. */
  pollMs: 500,
  /** How long a lane that was worked on waits for the delivery log to show it. */
  readModelMsMax: 2_000,
  /** Deliveries in one page of the delivery log, and in one replay. */
  pageDeliveriesMax: 100,
} as const;
