import type { Clock, SubjectCipher } from '@annals/core';
import type { DomainEvent, EventLog, NewEvent, RecordedEvent, Revision } from '@annals/event-log';
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

const pageEvents = 100;
const retryAfterMs = 200;

/**
 * The reactor's stream. Every append states the revision it knows, so of two processes one wins and
 * the other learns of it before it makes a call.
 */
export class ReactorJournal {
  readonly #log: EventLog;
  readonly #name: string;
  readonly #cipher: SubjectCipher;
  readonly #clock: Clock;
  #head: Revision | 'no-stream' = 'no-stream';
  #tail: Promise<void> = Promise.resolve();

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
   * Appends at the known revision, one append after the other. `build` is called when its turn has
   * come, and `stored` before the next turn, so that what is written always fits what was written
   * before. Throws ReactorSupersededError.
   */
  record(build: (head: string) => JournalEvents, stored?: () => void): Promise<void> {
    const appended = this.#tail.then(async () => {
      await this.#append(build(String(this.#head)));
      stored?.();
    });
    this.#tail = appended.catch(() => undefined);
    return appended;
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
        if (result.reason === 'overloaded') return 'again';
        throw new Error(`the log refused a reactor event: ${result.detail}`);
      default:
        throw new ReactorSupersededError(this.#name);
    }
  }
}
