import type { SubjectCipher } from '@annals/core';
import type { DomainEvent, EventLog, EventTypes, RecordedEvent } from '@annals/event-log';
import type { StreamEventType } from '../change.ts';

export interface MarkMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream'>;
  readonly cipher: SubjectCipher;
}

/** How far a work of the schedule has come, as the last event of a stream of its own. */
export class Marks<T extends StreamEventType> {
  readonly #means: MarkMeans;
  readonly #types: EventTypes<T>;
  readonly #stream: string;

  constructor(means: MarkMeans, types: EventTypes<T>, stream: string) {
    this.#means = means;
    this.#types = types;
    this.#stream = stream;
  }

  async last(): Promise<RecordedEvent<T> | undefined> {
    const { log, cipher } = this.#means;
    const { events } = await log.readStream(this.#stream, { direction: 'backward', limit: 1 });
    const [mark] = await this.#types.decode(events, cipher);
    return mark;
  }

  /** Throws where nobody can say that the mark is stored: then the work is done again. */
  async put(mark: DomainEvent<T>): Promise<void> {
    const { log, cipher } = this.#means;
    const encoded = await this.#types.encode([mark], cipher);
    if (encoded.kind !== 'encoded') throw new TypeError('a mark names a subject');
    const result = await log.append(this.#stream, encoded.events, { expected: 'any' });
    if (result.kind !== 'stored') throw new Error(`${this.#stream}: ${result.kind}`);
  }
}
