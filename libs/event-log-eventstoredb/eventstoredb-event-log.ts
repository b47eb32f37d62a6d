import { type Clock, systemClock } from '@annals/core';
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
} from '@annals/event-log';
import type { LogReads, ReadOptions, StreamReadOptions } from '@annals/event-log-sqlite/replica';
import type { EventStoreDBClient } from '@eventstore/db-client';
import { Appender } from './appender.ts';
import { Barriers } from './barriers.ts';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';
import { FollowedIndex, partition, type Report } from './followed-index.ts';
import { PrefixRecord } from './prefix-record.ts';
import { clientOf, hostsOf, untilAnswered } from './server-connection.ts';

export interface EventStoreDBEventLogOptions {
  /** `esdb://user:password@host:2113?tls=true`, as EventStoreDB's clients take it. */
  readonly connection: string;
  /** Where this process keeps its index. No other process may use it; it can be removed at any time it is closed. */
  readonly folder: string;
  /** Streams of this log begin with it on the server, so that several logs may share one. Streams there that others began are skipped. */
  readonly prefix?: string;
  /** Only looked at: it is opened also where another log on the server keeps it from being written to. */
  readonly readOnly?: boolean;
  /** Stamps `recordedAt`. */
  readonly clock?: Pick<Clock, 'now'>;
  /** Connections that were lost, an index that is made anew. */
  readonly onReport?: (report: Report) => void;
}

/** How far the server was followed. */
export interface EventStoreDBStatus {
  readonly position: number;
  readonly events: number;
  /** Events under our prefix that are not ours: skipped. */
  readonly foreign: number;
  readonly queueDepth: number;
}

/** The port, and what an operator wants to know of it. */
export interface EventStoreDBEventLog extends EventLog {
  readonly folder: string;
  /**
   * Resolves when all that was acknowledged in the stream before the call can be read here; in every stream when none is
   * named. Throws EventLogError `unreachable` or `catching-up` when that is not sure in time.
   */
  barrier(stream?: string): Promise<void>;
  status(): EventStoreDBStatus;
}

/**
 * Opens the log on a server, and catches up with it before anything is served. Throws EventLogError:
 * `io` when the folder belongs to another process, `unreachable` when no server answers, `refused` when it refuses us, or
 * holds a log whose streams ours cannot be told from, `corrupt` when it is not the
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
  /** Of the connection string, for messages: without user and password. */
  readonly #hosts: string;
  readonly #client: EventStoreDBClient;
  readonly #index: FollowedIndex;
  readonly #barriers: Barriers;
  readonly #prefixes: PrefixRecord;
  readonly #appender: Appender;
  readonly #readOnly: boolean;
  #closed: Promise<void> | undefined;

  constructor(options: EventStoreDBEventLogOptions, client: EventStoreDBClient) {
    const { connection, folder, prefix = '', clock = systemClock, readOnly = false } = options;
    const onReport = (report: Report) => options.onReport?.(report);
    this.folder = folder;
    this.#hosts = hostsOf(connection);
    this.#client = client;
    const index = new FollowedIndex({
      ...{ client, folder, prefix },
      onApplied: (events) => {
        this.#appender.applied(events);
        this.#barriers.applied(events);
      },
      onReport,
      onFailed: (error) => this.#barriers.fail(error),
    });
    this.#index = index;
    this.#barriers = new Barriers({ client, index, prefix });
    this.#prefixes = new PrefixRecord({ client, prefix, onReport });
    const parts = { client, index, barriers: this.#barriers, prefixes: this.#prefixes };
    this.#appender = new Appender({ ...parts, prefix, clock });
    this.#readOnly = readOnly;
  }

  /** Bounded only until the server answers: an index may have much to read. */
  async catchUp(): Promise<void> {
    await untilAnswered(this.#client, this.#hosts);
    if (!this.#readOnly) await this.#prefixes.check();
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
    return this.#appender.append(stream, checked.bytes, events, expected);
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

  async barrier(stream?: string): Promise<void> {
    this.#mustServe();
    if (stream === undefined) await this.#barriers.ofAll();
    else await this.#barriers.ofStream(stream);
  }

  status(): EventStoreDBStatus {
    const { place, events, foreign } = this.#index.progress;
    return { position: place, events, foreign, queueDepth: this.#appender.depth };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#index.reads.end();
    await this.#appender.idle();
    await this.#index.end();
    await within(this.#client.dispose(), limits.closeMsMax, () => undefined);
    this.#index.close();
  }

  async #whole(): Promise<LogReads> {
    this.#mustServe();
    await this.#index.whole();
    return this.#index.reads;
  }

  #mustServe(): void {
    if (this.#closed) throw new EventLogError('closed', 'the event log is closed');
    if (this.#barriers.failure) throw this.#barriers.failure;
  }
}
