import { type Clock, newId, systemClock } from '@annals/core';
import { within } from '@annals/core/within';
import {
  type AppendResult,
  type Checkpoint,
  checkAppend,
  type Delivery,
  type EventLog,
  EventLogError,
  type Expected,
  type Filter,
  type NewEvent,
  type Page,
  type StreamPage,
  storedMetadata,
} from '@annals/event-log';
import {
  encodePosition,
  type LogReads,
  type ReadOptions,
  type ReplicaEvent,
  type StreamReadOptions,
} from '@annals/event-log-sqlite/replica';
import type { EventStoreDBClient } from '@eventstore/db-client';
import { AppendLanes } from './append-lanes.ts';
import { Arrivals } from './arrivals.ts';
import { envelopeOf, type FollowedEvent } from './event-envelope.ts';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';
import { FollowedIndex, partition, type Report } from './followed-index.ts';
import type { Looked } from './log-index.ts';
import { type Sent, sendAppend } from './server-append.ts';
import { clientOf, headOnServer, hostsOf, untilAnswered } from './server-connection.ts';

export interface EventStoreDBEventLogOptions {
  /** `esdb://user:password@host:2113?tls=true`, as EventStoreDB's clients take it. */
  readonly connection: string;
  /** Where this process keeps its index. No other process may use it; it can be removed at any time it is closed. */
  readonly folder: string;
  /** Streams of this log begin with it on the server, so that several logs may share one; nothing else writes to those. */
  readonly prefix?: string;
  /** Stamps `recordedAt`. */
  readonly clock?: Pick<Clock, 'now'>;
  /** Connections that were lost, an index that is made anew. */
  readonly onReport?: (report: Report) => void;
}

/** The port, and what an operator wants to know of it. */
export interface EventStoreDBEventLog extends EventLog {
  readonly folder: string;
  /** Resolves when all that was acknowledged in the stream before the call can be read here. */
  barrier(stream: string): Promise<void>;
  status(): { readonly position: number; readonly events: number; readonly queueDepth: number };
}

/**
 * Opens the log on a server, and catches up with it before anything is served. Throws EventLogError:
 * `io` when no server answers, it refuses us, or the folder belongs to another process, `corrupt` when it is not the
 * server that the index has followed.
 */
export async function eventstoredbEventLog(
  options: EventStoreDBEventLogOptions,
): Promise<EventStoreDBEventLog> {
  const log = new EventStoreDBLog(options, clientOf(options.connection));
  try {
    await log.catchUp();
    return log;
  } catch (error) {
    await log.close();
    throw error;
  }
}

