import { EventLogError } from '@annals/event-log/port';
import type { Kafka } from 'kafkajs';
import { topicIdNow } from './topic.ts';

/** The topic that a relay writes to, as its cluster tells it. */
export interface RelayTopic {
  /** Cluster and name. */
  readonly name: string;
  /** Another topic of the same name has another one. Undefined from brokers before Kafka 2.8. */
  readonly id: string | undefined;
  readonly partitions: number;
}

/** Throws EventLogError: `io` when no broker answers, `not-a-log` when the topic is not there. */
export async function findRelayTopic(kafka: Kafka, topic: string): Promise<RelayTopic> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const there = await admin.listTopics();
    if (!there.includes(topic)) {
      throw new EventLogError('not-a-log', `topic ${topic} is not there: make it first`);
    }
    const { clusterId } = await admin.describeCluster();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitions = topics[0]?.partitions.length ?? 1;
    return { name: `${clusterId}/${topic}`, id: await topicIdNow(kafka, topic), partitions };
  } catch (error) {
    if (error instanceof EventLogError) throw error;
    throw new EventLogError('io', `Kafka: ${(error as Error).message}`, { cause: error });
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
