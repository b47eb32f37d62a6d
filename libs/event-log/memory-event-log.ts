import { type Clock, systemClock } from '@annals/core';
import { checkAppend } from './append-rules.ts';
import { isPassedOver, matches } from './filter.ts';
import { indexAtOrAfter, justAfter, MemoryStorage } from './memory-storage.ts';
import { pageLimit } from './page-limit.ts';
import {
  type AppendResult,
  type Checkpoint,
  type Delivery,
  type EventLog,
  EventLogError,
  type Expected,
  type Filter,
  type NewEvent,
  type Page,
  type Position,
  type Revision,
  type StoredEvent,
  type StreamPage,
} from './port.ts';
import { type LookAfter, subscription, type Wanted, type WantedPage } from './subscription.ts';

/** What befalls one append. `stored` and `not-stored` say what the caller cannot know. */
export type AppendFault =
  | 'throw-not-stored'
  | 'throw-stored'
  | 'unknown-not-stored'
  | 'unknown-stored'
  | 'overloaded'
  | 'unreachable';

/** Asked before each step; a simulation answers from its seed. Absent or undefined: no fault. */
export interface MemoryLogFaults {
  append?(stream: string, events: readonly NewEvent[]): AppendFault | undefined;
  /** For `read`, `readStream`, `count` and `head`: throws EventLogError `io`. */
  read?(): 'throw' | undefined;
  /** Where a subscription from `from` really begins: earlier means that deliveries are repeated. */
  subscribe?(from: Checkpoint): Checkpoint;
  /** Before a delivery is handed over: `throw` breaks the subscription with EventLogError `io`, `repeat` hands it over twice. */
  deliver?(delivery: Delivery): 'throw' | 'repeat' | undefined;
}

export interface MemoryLogOptions {
  /** The storage of an earlier twin: this one is a process that starts, or a second one. */
  readonly storage?: MemoryStorage;
  /** For a new storage; 1 unless told. */
  readonly partitions?: number;
  readonly clock?: Pick<Clock, 'now'>;
  readonly faults?: MemoryLogFaults;
}

/** The twin, with the handles a simulation needs beside the port. */
export interface MemoryEventLog extends EventLog {
  readonly storage: MemoryStorage;
  /** From now on `read`, `subscribe`, `count` and `head` see no newer events, like a replica that lags. */
  hold(): void;
  release(): void;
  /** The process is gone: appends not yet stored never are, and everything under way is over. */
  crash(): void;
}

/**
 * The event log in memory. It has no timers and no randomness: the same calls give the same answers
 * in the same order of microtasks. A full read takes partitions in turns, never in order of time.
 */
export function memoryEventLog(options: MemoryLogOptions = {}): MemoryEventLog {
  const { partitions } = options;
  const storage =
    options.storage ?? new MemoryStorage(partitions === undefined ? {} : { partitions });
  return new MemoryLog(storage, options.clock ?? systemClock, options.faults ?? {});
}

interface StreamReadOptions {
  readonly from?: Revision;
  readonly direction?: 'forward' | 'backward';
  readonly limit?: number;
}

class MemoryLog implements MemoryEventLog {
  readonly storage: MemoryStorage;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #faults: MemoryLogFaults;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #unwatch: () => void;
  readonly #partitions: readonly number[];
  #state: 'open' | 'closing' | 'crashed' = 'open';
  #held: readonly number[] | undefined;
  #change = Promise.withResolvers<void>();

  constructor(storage: MemoryStorage, clock: Pick<Clock, 'now'>, faults: MemoryLogFaults) {
    this.storage = storage;
    this.#clock = clock;
    this.#faults = faults;
    this.#partitions = Array.from({ length: storage.partitions }, (_, partition) => partition);
    this.#unwatch = storage.watch(() => this.#wake());
  }

  async append(
    stream: string,
    events: readonly NewEvent[],
    { expected }: { readonly expected: Expected },
  ): Promise<AppendResult> {
    this.#mustBeOpen();
    const checked = checkAppend(stream, events);
    if (checked.kind === 'refused') return checked;
    // Copied now: what the caller does to its objects while the append is under way is its own affair.
    const copies = events.map((event) => ({ ...event }));
    const appending = this.#appendWithFaults(stream, copies, expected);
    this.#underWay.add(appending);
    try {
      return await appending;
    } finally {
      this.#underWay.delete(appending);
    }
  }

