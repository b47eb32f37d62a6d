import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, systemClock } from '@annals/core';
import {
  type AppendResult,
  type Checkpoint,
  checkAppend,
  coversAll,
  type Delivery,
  type Direction,
  type EventLog,
  EventLogError,
  type Expected,
  type Filter,
  type NewEvent,
  type Page,
  pageLimit,
  type Revision,
  type StreamPage,
} from '@annals/event-log';
import { encodePosition, partition } from './event-rows.ts';
import { HeadWatch } from './head-watch.ts';
import { connect, createLogFile, logFileName, type WriterSettings } from './log-file.ts';
import { LogReader } from './log-reader.ts';
import { sqliteLimits } from './sqlite-limits.ts';
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
  const reader = new LogReader(db, join(folder, logFileName));
  const watch = new HeadWatch(() => reader.head());
  if (readOnly) return new SqliteLog(folder, reader, watch, undefined);
  try {
    const writer = await WriterClient.open(folder, {
      clock,
      onStored: () => watch.wakeAll(),
      ...(options.queueLimits ? { limits: options.queueLimits } : {}),
    });
    return new SqliteLog(folder, reader, watch, writer);
  } catch (error) {
    reader.close();
    throw error;
  }
}

interface ReadOptions {
  readonly direction?: Direction;
  readonly limit?: number;
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
  readonly #reader: LogReader;
  readonly #watch: HeadWatch;
  readonly #writer: WriterClient | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    folder: string,
    reader: LogReader,
    watch: HeadWatch,
    writer: WriterClient | undefined,
  ) {
    this.folder = folder;
    this.#reader = reader;
    this.#watch = watch;
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
    this.#mustBeOpen();
    const checked = checkAppend(stream, events);
    if (checked.kind === 'refused') return checked;
    if (!this.#writer) {
      throw new EventLogError('read-only', `the log in ${this.folder} was opened for reading only`);
    }
    return this.#writer.append(stream, events, expected, checked.bytes);
  }

  async readStream(
    stream: string,
    options: ReadOptions & { readonly from?: Revision } = {},
  ): Promise<StreamPage> {
    this.#mustBeOpen();
    return this.#reader.readStream(stream, options);
  }

  async read(
    from: Checkpoint | 'start' | 'end',
    filter: Filter = {},
    options: ReadOptions = {},
  ): Promise<Page> {
    pageLimit(options.limit);
    // A caller that reads page after page lets the rest of the process have its turn between two.
    await nextTurn();
    this.#mustBeOpen();
    return this.#reader.page(from, filter, options);
  }

  subscribe(
    from: Checkpoint,
    filter: Filter = {},
    options: { readonly signal?: AbortSignal; readonly limit?: number } = {},
  ): AsyncIterable<Delivery> {
    const limit = pageLimit(options.limit);
    return {
      [Symbol.asyncIterator]: () => this.#deliveries(from, filter, limit, options.signal),
    };
  }

  async count(filter: Filter = {}): Promise<ReadonlyMap<string, number>> {
    this.#mustBeOpen();
    const head = this.#reader.head();
    const counts = new Map<string, number>();
    for (const kind of this.#reader.kindsOf(filter)) {
      let events = 0;
      for (let after = 0; after < head; after += sqliteLimits.countedPositionsMax) {
        const last = Math.min(head, after + sqliteLimits.countedPositionsMax);
        events += this.#reader.countOf(kind, after, last);
        await nextTurn();
        this.#mustBeOpen();
      }
      if (events > 0) counts.set(kind.type, (counts.get(kind.type) ?? 0) + events);
    }
    return counts;
  }

  async head(): Promise<Checkpoint> {
    this.#mustBeOpen();
    const head = this.#reader.head();
    return head === 0 ? {} : { [partition]: encodePosition(head) };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#watch.wakeAll();
    await this.#writer?.close();
    this.#reader.close();
  }

  async *#deliveries(
    from: Checkpoint,
    filter: Filter,
    limit: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Delivery, void, undefined> {
    const ended = () => this.#closed !== undefined || signal?.aborted === true;
    let at = from;
    let said: Checkpoint | undefined;
    while (!ended()) {
      await nextTurn();
      if (ended()) return;
      const head = this.#reader.head();
      const page = this.#reader.page(at, filter, { limit });
      at = page.checkpoint;
      if (page.events.length > 0) {
        said = undefined;
        yield { kind: 'events', events: page.events, checkpoint: at };
      } else if (!page.end) {
        said = undefined;
      } else if (said === undefined || !coversAll(said, at)) {
        said = at;
        yield { kind: 'caught-up', checkpoint: at };
      } else {
        await this.#watch.wait(head, signal);
      }
    }
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new EventLogError('closed', 'the event log is closed');
  }
}
