import { join } from 'node:path';
import { type Clock, systemClock } from '@annals/core';
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
import { partition } from './event-rows.ts';
import { HeadWatch } from './head-watch.ts';
import { connect, createLogFile, logFileName, type WriterSettings } from './log-file.ts';
import { LogReader } from './log-reader.ts';
import { LogReads, type ReadOptions, type StreamReadOptions } from './log-reads.ts';
import { type QueueLimits, WriterClient, type WriterStatistics } from './writer-client.ts';

export interface SqliteEventLogOptions {
  /** Where the log's files are. Made when it is not there, unless `create` is false. */
  readonly folder: string;
  /** For tools: nothing is ever written, and the log must be there. */
  readonly readOnly?: boolean;
  /** False: a missing log is EventLogError `not-a-log` instead of a new one. */
  readonly create?: boolean;
  /** Stamps `recordedAt`. */
  readonly clock?: Pick<Clock, 'now'>;
  /** Bounds of the queue of the writer; those of `sqliteLimits` unless told. */
  readonly queueLimits?: QueueLimits;
}

/** The port, and what an operator wants to know of it. */
export interface SqliteEventLog extends EventLog {
  readonly folder: string;
  /** What this instance has written since it was opened, and what is waiting. */
  statistics(): WriterStatistics;
  /** How the writer's connection is set, read back from SQLite; undefined when `readOnly`. */
  readonly writerSettings: WriterSettings | undefined;
}

/**
 * Opens the log in `folder`, and makes it when it is not there. Any number of processes may have one
 * log open. Throws EventLogError: `not-a-log`, `newer-format`, `corrupt`, `read-only`, `disk-full`, `io`.
 */
export async function sqliteEventLog(options: SqliteEventLogOptions): Promise<SqliteEventLog> {
  const { folder, readOnly = false, create = !readOnly, clock = systemClock } = options;
  if (create) createLogFile(folder);
  const db = connect(folder, readOnly ? 'read-only' : 'read');
  const reader = new LogReader(db, join(folder, logFileName), {
    partition,
    positionStride: 1,
  });
  const watch = new HeadWatch(() => reader.head());
  const reads = new LogReads([reader], watch);
  if (readOnly) return new SqliteLog(folder, reads, undefined);
  try {
    const writer = await WriterClient.open(folder, {
      clock,
      onStored: () => watch.wakeAll(),
      ...(options.queueLimits ? { limits: options.queueLimits } : {}),
    });
    return new SqliteLog(folder, reads, writer);
  } catch (error) {
    reader.close();
    throw error;
  }
}

const noStatistics: WriterStatistics = {
  commits: 0,
  appends: 0,
  events: 0,
  duplicates: 0,
  failures: 0,
  queueDepth: 0,
  queueBytes: 0,
};

class SqliteLog implements SqliteEventLog {
  readonly folder: string;
  readonly #reads: LogReads;
  readonly #writer: WriterClient | undefined;
  #closed: Promise<void> | undefined;

  constructor(folder: string, reads: LogReads, writer: WriterClient | undefined) {
    this.folder = folder;
    this.#reads = reads;
    this.#writer = writer;
  }

  get writerSettings(): WriterSettings | undefined {
    return this.#writer?.settings;
  }

  statistics(): WriterStatistics {
    return this.#writer?.statistics() ?? noStatistics;
  }

  async append(
    stream: string,
    events: readonly NewEvent[],
    { expected }: { readonly expected: Expected },
  ): Promise<AppendResult> {
    this.#reads.mustBeOpen();
    const checked = checkAppend(stream, events);
    if (checked.kind === 'refused') return checked;
    if (!this.#writer) {
      throw new EventLogError('read-only', `the log in ${this.folder} was opened for reading only`);
    }
    return this.#writer.append(stream, events, expected, checked.bytes);
  }

  readStream(stream: string, options?: StreamReadOptions): Promise<StreamPage> {
    return this.#reads.readStream(partition, stream, options);
  }

  read(from: Checkpoint | 'start' | 'end', filter?: Filter, options?: ReadOptions): Promise<Page> {
    return this.#reads.read(from, filter, options);
  }

  subscribe(
    from: Checkpoint,
    filter?: Filter,
    options?: { readonly signal?: AbortSignal; readonly limit?: number },
  ): AsyncIterable<Delivery> {
    return this.#reads.subscribe(from, filter, options);
  }

  count(filter?: Filter): Promise<ReadonlyMap<string, number>> {
    return this.#reads.count(filter);
  }

  head(): Promise<Checkpoint> {
    return this.#reads.head();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#reads.end();
    await this.#writer?.close();
    this.#reads.close();
  }
}
