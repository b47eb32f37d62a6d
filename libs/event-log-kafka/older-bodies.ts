import { EventLogError, type StoredEvent } from '@annals/event-log/port';
import {
  decodePosition,
  indexOf,
  isDropped,
  offsetOf,
  type ReplicaEvent,
} from '@annals/event-log-sqlite/replica';
import { kafkaLimits } from './kafka-limits.ts';
import { type RecordFormats, readRecord } from './record-formats.ts';
import type { RecordReader } from './topic-reader.ts';

/** The events of some records that follow each other, by their offsets. */
interface Stretch {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  readonly events: ReadonlyMap<number, readonly ReplicaEvent[]>;
}

/**
 * Bodies that the replica has dropped, read from the topic: a position names the record and the place in it.
 * What one fetch brought is kept for the next reader, who often wants its neighbours.
 */
export class OlderBodies {
  readonly #reader: RecordReader;
  readonly #formats: RecordFormats;
  /** The one that was used last stands last. */
  #kept: Stretch[] = [];

  constructor(reader: RecordReader, formats: RecordFormats) {
    this.#reader = reader;
    this.#formats = formats;
  }

  /** The same events with their bodies. Throws EventLogError: `io` when the topic cannot be asked, `corrupt` when it has others. */
  async fill(events: readonly StoredEvent[]): Promise<readonly StoredEvent[]> {
    const data = new Map<StoredEvent, string>();
    // In the order of the topic, so that each fetch serves all that it brings.
    const wanted = events.filter((event) => isDropped(event.data)).sort(inOrder);
    for (const event of wanted) data.set(event, await this.#bodyOf(event));
    return events.map((event) => {
      const body = data.get(event);
      return body === undefined ? event : { ...event, data: body };
    });
  }

  /** Reads the topic itself. */
  get reader(): Pick<RecordReader, 'read'> {
    return this.#reader;
  }

  close(): Promise<void> {
    this.#kept = [];
    return this.#reader.close();
  }

  async #bodyOf({ id, contentHash, partition, position }: StoredEvent): Promise<string> {
    const place = decodePosition(position);
    const offset = offsetOf(place);
    const { events } = this.#find(partition, offset) ?? (await this.#fetch(partition, offset));
    const found = events.get(offset)?.[indexOf(place)];
    if (found?.id === id && found.contentHash === contentHash) return found.data;
    throw new EventLogError(
      'corrupt',
      `offset ${offset} of partition ${partition} no longer holds event ${id}, whose body was dropped from the replica`,
    );
  }

  #find(partition: number, offset: number): Stretch | undefined {
    const at = this.#kept.findIndex(
      (one) => one.partition === partition && one.from <= offset && offset < one.to,
    );
    const found = this.#kept[at];
    if (found && at < this.#kept.length - 1) this.#kept.push(...this.#kept.splice(at, 1));
    return found;
  }

  async #fetch(partition: number, offset: number): Promise<Stretch> {
    const events = new Map<number, readonly ReplicaEvent[]>();
    let to = offset + 1;
    for (const record of await this.#reader.read(partition, offset)) {
      const read = readRecord(this.#formats, record.value, record.key);
      const isAppend = read.kind === 'record' && read.record.kind === 'append';
      if (isAppend) events.set(record.offset, read.record.events);
      to = record.offset + 1;
    }
    const stretch = { partition, from: offset, to, events };
    if (!events.has(offset)) return stretch;
    this.#kept.push(stretch);
    if (this.#kept.length > kafkaLimits.bodyFetchesKept) this.#kept.shift();
    return stretch;
  }
}

function inOrder(a: StoredEvent, b: StoredEvent): number {
  return a.partition - b.partition || (a.position < b.position ? -1 : 1);
}
