import { setImmediate as nextTurn } from 'node:timers/promises';
import { pageLimit } from '@annals/event-log/page-limit';
import {
  type Checkpoint,
  type Delivery,
  type Direction,
  type EventLog,
  EventLogError,
  type EventMark,
  type Filter,
  type Page,
  type Position,
  type Revision,
  type StoredEvent,
  type StreamPage,
} from '@annals/event-log/port';
import { subscription, type Wanted, type WantedPage } from '@annals/event-log/subscription';
import { encodePosition, isDropped, dataUnits as unitsOf } from './event-rows.ts';
import type { HeadWatch } from './head-watch.ts';
import type { LogReader } from './log-reader.ts';
import { sqliteLimits } from './sqlite-limits.ts';

export interface ReadOptions {
  readonly direction?: Direction;
  readonly limit?: number;
}

export interface StreamReadOptions extends ReadOptions {
  readonly from?: Revision;
}

/** The same events with the bodies that the replica has dropped. Throws EventLogError. */
export type FillBodies = (events: readonly StoredEvent[]) => Promise<readonly StoredEvent[]>;

/**
 * The reading half of the port over one file or several, one for each partition: the SQLite log has
 * one, a replica of another engine's log as many as it serves.
 */
export class LogReads {
  #readers: readonly LogReader[];
  readonly #watch: HeadWatch;
  readonly #settle: () => Promise<void>;
  readonly #fill: FillBodies | undefined;
  readonly #mends: (error: unknown) => boolean;
  #ended = false;

  /**
   * `watch` is asked with `headSum` of the same readers. `settle` is awaited before anything is read: what
   * was answered is in the files when it resolves. `fill` is asked for bodies that are not there any more.
   * `mends` says of what failed that the files are being made anew: then it is done again after `settle`.
   */
  constructor(
    readers: readonly LogReader[],
    watch: HeadWatch,
    settle: () => Promise<void> = async () => undefined,
    fill?: FillBodies,
    mends: (error: unknown) => boolean = () => false,
  ) {
    this.#readers = readers;
    this.#watch = watch;
    this.#settle = settle;
    this.#fill = fill;
    this.#mends = mends;
  }

  /** The files were made anew, and hold what they held: reads go on from these. */
  replaceReaders(readers: readonly LogReader[]): void {
    this.close();
    this.#readers = readers;
    if (this.#ended) this.close();
  }

  mustBeOpen(): void {
    if (this.#ended) throw new EventLogError('closed', 'the event log is closed');
  }

  async readStream(
    partition: number,
    stream: string,
    options: StreamReadOptions = {},
  ): Promise<StreamPage> {
    this.mustBeOpen();
    return this.#settled(() => {
      this.mustBeOpen();
      const reader = this.#readers.find((one) => one.partition === partition);
      if (!reader) {
        throw new RangeError(`${stream} is in partition ${partition}, which is not served here`);
      }
      return this.#whole(reader.readStream(stream, options));
    });
  }

