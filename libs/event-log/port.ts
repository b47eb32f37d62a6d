/**
 * The event log: an append-only store of immutable events in streams.
 *
 * This file is the whole port. Adapters: the in-memory twin beside it, SQLite, Kafka, EventStoreDB.
 * `describeEventLog` in `contract/` is the law they all keep.
 */

/** Where an event stands in its partition. Opaque; compares as text in log order within one partition, and with nothing else. */
export type Position = string;

/** How far a reader has come: one position for each partition, inclusive. `{}` is the beginning. */
export type Checkpoint = { readonly [partition: number]: Position };

/** The place of an event in its stream: 0, 1, 2, … without gaps. */
export type Revision = number;

/** What the writer knows of the stream: refused with `conflict` when it is otherwise. */
export type Expected = 'any' | 'no-stream' | 'exists' | Revision;

/** Who and what caused an event. Never personal data. */
export interface Metadata {
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly actor?: string;
  readonly tenant?: string;
}

export interface NewEvent {
  /** Canonical lower-case UUID. With the stream it is the key of idempotence. */
  readonly id: string;
  readonly type: string;
  readonly schemaVersion: number;
  /** JSON text of an object, stored byte for byte. Personal data in it is sealed. */
  readonly data: string;
  /** Hash of type, version and plaintext data, 64 hex digits: what "same content" means. See `EventTypes.encode`. */
  readonly contentHash: string;
  readonly metadata?: Metadata;
  /** When it happened in the world: milliseconds since 1970, UTC. */
  readonly occurredAt: number;
  /** For import and copy only: carries the first log's stamp unchanged. Else the log stamps it. */
  readonly recordedAt?: number;
}

export interface StoredEvent extends Required<NewEvent> {
  /** `category-id`; see `stream-name.ts`. */
  readonly stream: string;
  readonly revision: Revision;
  readonly partition: number;
  readonly position: Position;
}

export type AppendResult =
  /** Durable. `revision`, `position` and `recordedAt` are those of the last event of the append. */
  | {
      readonly kind: 'stored';
      readonly revision: Revision;
      readonly partition: number;
      readonly position: Position;
      readonly recordedAt: number;
      /** True when these very events were stored by an earlier append; this is that append's result. */
      readonly duplicate: boolean;
    }
  | {
      readonly kind: 'conflict';
      readonly expected: Expected;
      readonly actual: Revision | 'no-stream';
    }
  /** The id is known in this stream with other content. */
  | { readonly kind: 'content-mismatch'; readonly id: string; readonly revision: Revision }
  /** Some of the ids are known and some are new (or known in another order): nothing was stored. */
  | { readonly kind: 'partial-duplicate'; readonly known: readonly string[] }
  /** Nothing was stored, and the same append would be refused again, but for a PassingRefusal. */
  | { readonly kind: 'refused'; readonly reason: AppendRefusal; readonly detail: string }
  /** It may or may not be stored: safe to send again with the same ids. */
  | { readonly kind: 'unknown'; readonly detail: string };

/** Sent again in a moment, the same append may be taken. */
export type PassingRefusal =
  /** Too many wait already. */
  | 'overloaded'
  /** The server that has the log does not take it. */
  | 'unreachable';

export type AppendRefusal =
  | PassingRefusal
  | 'invalid-stream-name'
  | 'invalid-event'
  | 'event-too-large'
  | 'append-too-large'
  | 'too-many-events'
  | 'no-events';

export interface Filter {
  /** Only streams of these categories. */
  readonly categories?: readonly string[];
  /** Only events of these types. */
  readonly types?: readonly string[];
  /** Only these partitions. */
  readonly partitions?: readonly number[];
}

/** Event types, and of each the highest schema version that is meant. */
export interface PassOver {
  readonly [type: string]: number;
}

/** Which event stands somewhere, without what it says. */
export type EventMark = Pick<StoredEvent, 'partition' | 'position' | 'id' | 'recordedAt'>;

export type Direction = 'forward' | 'backward';

export interface StreamPage {
  readonly events: readonly StoredEvent[];
  /** Revision of the stream's last event, read together with the page. */
  readonly head: Revision | 'no-stream';
}

export interface Page {
  readonly events: readonly StoredEvent[];
  /** Where to read on from. Moves past events the filter left out. */
  readonly checkpoint: Checkpoint;
  /** True when nothing was left in this direction as the page was read. */
  readonly end: boolean;
}

export type Delivery =
  /** One or more events, in order within each partition; at most `limits.pageEventsMax`. */
  | {
      readonly kind: 'events';
      readonly events: readonly StoredEvent[];
      readonly checkpoint: Checkpoint;
      readonly passed?: readonly EventMark[];
    }
  /** Everything stored when it was looked for has been delivered (or left out by the filter) up to `checkpoint`. Said again after each catching up. */
  | {
      readonly kind: 'caught-up';
      readonly checkpoint: Checkpoint;
      readonly passed?: readonly EventMark[];
    };

export interface EventLog {
  /**
   * Stores all events in one stream, or none. Durable when it resolves with `stored`.
   * The duplicate check comes before the expected check. Throws EventLogError on broken I/O.
   */
  append(
    stream: string,
    events: readonly NewEvent[],
    options: { readonly expected: Expected },
  ): Promise<AppendResult>;

  /** One stream by revision; `from` is inclusive (default: first, or last when backward). */
  readStream(
    stream: string,
    options?: { readonly from?: Revision; readonly direction?: Direction; readonly limit?: number },
  ): Promise<StreamPage>;

  /**
   * All streams by position: strictly after `from` (forward), strictly before it (backward).
   * `'start'` and `'end'` stand for the two ends. Each event comes once; order only within a partition.
   */
  read(
    from: Checkpoint | 'start' | 'end',
    filter?: Filter,
    options?: { readonly direction?: Direction; readonly limit?: number },
  ): Promise<Page>;

  /**
   * Catches up from `from`, says `caught-up`, and goes on with new events. Pulled: nothing is read
   * ahead of the consumer beyond one page. Ends quietly when `signal` is aborted or the log closed.
   * `passOver`: events of these types, up to these versions, are left out unread. A delivery's `passed` then names
   * the last event of a partition that was left out so, where none that the filter lets through is behind it up to
   * `checkpoint`.
   */
  subscribe(
    from: Checkpoint,
    filter?: Filter,
    options?: {
      readonly signal?: AbortSignal;
      readonly limit?: number;
      readonly passOver?: PassOver;
    },
  ): AsyncIterable<Delivery>;

  /** How many stored events match, by type; for progress bars and dry runs. May scan, holds nothing in memory. */
  count(filter?: Filter): Promise<ReadonlyMap<string, number>>;

  /** The last position of every partition that has an event, as durable now. */
  head(): Promise<Checkpoint>;

  /** Waits for appends under way, then lets go of files and connections. */
  close(): Promise<void>;
}

export type EventLogErrorCode =
  | 'closed'
  | 'disk-full'
  | 'read-only'
  | 'newer-format'
  | 'not-a-log'
  | 'corrupt'
  /** What is read here is being made anew, or comes up too slowly: it passes by itself. */
  | 'catching-up'
  /** The server that has the log does not answer; it passes when that is back. */
  | 'unreachable'
  /** The server does not let us: user, password, permissions, certificates. */
  | 'refused'
  | 'io';

/** Broken I/O or a log that must not be used; `code` is stable, `message` says what to do. */
export class EventLogError extends Error {
  readonly code: EventLogErrorCode;
  constructor(code: EventLogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EventLogError';
    this.code = code;
  }
}
