/** Bounds of the Kafka log, beside the limits of the port. Units are last in the name. */
export const kafkaLimits = {
  /** Appends waiting or under way; the next one is refused as `overloaded`. */
  queueAppendsMax: 10_000,
  /** The same in bytes of their records. */
  queueBytesMax: 67_108_864,
  /** Bytes of the records of one partition in one request: below Kafka's `max.message.bytes` of 1 MiB. */
  batchBytesMax: 950_000,
  /** Records in one request, so that the first caller of a long queue is not kept waiting for the last. */
  batchRecordsMax: 2_000,
  /** So many records make a request worth its while, however many are under way. */
  gatheredRecordsMax: 256,
  /** The longest that records wait to become as many as those under way. */
  lingerMsMax: 20,
  /** How long the broker may take for one request before its outcome is in doubt. */
  produceMsMax: 10_000,
  /** How long the broker may wait for its replicas. */
  brokerAckMsMax: 4_000,
  /** Times kafkajs sends one request again, under the same number, so that it counts once. */
  produceRetries: 8,
  /** How long a connection may take; nothing is in doubt after that. */
  connectMsMax: 5_000,
  /** How long an append in doubt is tried to be settled before it is answered `unknown`. */
  settleMsMax: 15_000,
  /** How long an acknowledged record may take to come back. */
  answerMsMax: 30_000,
  /** Pause before a broker that was away is asked again. */
  retryPauseMs: 100,
  /** The longest such pause of a relay, each of which is twice the one before. */
  relayPauseMsMax: 5_000,
  /** How long a relay to the head tries to have one request taken. */
  relayTriesMsMax: 60_000,
  /** How long opening may take until the topic was found or made. */
  openMsMax: 20_000,
  /** A refused append id stays refused for copies of its record up to so many offsets on. Part of format 1. */
  refusedOffsetsMax: 10_000,
  /** Verdict hashes a follower remembers to compare with what other processes say. */
  rememberedHashes: 16_384,
  /** Times a follower asks again for the offset it needs before it says that the topic has lost it. */
  seeksMax: 5,
  /** Times a process makes a replica anew that is damaged while it runs; then the disk is to blame. */
  healsMax: 5,
  /** Pause before a follower is started again that ended by a full disk, say: doubled each time, up to the longest. */
  refollowMsMin: 200,
  refollowMsMax: 10_000,
  /** Partitions of a topic that is made, unless told. */
  partitionsDefault: 4,
  /** Records that are judged before they are committed in any case. */
  commitRecordsMax: 4_000,
  /** From one commit to the next, unless somebody wants to read what is not committed. */
  commitMsMin: 10,
  /** Records whose bodies are dropped with one commit, so that none takes long, */
  droppedRecordsMax: 20_000,
  /** and for which it waits, so that each page is written once. */
  droppedRecordsMin: 1_000,
  /** Of one fetch of bodies that the replica has dropped. */
  bodyBytesMax: 262_144,
  /** Such fetches whose bodies are kept for the next reader. */
  bodyFetchesKept: 32,
  /** How long a read waits for a broker that has bodies. */
  bodyMsMax: 10_000,
  /** Of one fetch: longest wait of the broker for something new. It also bounds how long closing takes. */
  fetchWaitMsMax: 500,
  /** Of one fetch, for each partition: bounds the transaction that applies it. */
  fetchBytesMax: 1_048_576,
} as const;