  async read(
    from: Checkpoint | 'start' | 'end',
    filter: Filter = {},
    options: ReadOptions = {},
  ): Promise<Page> {
    const limit = pageLimit(options.limit);
    // A caller that reads page after page lets the rest of the process have its turn between two.
    await nextTurn();
    return this.#settled(() => {
      this.mustBeOpen();
      if (options.direction === 'backward') {
        return this.#whole(this.#pageBackward(from, filter, limit));
      }
      if (from === 'end') return { events: [], checkpoint: this.#head(), end: true };
      return this.#whole(this.#pageForward(from === 'start' ? {} : from, filter, limit));
    });
  }

  subscribe(...how: Parameters<EventLog['subscribe']>): AsyncIterable<Delivery> {
    return subscription(
      async (from, filter, limit) => {
        await nextTurn();
        return this.#settled(async () => {
          if (this.#ended) return undefined;
          const { wakes } = this.#watch;
          const head = headSum(this.#readers);
          const page = await this.#whole(this.#pageForward(from, filter, limit));
          if (this.#ended) return undefined;
          const changed = (signal: AbortSignal) => this.#watch.wait(head, signal, wakes);
          return { page, changed };
        });
      },
      ...how,
    );
  }

  async count(filter: Filter = {}): Promise<ReadonlyMap<string, number>> {
    this.mustBeOpen();
    await this.#settle();
    const counts = new Map<string, number>();
    const readers = this.#readers;
    for (const reader of readers) {
      const head = reader.head();
      const step = reader.countedPositionsMax;
      for (const kind of reader.kindsOf(filter)) {
        let events = 0;
        for (let after = 0; after < head; after += step) {
          events += reader.countOf(kind, after, Math.min(head, after + step));
          await nextTurn();
          this.mustBeOpen();
          if (readers !== this.#readers) return this.count(filter);
        }
        if (events > 0) counts.set(kind.type, (counts.get(kind.type) ?? 0) + events);
      }
    }
    return counts;
  }

  async head(): Promise<Checkpoint> {
    this.mustBeOpen();
    return this.#settled(() => {
      this.mustBeOpen();
      return this.#head();
    });
  }

  /** From here on nothing is served; who waits for new events is woken and ends. */
  end(): void {
    this.#ended = true;
    this.#watch.wakeAll();
  }

  /** Lets go of the connections, after `end`. */
  close(): void {
    for (const reader of this.#readers) reader.close();
    this.#readers = [];
  }

  async #whole<Answer extends { readonly events: readonly StoredEvent[] }>(
    page: Answer,
  ): Promise<Answer> {
    if (!this.#fill || !page.events.some(({ data }) => isDropped(data))) return page;
    return { ...page, events: await this.#fill(page.events) };
  }

  /** What `read` gives once all that was answered is there. */
  async #settled<Result>(read: () => Result | Promise<Result>): Promise<Result> {
    for (;;) {
      await this.#settle();
      try {
        return await read();
      } catch (error) {
        if (!this.#mends(error)) throw error;
      }
    }
  }

  /**
   * Every partition gets its share of the page first, so that a busy one does not keep the others
   * back; what they leave goes to those that have more.
   */
  #pageForward(from: Checkpoint, filter: Wanted, limit: number): WantedPage {
    const [only] = this.#readers;
    if (only && this.#readers.length === 1) return only.page(from, filter, { limit });
    const events: StoredEvent[] = [];
    const passed = new Map<number, EventMark>();
    let checkpoint = from;
    let dataUnits = 0;
    let cut = false;
    let open = this.#readers;
    while (open.length > 0 && events.length < limit) {
      const share = Math.max(1, Math.floor((limit - events.length) / open.length));
      const more: LogReader[] = [];
      for (const reader of open) {
        const asked = Math.min(share, limit - events.length);
        if (asked === 0 || dataUnits > sqliteLimits.pageDataUnitsMax) return pageOf(false);
        const page = reader.page(checkpoint, filter, { limit: asked });
        checkpoint = page.checkpoint;
        if (page.events.length > 0) passed.delete(reader.partition);
        for (const mark of page.passed ?? []) passed.set(mark.partition, mark);
        for (const event of page.events) {
          events.push(event);
          dataUnits += unitsOf(event.data);
        }
        if (page.end) continue;
        // One that stopped short of its share has done enough work for one call.
        if (page.events.length < asked) cut = true;
        else more.push(reader);
      }
      open = more;
    }
    return pageOf(open.length === 0 && !cut);

    function pageOf(end: boolean): WantedPage {
      const page = { events, checkpoint, end };
      return passed.size === 0 ? page : { ...page, passed: [...passed.values()] };
    }
  }

  #pageBackward(from: Checkpoint | 'start' | 'end', filter: Filter, limit: number): Page {
    const events: StoredEvent[] = [];
    let checkpoint: Checkpoint = {};
    let end = true;
    for (const reader of this.#readers) {
      const asked = limit - events.length;
      if (asked > 0) {
        const page = reader.page(from, filter, { direction: 'backward', limit: asked });
        events.push(...page.events);
        checkpoint = { ...checkpoint, ...page.checkpoint };
        end &&= page.end;
      } else {
        const rest = backwardStart(reader, from);
        if (rest === undefined) continue;
        checkpoint = { ...checkpoint, [reader.partition]: rest };
        end = false;
      }
    }
    return { events, checkpoint, end };
  }

  #head(): Checkpoint {
    const head: { [partition: number]: Position } = {};
    for (const reader of this.#readers) {
      const last = reader.head();
      if (last > 0) head[reader.partition] = encodePosition(last);
    }
    return head;
  }
}

/** A number that grows whenever an event is added to one of the files. */
export function headSum(readers: readonly LogReader[]): number {
  return readers.reduce((sum, reader) => sum + reader.head(), 0);
}

/** Where a page that had no room for this partition goes on; undefined when nothing is before `from`. */
function backwardStart(
  reader: LogReader,
  from: Checkpoint | 'start' | 'end',
): Position | undefined {
  if (typeof from === 'object') return from[reader.partition];
  const head = from === 'end' ? reader.head() : 0;
  return head === 0 ? undefined : encodePosition(head + 1);
}
