import { setTimeout as sleep } from 'node:timers/promises';
import {
  AssignerProtocol,
  type Consumer,
  type EachBatchPayload,
  type Kafka,
  type PartitionAssigner,
} from 'kafkajs';
import type { Feed, FeedBatch, FeedOptions } from './follower-thread.ts';
import { kafkaLimits } from './kafka-limits.ts';

export interface TopicFeedOptions extends FeedOptions {
  readonly client: Kafka;
  readonly topic: string;
  readonly groupId: string;
}

/**
 * The records of some partitions, for as long as it takes: whatever breaks is begun anew. It promises
 * little, since kafkajs reads by consumer groups and begins wherever it likes after a rebalance or an
 * offset out of range: batches may come twice, and may begin too early or too late. The follower knows.
 */
export class TopicFeed implements Feed {
  readonly #options: TopicFeedOptions;
  #consumer: Consumer | undefined;
  #stopped = false;

  constructor(options: TopicFeedOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#run();
  }

  seek(partition: number, offset: number): void {
    this.#consumer?.seek({ topic: this.#options.topic, partition, offset: String(offset) });
  }

  /** Nothing is handed over from here on. Connections end by themselves or with the thread. */
  stop(): void {
    this.#stopped = true;
    void this.#consumer?.disconnect().catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#consume();
      } catch (error) {
        const { message } = error as Error;
        if (this.#stopped) return;
        this.#options.onReport({ level: 'warn', message: `following: ${message}`, fields: {} });
      }
      await sleep(kafkaLimits.retryPauseMs);
    }
  }

  /** Ends by throwing once the consumer has crashed for good. */
  async #consume(): Promise<void> {
    const { client, topic, groupId, partitions } = this.#options;
    const consumer = client.consumer({
      groupId,
      partitionAssigners: [assignOnly(topic, partitions)],
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: kafkaLimits.fetchWaitMsMax,
      maxBytesPerPartition: kafkaLimits.fetchBytesMax,
      retry: { retries: 8, restartOnFailure: async () => false },
    });
    this.#consumer = consumer;
    const crashed = new Promise<never>((_, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    });
    crashed.catch(() => undefined);
    consumer.on(consumer.events.GROUP_JOIN, () => this.#begin());
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: async (payload) => {
          if (!this.#stopped) this.#options.onBatch(feedBatch(payload));
        },
      });
      await crashed;
    } finally {
      await consumer.disconnect().catch(() => undefined);
    }
  }

  #begin(): void {
    if (this.#stopped) return;
    this.#options.onBegin();
    for (const partition of this.#options.partitions) {
      this.seek(partition, this.#options.from(partition));
    }
  }
}

function feedBatch({ batch, resolveOffset }: EachBatchPayload): FeedBatch {
  return {
    partition: batch.partition,
    end: Number(batch.highWatermark),
    records: batch.messages.map(({ offset, key, value }) => ({
      offset: Number(offset),
      key,
      value,
    })),
    taken: () => resolveOffset(batch.lastOffset()),
  };
}

/** Gives all that is followed to the one member there is. */
function assignOnly(topic: string, partitions: readonly number[]): PartitionAssigner {
  const name = 'annals';
  const version = 0;
  return () => ({
    name,
    version,
    assign: async ({ members }) =>
      members.map(({ memberId }) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version,
          assignment: { [topic]: [...partitions] },
          userData: Buffer.alloc(0),
        }),
      })),
    protocol: ({ topics }) => ({
      name,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version,
        topics,
        userData: Buffer.alloc(0),
      }),
    }),
  });
}
