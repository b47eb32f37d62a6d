import { partitionOf } from '@annals/event-log-kafka';
import { readRecord, type TopicRecord } from '@annals/event-log-kafka/engine';
import { formatsWithSecond } from '@annals/event-log-kafka/testing';
import { NaivePartition } from './naive-partition.ts';

export interface TwinMessage {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly isInTransaction?: boolean;
}

/** Where a transaction ends: it takes an offset, and no reader is given it. */
const transactionEnd = 'end of a transaction';

interface TwinPartition {
  records: (TwinMessage | typeof transactionEnd)[];
  naive: NaivePartition;
  /** The lowest end it was ever cut to. */
  lostFrom: number;
}

/** A topic in memory: partitions of records, and whoever waits for more. What it takes stands in order, at once. */
export class TopicTwin {
  readonly #partitions: TwinPartition[];
  readonly #waiters = new Set<() => void>();
  /** Grows when a leader was elected that lacks records: all connections break then. */
  elections = 0;

  constructor(partitions: number) {
    this.#partitions = Array.from({ length: partitions }, (_, partition) => ({
      records: [],
      naive: new NaivePartition(partition, (stream) => this.homeOf(stream)),
      lostFrom: Number.POSITIVE_INFINITY,
    }));
  }

  get partitions(): number {
    return this.#partitions.length;
  }

  homeOf(stream: string): number {
    return partitionOf(stream, this.partitions);
  }

  naive(partition: number): NaivePartition {
    return this.#partition(partition).naive;
  }

  /** The offset that the next record gets. */
  end(partition: number): number {
    return this.#partition(partition).records.length;
  }

  /** The offset of the last record, -1 without any. */
  last(partition: number): number {
    return this.#partition(partition).records.findLastIndex((record) => record !== transactionEnd);
  }

  /** The records before this offset have never been lost. */
  lostFrom(partition: number): number {
    return this.#partition(partition).lostFrom;
  }

  append(partition: number, messages: readonly TwinMessage[]): void {
    const twin = this.#partition(partition);
    for (const message of messages) this.#add(twin, message);
    this.wakeAll();
  }

  /** What somebody else writes in a transaction. */
  transact(partition: number, messages: readonly TwinMessage[]): void {
    const twin = this.#partition(partition);
    for (const message of messages) this.#add(twin, { ...message, isInTransaction: true });
    this.#add(twin, transactionEnd);
    this.wakeAll();
  }

  /** The records among `count` offsets. */
  fetch(partition: number, from: number, count: number): TopicRecord[] {
    const records = this.#partition(partition).records.slice(from, from + count);
    return records.flatMap((record, index) =>
      record === transactionEnd ? [] : [{ ...record, offset: from + index }],
    );
  }

  /** A replica that lacks the records from `end` on becomes the leader. */
  truncate(partition: number, end: number): void {
    const twin = this.#partition(partition);
    const kept = twin.records.slice(0, end);
    twin.records = [];
    twin.naive = new NaivePartition(partition, (stream) => this.homeOf(stream));
    twin.lostFrom = Math.min(twin.lostFrom, end);
    for (const message of kept) this.#add(twin, message);
    this.elections += 1;
    this.wakeAll();
  }

  /** Resolves when a record comes, or something else happens that a reader has to look at. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.add(resolve);
    });
  }

  wakeAll(): void {
    for (const wake of [...this.#waiters]) wake();
    this.#waiters.clear();
  }

  #add(twin: TwinPartition, added: TwinMessage | typeof transactionEnd): void {
    const offset = twin.records.push(added) - 1;
    if (added === transactionEnd || added.isInTransaction) return;
    const read = readRecord(formatsWithSecond, added.value, added.key);
    twin.naive.read(offset, read.kind === 'record' ? read.record : undefined);
  }

  #partition(partition: number): TwinPartition {
    const twin = this.#partitions[partition];
    if (!twin) throw new RangeError(`there is no partition ${partition}`);
    return twin;
  }
}
