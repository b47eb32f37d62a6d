import { randomUUID } from 'node:crypto';
import type { Kafka } from 'kafkajs';
import { expect, onTestFinished } from 'vitest';
import { type KafkaConnection, kafkaClient } from '../kafka-connection.ts';

/** An event as consumers of a relay get it. */
export interface RelayedEvent {
  readonly stream: string;
  readonly id: string;
  readonly event: { readonly revision: number; readonly data: unknown };
}

/** A topic that is nobody's log, as whoever runs a cluster makes it; removed when the running test has finished. */
export interface PlainTopic {
  readonly topic: string;
  /** Changes its settings. */
  alter(config: { readonly [name: string]: string }): Promise<void>;
  /** How many records it has. */
  size(): Promise<number>;
  /** All of its records, which are relayed events. */
  relayed(): Promise<RelayedEvent[]>;
}

export async function plainTopic(
  where: readonly string[] | KafkaConnection,
  config: { readonly [name: string]: string } = {},
  topic = `plain-${randomUUID()}`,
): Promise<PlainTopic> {
  const connection = 'brokers' in where ? where : { brokers: where };
  const client = kafkaClient(connection, { requestMsMax: 10_000, retries: 3 }, () => undefined);
  const admin = client.admin();
  await admin.connect();
  onTestFinished(async () => {
    const there = await admin.listTopics();
    if (there.includes(topic)) await admin.deleteTopics({ topics: [topic] });
    await admin.disconnect();
  });
  const configEntries = entriesOf(config);
  const made = { topic, numPartitions: 3, configEntries };
  await admin.createTopics({ topics: [made], waitForLeaders: false });
  const offsets = () => admin.fetchTopicOffsets(topic);
  await expect
    .poll(() =>
      offsets().then(
        (found) => found.length,
        () => 0,
      ),
    )
    .toBe(3);
  const size = async () =>
    (await offsets()).reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  return {
    topic,
    size,
    alter: async (changed) => {
      const resource = { type: 2, name: topic, configEntries: entriesOf(changed) };
      await admin.alterConfigs({ validateOnly: false, resources: [resource] });
    },
    relayed: async () => consume(client, topic, await size()),
  };
}

function entriesOf(config: { readonly [name: string]: string }) {
  return Object.entries(config).map(([name, value]) => ({ name, value }));
}

async function consume(client: Kafka, topic: string, count: number): Promise<RelayedEvent[]> {
  const found: RelayedEvent[] = [];
  if (count === 0) return found;
  const consumer = client.consumer({ groupId: randomUUID() });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const enough = Promise.withResolvers<void>();
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      found.push({
        stream: String(message.key),
        id: String(message.headers?.['event-id']),
        event: JSON.parse(String(message.value)),
      });
      if (found.length >= count) enough.resolve();
    },
  });
  await enough.promise;
  await consumer.disconnect();
  return found;
}
