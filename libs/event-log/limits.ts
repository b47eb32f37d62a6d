/** Limits every adapter enforces, so that a log can move between engines. Units are last in the name. */
export const limits = {
  /** UTF-8 bytes of one event's JSON text. */
  eventDataBytesMax: 262_144,
  /** Events in one append. */
  appendEventsMax: 1_000,
  /** UTF-8 bytes of all events of one append as `appendBytes` counts them: below Kafka's and EventStoreDB's default of 1 MB. */
  appendBytesMax: 900_000,
  /** UTF-8 bytes of a stream name. */
  streamNameBytesMax: 512,
  /** UTF-8 bytes of an event type's name. */
  typeNameBytesMax: 128,
  /** UTF-8 bytes of one metadata value. */
  metadataValueBytesMax: 256,
  /** Events in one page of a read, and in one delivery of a subscription. */
  pageEventsMax: 10_000,
  /** The same where the caller names no limit. */
  pageEventsDefault: 1_000,
  /** Characters in one line of an exported log: the largest event with everything in it escaped. */
  exportLineCharsMax: 2_000_000,
} as const;
