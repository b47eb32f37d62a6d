/** Bounds of the EventStoreDB log, beside the limits of the port. Units are last in the name. */
export const eventstoredbLimits = {
  /** Appends waiting or under way; the next one is refused as `overloaded`. */
  queueAppendsMax: 10_000,
  /** The same in bytes of their events. */
  queueBytesMax: 67_108_864,
  /**
   * Appends on the wire at once. The client's stream takes 16 before it makes writers wait, and writers that
   * wait when the stream breaks end in a rejection that nobody can catch (6.2.1).
   */
  appendsInFlightMax: 12,
  /** The same with those that were given up, of which the client has not said what became. */
  appendsOnTheWireMax: 14,
  /** How long one that was given up counts: longer than the client takes to notice that a connection is dead. */
  givenUpMsMax: 30_000,
  /** How long one call may take. */
  callMsMax: 10_000,
  /**
   * How long an append may take, from its call on: waiting for others, lookups, and sending it again while its outcome is
   * in doubt. Then it is `unknown`, or, when nothing of it can be stored, `unreachable`, and `overloaded` where others were in its way.
   */
  appendMsMax: 15_000,
  /** So long after an append was stored one that had no turn is `overloaded`: the server does not hang, there are too many. */
  servedMsMax: 5_000,
  /** Times an append that others overtake is tried; then it is refused as `overloaded`. */
  attemptsMax: 64,
  /** How long the index may take to come up to what the server has said. */
  followMsMax: 30_000,
  /** How long a caller waits for an index that is being made anew. */
  healWaitMsMax: 5_000,
  /** Times an index is made anew while its process runs: then the disk is broken. */
  healsMax: 5,
  /** Between two looks whether the file of the index is still there. */
  lookMsEvery: 1_000,
  /** How long opening may take until the server has answered at all. */
  connectMsMax: 15_000,
  /** How long the client may take to let go of its calls. */
  closeMsMax: 5_000,
  /** Events held in memory until they are stored: more than the largest append, which is stored whole. */
  heldEventsMax: 2_000,
  /** Events that the server looks at for one checkpoint of a filter. */
  searchWindowEvents: 1_000,
  /** Events in one page of a read from the end of `$all`. */
  backwardsEventsMax: 100,
  /** Pause before the server is asked again: it doubles from the first to the second. */
  pauseMsMin: 50,
  pauseMsMax: 2_000,
} as const;
