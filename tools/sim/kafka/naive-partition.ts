import type { AppendRecord, LogRecord } from '@annals/event-log-kafka/engine';
import { encodePosition, firstPositionOf } from '@annals/event-log-sqlite/replica';

/** A copy of a refused record that comes so many offsets later is still refused. Part of format 1. */
const refusedOffsetsMax = 10_000;

export interface NaiveEvent {
  readonly offset: number;
  readonly id: string;
  readonly contentHash: string;
  readonly data: string;
  readonly revision: number;
  readonly position: string;
  readonly recordedAt: number;
}

/** What must be said of an append, member by member as a caller is told. */
export type NaiveOutcome =
  | {
      readonly kind: 'stored';
      readonly revision: number;
      readonly position: string;
      readonly recordedAt: number;
      readonly duplicate: boolean;
    }
  | { readonly kind: 'conflict'; readonly actual: number | 'no-stream' }
  | { readonly kind: 'content-mismatch'; readonly id: string; readonly revision: number }
  | { readonly kind: 'partial-duplicate'; readonly known: readonly string[] }
  | { readonly kind: 'ignored' };

export interface NaiveRecord {
  readonly offset: number;
  readonly record: AppendRecord;
  readonly outcome: NaiveOutcome;
}

/**
 * What the records of one partition mean, said as plainly as possible: it shares no rule with the code it
 * is compared with, only the codec of records and the numbering of positions.
 */
export class NaivePartition {
  readonly #partition: number;
  readonly #homeOf: (stream: string) => number;
  readonly #streams = new Map<string, NaiveEvent[]>();
  readonly #appends: NaiveRecord[] = [];
  readonly #voided = new Set<string>();
  readonly #refusedAt = new Map<string, number>();
  #stamp = 0;

  constructor(partition: number, homeOf: (stream: string) => number) {
    this.#partition = partition;
    this.#homeOf = homeOf;
  }

  get appends(): readonly NaiveRecord[] {
    return this.#appends;
  }

  get streams(): ReadonlyMap<string, readonly NaiveEvent[]> {
    return this.#streams;
  }

  eventsOf(stream: string): readonly NaiveEvent[] {
    return this.#streams.get(stream) ?? [];
  }

  /** How many events the stream has from the records before `offset`. */
  countBefore(stream: string, offset: number): number {
    return this.eventsOf(stream).filter((event) => event.offset < offset).length;
  }

  /** Undefined stands for a record that is not ours. */
  read(offset: number, record: LogRecord | undefined): void {
    if (record?.kind === 'void') this.#voided.add(record.voids);
    if (record?.kind !== 'append' || this.#homeOf(record.stream) !== this.#partition) return;
    this.#stamp = Math.max(this.#stamp, record.stampedAt);
    const outcome = this.#judge(offset, record);
    if (outcome.kind === 'conflict') this.#refusedAt.set(record.appendId, offset);
    this.#appends.push({ offset, record, outcome });
  }

  #judge(offset: number, record: AppendRecord): NaiveOutcome {
    const refusedAt = this.#refusedAt.get(record.appendId) ?? Number.NEGATIVE_INFINITY;
    if (this.#voided.has(record.appendId) || offset - refusedAt <= refusedOffsetsMax) {
      return { kind: 'ignored' };
    }
    const there = this.eventsOf(record.stream);
    const found = record.events.map(({ id }) => there.find((event) => event.id === id));
    for (const [index, event] of found.entries()) {
      if (event && event.contentHash !== record.events[index]?.contentHash) {
        return { kind: 'content-mismatch', id: event.id, revision: event.revision };
      }
    }
    const known = found.filter((event) => event !== undefined);
    const [first] = known;
    if (first) {
      const asBefore = there.slice(first.revision, first.revision + record.events.length);
      const isWhole = asBefore.map(({ id }) => id).join() === idsOf(record);
      if (!isWhole) return { kind: 'partial-duplicate', known: known.map(({ id }) => id) };
      return stored(asBefore, true);
    }
    const head = there.length === 0 ? 'no-stream' : there.length - 1;
    if (!mayFollow(record, head)) return { kind: 'conflict', actual: head };
    return stored(this.#store(offset, record), false);
  }

  #store(offset: number, { stream, events }: AppendRecord): NaiveEvent[] {
    const there = this.#streams.get(stream) ?? [];
    const added = events.map(({ id, contentHash, data, recordedAt }, index) => ({
      ...{ offset, id, contentHash, data, revision: there.length + index },
      position: encodePosition(firstPositionOf(offset) + index),
      recordedAt: recordedAt ?? this.#stamp,
    }));
    this.#streams.set(stream, [...there, ...added]);
    return added;
  }
}

export function idsOf({ events }: Pick<AppendRecord, 'events'>): string {
  return events.map(({ id }) => id).join();
}

function stored(events: readonly NaiveEvent[], duplicate: boolean): NaiveOutcome {
  const last = events.at(-1);
  if (!last) throw new RangeError('an append without events');
  const { revision, position, recordedAt } = last;
  return { kind: 'stored', revision, position, recordedAt, duplicate };
}

/** The one rule that the second format changes: `any` does not begin a stream. */
function mayFollow({ format, expected }: AppendRecord, head: number | 'no-stream'): boolean {
  if (expected === 'any') return format === 1 || head !== 'no-stream';
  if (expected === 'exists') return head !== 'no-stream';
  return expected === head;
}
