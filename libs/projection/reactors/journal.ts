import type { Clock, SubjectCipher } from '@annals/core';
import {
  type DomainEvent,
  type EventLog,
  isPassing,
  type NewEvent,
  type RecordedEvent,
  type Revision,
} from '@annals/event-log';
import { type ReactorEventType, reactorEventTypes, reactorStream } from './events.ts';
import { evolveProgress, type Progress, restatesProgress } from './progress.ts';

/** Another process works for this reactor: this one must stop before it does anything twice. */
export class ReactorSupersededError extends Error {
  readonly code = 'reactor-superseded';
  constructor(name: string) {
    super(`another process runs the reactor ${name}`);
    this.name = 'ReactorSupersededError';
  }
}

type JournalEvents = readonly DomainEvent<ReactorEventType>[];

/** What waits to be written. */
interface Turn {
  readonly build: (head: string) => JournalEvents;
  readonly stored: () => void;
  readonly isAlone: boolean;
  /** Nobody hurries: it goes with the next turn that does. */
  readonly mayWait: boolean;
  /** UTF-16 units of its data, about. */
  readonly length: number;
  readonly written: PromiseWithResolvers<void>;
}

/** Of one append: below the limits of a log, also where each character takes three bytes. */
const turnsMax = 64;
const appendLengthMax = 131_072;
const pageEvents = 100;
const retryAfterMs = 200;
/** How long what may wait is kept for an append of others. */
const waitsMsMax = 20;

/**
 * The reactor's stream. Every append states the revision it knows, so of two processes one wins and
 * the other learns of it before it makes a call. What many effects have to write while an append is on its way
 * goes into the next one together: each waits for one append, however many there are.
 */
export class ReactorJournal {
  readonly #log: EventLog;
  readonly #name: string;
  readonly #cipher: SubjectCipher;
  readonly #clock: Clock;
  #head: Revision | 'no-stream' = 'no-stream';
  readonly #waiting: Turn[] = [];
  #isWriting = false;
  /** How many of those that wait, from the first on, are to be written now. */
  #due = 0;
  #isTiming = false;

  constructor(log: EventLog, name: string, cipher: SubjectCipher, clock: Clock) {
    this.#log = log;
    this.#name = name;
    this.#cipher = cipher;
    this.#clock = clock;
  }

  /** Reads the stream backward to the last event that restates the progress, and folds from there. */
  async load(): Promise<Progress | undefined> {
    const stream = reactorStream(this.#name);
    const first = await this.#log.readStream(stream, { direction: 'backward', limit: pageEvents });
    this.#head = first.head;
    const backward: RecordedEvent<ReactorEventType>[] = [];
    let page = first;
    while (page.events.length > 0) {
      const events = await reactorEventTypes.decode(page.events, this.#cipher);
      const restated = events.findIndex(restatesProgress);
      backward.push(...(restated < 0 ? events : events.slice(0, restated + 1)));
      const oldest = events.at(-1);
      if (restated >= 0 || !oldest || oldest.revision === 0) break;
      page = await this.#log.readStream(stream, {
        from: oldest.revision - 1,
        direction: 'backward',
        limit: pageEvents,
      });
    }
    return backward.reduceRight<Progress | undefined>(evolveProgress, undefined);
  }

  /**
   * Appends after all that was recorded before. `stored` is called before anything else is written. `mayWait`: for
   * `waitsMsMax`, so that it goes into an append of others. Throws ReactorSupersededError.
   */
  record(
    events: JournalEvents,
    stored: () => void = () => undefined,
    { mayWait = false }: { readonly mayWait?: boolean } = {},
  ): Promise<void> {
    const length = events.reduce((sum, { data }) => sum + JSON.stringify(data).length, 0);
    return this.#take({ build: () => events, stored, isAlone: false, mayWait, length });
  }

  /**
   * Appends what says how things stand: `build` is called when all that was recorded before is stored, and nothing
   * else is in its append, so that it fits what was written before. Throws ReactorSupersededError.
   */
  restate(build: (head: string) => JournalEvents): Promise<void> {
    const stored = () => undefined;
    return this.#take({ build, stored, isAlone: true, mayWait: false, length: 0 });
  }

  #take(turn: Omit<Turn, 'written'>): Promise<void> {
    const written = Promise.withResolvers<void>();
    this.#waiting.push({ ...turn, written });
    if (turn.mayWait) void this.#hurryInTime();
    else this.hurry();
    return written.promise;
  }

  /** What waits is written now. */
  hurry(): void {
    this.#due = this.#waiting.length;
    if (!this.#isWriting) void this.#write();
  }

  async #hurryInTime(): Promise<void> {
    if (this.#isTiming) return;
    this.#isTiming = true;
    await this.#clock.sleep(waitsMsMax);
    this.#isTiming = false;
    this.hurry();
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#due > 0) {
      const turns = this.#waiting.splice(0, this.#inOneAppend());
      this.#due = Math.max(0, this.#due - turns.length);
      try {
        await this.#append(turns.flatMap(({ build }) => build(String(this.#head))));
        for (const { stored } of turns) stored();
        for (const { written } of turns) written.resolve();
      } catch (error) {
        for (const { written } of turns) written.reject(error);
      }
    }
    this.#isWriting = false;
  }

  /** How many turns fit into the next append. */
  #inOneAppend(): number {
    let length = 0;
    const end = this.#waiting.findIndex((turn, place) => {
      length += turn.length;
      if (place === 0) return false;
      const isFull = place >= turnsMax || length > appendLengthMax;
      return isFull || turn.isAlone || this.#waiting[0]?.isAlone === true;
    });
    return end < 0 ? this.#waiting.length : end;
  }

  /**
   * The revision of the event with this event's id, whatever it says; undefined when there is none.
   * Stores nothing: the duplicate check comes before the expected one, and the stream has events.
   */
  async revisionOf(event: DomainEvent<ReactorEventType>): Promise<Revision | undefined> {
    if (this.#head === 'no-stream') return undefined;
    const encoded = await reactorEventTypes.encode([event], this.#cipher);
    if (encoded.kind !== 'encoded') throw new Error('a reactor event names a subject');
    for (;;) {
      const result = await this.#log.append(reactorStream(this.#name), encoded.events, {
        expected: 'no-stream',
      });
      if (result.kind === 'conflict') return undefined;
      if (result.kind === 'stored' || result.kind === 'content-mismatch') return result.revision;
      await this.#clock.sleep(retryAfterMs);
    }
  }

  async #append(events: JournalEvents): Promise<void> {
    const encoded = await reactorEventTypes.encode(events, this.#cipher);
    if (encoded.kind !== 'encoded') throw new Error('a reactor event names a subject');
    while ((await this.#appendOnce(encoded.events)) === 'again') {
      await this.#clock.sleep(retryAfterMs);
    }
  }

  async #appendOnce(events: readonly NewEvent[]): Promise<'stored' | 'again'> {
    const expected = this.#head;
    const result = await this.#log.append(reactorStream(this.#name), events, { expected });
    switch (result.kind) {
      case 'stored': {
        const first = expected === 'no-stream' ? 0 : expected + 1;
        // A duplicate elsewhere in the stream was written by another process, not by our own retry.
        if (result.revision !== first + events.length - 1) {
          throw new ReactorSupersededError(this.#name);
        }
        this.#head = result.revision;
        return 'stored';
      }
      case 'unknown':
        return 'again';
      case 'refused':
        if (isPassing(result.reason)) return 'again';
        throw new Error(`the log refused a reactor event: ${result.detail}`);
      default:
        throw new ReactorSupersededError(this.#name);
    }
  }
}