  async readStream(stream: string, options: StreamReadOptions = {}): Promise<StreamPage> {
    this.#mustBeOpen();
    const limit = pageLimit(options.limit);
    await this.#beforeRead();
    const events = this.storage.stream(stream);
    const head = events.length === 0 ? 'no-stream' : events.length - 1;
    if (options.direction === 'backward') {
      const end = Math.min(events.length, (options.from ?? events.length - 1) + 1);
      const slice = events.slice(Math.max(0, end - limit), Math.max(0, end));
      return { events: slice.reverse(), head };
    }
    const from = Math.max(0, options.from ?? 0);
    return { events: events.slice(from, from + limit), head };
  }

  async read(
    from: Checkpoint | 'start' | 'end',
    filter: Filter = {},
    options: { readonly direction?: 'forward' | 'backward'; readonly limit?: number } = {},
  ): Promise<Page> {
    this.#mustBeOpen();
    const limit = pageLimit(options.limit);
    await this.#beforeRead();
    if (options.direction === 'backward') return this.#pageBackward(from, filter, limit);
    if (from === 'end') return { events: [], checkpoint: this.#head(), end: true };
    return this.#pageForward(from === 'start' ? {} : from, filter, limit);
  }

  subscribe(...[from, ...how]: Parameters<EventLog['subscribe']>): AsyncIterable<Delivery> {
    const look: LookAfter = async (at, filter, limit) => {
      if (this.#state !== 'open') return undefined;
      const change = this.#change.promise;
      const page = this.#pageForward(at, filter, limit);
      return { page, changed: (signal) => this.#changed(change, signal) };
    };
    const begin = () => subscription(look, this.#faults.subscribe?.(from) ?? from, ...how);
    // A limit that is none is refused by the call, not by the first delivery.
    pageLimit(how[1]?.limit);
    return { [Symbol.asyncIterator]: () => this.#handOver(begin(), how[1]?.signal) };
  }

  async count(filter: Filter = {}): Promise<ReadonlyMap<string, number>> {
    this.#mustBeOpen();
    await this.#beforeRead();
    const counts = new Map<string, number>();
    for (const partition of this.#partitionsIn(filter)) {
      const log = this.storage.log(partition);
      for (let index = 0; index < this.#visible(partition); index += 1) {
        const event = log[index] as StoredEvent;
        if (matches(filter, event)) counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
      }
    }
    return counts;
  }

  async head(): Promise<Checkpoint> {
    this.#mustBeOpen();
    await this.#beforeRead();
    return this.#head();
  }

  async close(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closing';
    this.#unwatch();
    this.#wake();
    await Promise.allSettled(this.#underWay);
  }

  hold(): void {
    this.#held ??= Array.from(
      { length: this.storage.partitions },
      (_, partition) => this.storage.log(partition).length,
    );
  }

  release(): void {
    this.#held = undefined;
    this.#wake();
  }

  crash(): void {
    this.#state = 'crashed';
    this.#unwatch();
    this.#wake();
  }

  async #appendWithFaults(
    stream: string,
    events: readonly NewEvent[],
    expected: Expected,
  ): Promise<AppendResult> {
    const fault = this.#faults.append?.(stream, events);
    // The two pauses are where another caller runs, or the process dies, before and after the write.
    await Promise.resolve();
    this.#mustLive();
    if (fault === 'overloaded' || fault === 'unreachable') {
      return { kind: 'refused', reason: fault, detail: 'a fault was asked for' };
    }
    if (fault === 'throw-not-stored') throw broken();
    if (fault === 'unknown-not-stored') return unknown();
    const result = this.storage.append(stream, events, expected, this.#clock.now());
    await Promise.resolve();
    this.#mustLive();
    if (fault === 'throw-stored') throw broken();
    return fault === 'unknown-stored' ? unknown() : result;
  }

  async #beforeRead(): Promise<void> {
    const fault = this.#faults.read?.();
    await Promise.resolve();
    this.#mustLive();
    if (fault === 'throw') throw broken();
  }

  async #changed(change: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const onAbort = () => this.#wake();
    signal?.addEventListener('abort', onAbort);
    await change;
    signal?.removeEventListener('abort', onAbort);
  }

  /** Deliveries with the faults that were asked for. */
  async *#handOver(
    deliveries: AsyncIterable<Delivery>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Delivery, void, undefined> {
    for await (const delivery of deliveries) {
      const fault = this.#faults.deliver?.(delivery);
      if (fault === 'throw') throw broken();
      yield delivery;
      if (fault === 'repeat' && this.#state === 'open' && !signal?.aborted) yield delivery;
    }
  }

  #pageForward(from: Checkpoint, filter: Wanted, limit: number): WantedPage {
    const checkpoint: { [partition: number]: Position } = { ...from };
    const cursors = this.#partitionsIn(filter).map((partition) => ({
      partition,
      log: this.storage.log(partition),
      next: this.#indexAfter(partition, from[partition]),
      end: this.#visible(partition),
    }));
    const events: StoredEvent[] = [];
    const passed = new Map<number, StoredEvent>();
    let open = cursors.filter((cursor) => cursor.next < cursor.end);
    while (open.length > 0 && events.length < limit) {
      for (const cursor of open) {
        if (events.length === limit) break;
        const event = cursor.log[cursor.next] as StoredEvent;
        cursor.next += 1;
        checkpoint[cursor.partition] = event.position;
        if (!matches(filter, event)) continue;
        if (isPassedOver(filter.passOver, event)) {
          passed.set(cursor.partition, event);
          continue;
        }
        passed.delete(cursor.partition);
        events.push(event);
      }
      open = open.filter((cursor) => cursor.next < cursor.end);
    }
    const page = { events, checkpoint, end: open.length === 0 };
    return passed.size === 0 ? page : { ...page, passed: [...passed.values()] };
  }

