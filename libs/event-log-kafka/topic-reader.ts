import { setTimeout as sleep } from 'node:timers/promises';
import { EventLogError } from '@annals/event-log/port';
import type { Kafka } from 'kafkajs';
import { kafkaLimits } from './kafka-limits.ts';
import type { TopicRecord } from './partition-follower.ts';
import { Brokers } from './wire/brokers.ts';
import { fetchFrom, outOfRange } from './wire/fetch.ts';
import { recordsOf } from './wire/record-batches.ts';

/** Reads records of the topic again. */
export interface RecordReader {
  /** Some records from `offset` on; none when the topic has none there. Throws EventLogError `io` when it cannot be asked. */
  read(partition: number, offset: number): Promise<readonly TopicRecord[]>;
  close(): Promise<void>;
}

/** Asks whoever leads the partition, on connections of its own that are made when they are needed. */
export class TopicReader implements RecordReader {
  readonly #client: Kafka;
  readonly #topic: string;
  readonly #topicId: string | undefined;
  #brokers: Brokers | undefined;
  #closed = false;

  constructor(client: Kafka, topic: string, topicId: string | undefined) {
    this.#client = client;
    this.#topic = topic;
    this.#topicId = topicId;
  }

  async read(partition: number, offset: number): Promise<readonly TopicRecord[]> {
    const until = performance.now() + kafkaLimits.bodyMsMax;
    for (;;) {
      if (this.#closed) throw new EventLogError('closed', 'the event log is closed');
      this.#brokers ??= new Brokers(this.#client, this.#topic);
      const brokers = this.#brokers;
      try {
        return await this.#fetch(brokers, partition, offset);
      } catch (error) {
        // The next one to ask finds out anew who leads.
        if (this.#brokers === brokers) this.#brokers = undefined;
        void brokers.close();
        if (performance.now() > until) throw unreadable(partition, offset, error as Error);
      }
      await sleep(kafkaLimits.retryPauseMs);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#brokers?.close();
  }

  async #fetch(brokers: Brokers, partition: number, offset: number): Promise<TopicRecord[]> {
    const [leader] = await brokers.leaders([partition]);
    const [fetched] = leader
      ? await fetchFrom(leader.broker, {
          ...{ topic: this.#topic, topicId: this.#topicId, partitions: [{ partition, offset }] },
          waitMsMax: 0,
          partitionBytesMax: kafkaLimits.bodyBytesMax,
          bytesMax: kafkaLimits.bodyBytesMax,
        })
      : [];
    if (!fetched) throw new Error('Kafka says nothing of the partition');
    if (fetched.error === outOfRange) return [];
    if (fetched.error !== 0) throw new Error(`Kafka answers with error ${fetched.error}`);
    return recordsOf(fetched, offset);
  }
}

function unreadable(partition: number, offset: number, cause: Error): EventLogError {
  const what = `the bodies of offset ${offset} of partition ${partition} are in the topic, which cannot be read`;
  return new EventLogError('io', `${what}: ${cause.message}`, { cause });
}