class EventStoreDBLog implements EventStoreDBEventLog {
  readonly folder: string;
  readonly #prefix: string;
  /** Of the connection string, for messages: without user and password. */
  readonly #hosts: string;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #client: EventStoreDBClient;
  readonly #index: FollowedIndex;
  readonly #lanes = new AppendLanes();
  /** Appends of this process that have come back, until they are answered. */
  readonly #returned = new Set<string>();
  readonly #pending = new Set<string>();
  readonly #arrivals = new Arrivals();
  #failure: Error | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: EventStoreDBEventLogOptions, client: EventStoreDBClient) {
    const { connection, folder, prefix = '', clock = systemClock, onReport } = options;
    this.folder = folder;
    this.#prefix = prefix;
    this.#hosts = hostsOf(connection);
    this.#clock = clock;
    this.#client = client;
    this.#index = new FollowedIndex({
      ...{ client, folder, prefix },
      onApplied: (events) => this.#applied(events),
      onReport: (report) => onReport?.(report),
      onFailed: (error) => this.#fail(error),
    });
  }

  /** Bounded only until the server answers: an index may have much to read. */
  async catchUp(): Promise<void> {
    await untilAnswered(this.#client, this.#hosts);
    await this.#index.start();
  }

  async append(
    stream: string,
    events: readonly NewEvent[],
    { expected }: { readonly expected: Expected },
  ): Promise<AppendResult> {
    this.#mustServe();
    const checked = checkAppend(stream, events);
    if (checked.kind === 'refused') return checked;
    return this.#lanes.run(stream, checked.bytes, () => this.#append(stream, events, expected));
  }

  async readStream(stream: string, options?: StreamReadOptions): Promise<StreamPage> {
    return (await this.#whole()).readStream(partition, stream, options);
  }

  async read(
    from: Checkpoint | 'start' | 'end',
    filter?: Filter,
    options?: ReadOptions,
  ): Promise<Page> {
    return (await this.#whole()).read(from, filter, options);
  }

  subscribe(
    from: Checkpoint,
    filter?: Filter,
    options?: { readonly signal?: AbortSignal; readonly limit?: number },
  ): AsyncIterable<Delivery> {
    return this.#index.reads.subscribe(from, filter, options);
  }

  async count(filter?: Filter): Promise<ReadonlyMap<string, number>> {
    return (await this.#whole()).count(filter);
  }

  async head(): Promise<Checkpoint> {
    return (await this.#whole()).head();
  }

  async barrier(stream: string): Promise<void> {
    this.#mustServe();
    const head = await headOnServer(this.#client, this.#prefix, stream);
    await this.#mustCome(stream, head);
  }

  status() {
    const { place, events } = this.#index.progress;
    return { position: place, events, queueDepth: this.#lanes.depth };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#index.reads.end();
    await this.#lanes.idle();
    await this.#index.end();
    await within(this.#client.dispose(), limits.closeMsMax, () => undefined);
    this.#index.close();
  }

  /** Looks the ids up, sends them at the exact head, and begins again whenever others were quicker. */
  async #append(
    stream: string,
    events: readonly NewEvent[],
    expected: Expected,
  ): Promise<AppendResult> {
    const requested = events.map(requestedEvent);
    const appendId = newId();
    const stampedAt = this.#clock.now();
    const wire = events.map((event, index) =>
      envelopeOf(
        event,
        stampedAt,
        index === 0 ? { id: appendId, events: events.length } : undefined,
      ),
    );
    this.#pending.add(appendId);
    let isSent = false;
    try {
      for (let attempt = 0; attempt < limits.attemptsMax; attempt += 1) {
        const looked = await this.#looked(stream, requested, expected);
        if (looked.kind !== 'new') return this.#answer(looked, appendId);
        isSent = true;
        const sent = await this.#settled(stream, wire, looked.head);
        if (sent.kind === 'in-doubt') return { kind: 'unknown', detail: sent.detail };
        if (sent.kind === 'too-large') {
          const detail = 'the server takes no append of this size';
          return { kind: 'refused', reason: 'append-too-large', detail };
        }
        if (sent.kind === 'overtaken') {
          await this.barrier(stream);
          continue;
        }
        const last = (looked.head === 'no-stream' ? -1 : looked.head) + events.length;
        if (!(await this.#comes(stream, last))) return { kind: 'unknown', detail: tooSlow };
      }
    } catch (error) {
      if (!isCatchingUp(error)) throw error;
      const detail = error.message;
      return isSent
        ? { kind: 'unknown', detail }
        : { kind: 'refused', reason: 'overloaded', detail };
    } finally {
      this.#pending.delete(appendId);
      this.#returned.delete(appendId);
    }
    const detail = `other processes appended to ${stream} first, ${limits.attemptsMax} times`;
    return { kind: 'refused', reason: 'overloaded', detail };
  }

  /** The index may be behind another process: what it would refuse is looked at again when it has come up. */
  async #looked(
    stream: string,
    events: readonly ReplicaEvent[],
    expected: Expected,
  ): Promise<Looked> {
    const looked = await this.#index.look(stream, events, expected);
    if (looked.kind !== 'conflict' && looked.kind !== 'partial-duplicate') return looked;
    await this.barrier(stream);
    return this.#index.look(stream, events, expected);
  }

  /** Sends the very same append again as long as its outcome is in doubt. */
  async #settled(
    stream: string,
    wire: ReturnType<typeof envelopeOf>[],
    head: number | 'no-stream',
  ): Promise<Sent> {
    const deadline = Date.now() + limits.settleMsMax;
    for (
      let pauseMs: number = limits.pauseMsMin;
      ;
      pauseMs = Math.min(pauseMs * 2, limits.pauseMsMax)
    ) {
      const sent = await this.#lanes.onTheWire(() =>
        sendAppend(this.#client, this.#prefix + stream, wire, head),
      );
      if (sent.kind !== 'in-doubt' || Date.now() > deadline) return sent;
      if (this.#failure) throw this.#failure;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  #answer(looked: Exclude<Looked, { kind: 'new' }>, appendId: string): AppendResult {
    if (looked.kind !== 'written') return looked;
    const { revision, recordedAt } = looked;
    const position = encodePosition(looked.position);
    // What this very call has stored is no duplicate, however often it had to be sent.
    const duplicate = !this.#returned.has(appendId);
    return { kind: 'stored', revision, partition, position, recordedAt, duplicate };
  }

  #applied(events: readonly FollowedEvent[]): void {
    for (const { ours } of events) {
      if (ours?.head && this.#pending.has(ours.head.id)) this.#returned.add(ours.head.id);
    }
    this.#arrivals.arrived(events.map(({ stream, revision }) => [this.#ownName(stream), revision]));
  }

  #ownName(stream: string): string {
    return stream.slice(this.#prefix.length);
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.#arrivals.fail(error);
  }

  /** The last revision of a stream in the index; -1 when it has none. */
  async #headOf(stream: string): Promise<number> {
    const looked = await this.#index.look(stream, [], 'any');
    return looked.kind === 'new' && looked.head !== 'no-stream' ? looked.head : -1;
  }

  /** Whether the index comes to hold this revision of the stream in time. */
  async #comes(stream: string, revision: number): Promise<boolean> {
    try {
      if ((await this.#headOf(stream)) >= revision) return true;
    } catch (error) {
      if (!isCatchingUp(error)) throw error;
    }
    if (this.#failure) throw this.#failure;
    // Nothing is stored in the index between the look and this: that takes a turn of its own.
    return within(this.#arrivals.wait(stream, revision), limits.followMsMax, () => false);
  }

  async #mustCome(stream: string, revision: number): Promise<void> {
    if (!(await this.#comes(stream, revision))) throw new EventLogError('catching-up', tooSlow);
  }

  async #whole(): Promise<LogReads> {
    this.#mustServe();
    await this.#index.whole();
    return this.#index.reads;
  }

  #mustServe(): void {
    if (this.#closed) throw new EventLogError('closed', 'the event log is closed');
    if (this.#failure) throw this.#failure;
  }
}

function isCatchingUp(error: unknown): error is EventLogError {
  return error instanceof EventLogError && error.code === 'catching-up';
}

const tooSlow = `the index did not come up with the server in ${limits.followMsMax} ms`;

function requestedEvent(event: NewEvent): ReplicaEvent {
  const { id, type, schemaVersion, data, contentHash, occurredAt, recordedAt } = event;
  const metadata = storedMetadata(event.metadata);
  return {
    ...{ id, type, schemaVersion, data, contentHash, occurredAt },
    metadata: Object.keys(metadata).length > 0 ? JSON.stringify(metadata) : null,
    recordedAt: recordedAt ?? null,
  };
}