  #pageBackward(from: Checkpoint | 'start' | 'end', filter: Filter, limit: number): Page {
    const cursors = this.#partitionsIn(filter).map((partition) => ({
      partition,
      log: this.storage.log(partition),
      next: this.#indexBefore(partition, from),
    }));
    const events: StoredEvent[] = [];
    let open = cursors.filter((cursor) => cursor.next >= 0);
    while (open.length > 0 && events.length < limit) {
      for (const cursor of open) {
        if (events.length === limit) break;
        const event = cursor.log[cursor.next] as StoredEvent;
        cursor.next -= 1;
        if (matches(filter, event)) events.push(event);
      }
      open = open.filter((cursor) => cursor.next >= 0);
    }
    const checkpoint: { [partition: number]: Position } = {};
    for (const { partition, log, next } of open) {
      checkpoint[partition] = justAfter((log[next] as StoredEvent).position);
    }
    return { events, checkpoint, end: open.length === 0 };
  }

  #partitionsIn({ partitions }: Filter): readonly number[] {
    return partitions
      ? this.#partitions.filter((one) => partitions.includes(one))
      : this.#partitions;
  }

  #visible(partition: number): number {
    return this.#held?.[partition] ?? this.storage.log(partition).length;
  }

  #indexAfter(partition: number, position: Position | undefined): number {
    if (position === undefined) return 0;
    return indexAtOrAfter(this.storage.log(partition), justAfter(position));
  }

  /** The index of the last visible event strictly before `from`; -1 when there is none. */
  #indexBefore(partition: number, from: Checkpoint | 'start' | 'end'): number {
    const position = typeof from === 'string' ? undefined : from[partition];
    if (from !== 'end' && position === undefined) return -1;
    const visible = this.#visible(partition);
    if (position === undefined) return visible - 1;
    return Math.min(visible, indexAtOrAfter(this.storage.log(partition), position)) - 1;
  }

  #head(): Checkpoint {
    return this.storage.head((partition) => this.#visible(partition));
  }

  #wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  #mustBeOpen(): void {
    if (this.#state !== 'open') throw new EventLogError('closed', 'the event log is closed');
  }

  #mustLive(): void {
    if (this.#state === 'crashed') throw new EventLogError('closed', 'the process has crashed');
  }
}

function broken(): EventLogError {
  return new EventLogError('io', 'a fault was asked for');
}

function unknown(): AppendResult {
  return { kind: 'unknown', detail: 'a fault was asked for' };
}
