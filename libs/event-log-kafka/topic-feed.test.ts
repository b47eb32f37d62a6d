import type { Kafka } from 'kafkajs';
import { expect, onTestFinished, test } from 'vitest';
import type { FeedBatch, FeedOptions } from './follower-thread.ts';
import { TopicFeed } from './topic-feed.ts';
import { type WireReader, WireWriter } from './wire/wire-bytes.ts';

const topic = 'topic';

/** What kafkajs takes a broker's answer apart with. */
interface Asked {
  readonly response: {
    decode(payload: Buffer): Promise<{ readonly reader: WireReader }>;
    parse(decoded: { readonly reader: WireReader }): Promise<unknown>;
  };
}

/**
 * One broker that leads one partition, as far as a feed uses kafkajs: fetches bring nothing and say that the partition
 * ends at `said`; asked for its end it says `end`.
 */
function clusterOf({ said, end }: { readonly said: number; readonly end: number }): Kafka {
  const answer = new WireWriter().int32(0).int32(1).string(topic).int32(1);
  answer.int32(0).int16(0).int64(said).int64(said).int32(-1).int32(0);
  const broker = {
    // Fetch by name, and no ids.
    versions: { 1: { maxVersion: 4 }, 3: { maxVersion: 1 } },
    connectionPool: {
      send: async ({ response }: Asked) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return response.parse(await response.decode(answer.bytes()));
      },
    },
    listOffsets: async () => ({
      responses: [{ partitions: [{ partition: 0, offset: String(end) }] }],
    }),
  };
  const cluster = {
    connect: async () => undefined,
    disconnect: async () => undefined,
    addTargetTopic: async () => undefined,
    findLeaderForPartitions: () => ({ 1: [0] }),
    findBroker: async () => broker,
  };
  return { [Symbol('private:Kafka:createCluster')]: () => cluster } as unknown as Kafka;
}

/** What a feed that has read up to `read` hands over. */
function feedOf(
  client: Kafka,
  read: number,
): { readonly batches: FeedBatch[]; asks: () => number } {
  const batches: FeedBatch[] = [];
  let asked = 0;
  const options: FeedOptions = {
    partitions: [0],
    from: () => read,
    endMin: () => {
      asked += 1;
      return read;
    },
    onBegin: () => undefined,
    onBatch: (batch) => batches.push(batch),
    onOutOfRange: () => expect.unreachable('nothing is out of range'),
    onReport: () => undefined,
  };
  const feed = new TopicFeed({ ...options, client, topic });
  feed.start();
  onTestFinished(() => feed.stop());
  return { batches, asks: () => asked };
}

test('a leader that does not know yet how far its replicas are does not make the topic shorter', async () => {
  const { batches, asks } = feedOf(clusterOf({ said: 7, end: 10 }), 10);
  await expect.poll(asks).toBeGreaterThan(10);
  expect(batches).toEqual([]);
});

test('a topic that is shorter is told, also when nothing new comes', async () => {
  const { batches } = feedOf(clusterOf({ said: 7, end: 7 }), 10);
  await expect
    .poll(() => batches[0])
    .toEqual({ partition: 0, end: 7, records: [], from: 10, next: 10 });
});
