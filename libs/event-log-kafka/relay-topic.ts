import { EventLogError } from '@annals/event-log/port';
import type { Kafka } from 'kafkajs';
import { connectionFault } from './connection-fault.ts';
import { holdsLog } from './holds-log.ts';
import { topicNow } from './topic.ts';
import { TopicReader } from './topic-reader.ts';

/** The topic that a relay writes to, as its cluster tells it. */
export interface RelayTopic {
  /** Cluster and name. */
  readonly name: string;
  /** Another topic of the same name has another one. Undefined from brokers before Kafka 2.8. */
  readonly id: string | undefined;
  readonly partitions: number;
}

/** A topic that a log is kept in, where whatever else is written stays for good. */
export class TopicOfLogError extends Error {
  readonly code = 'topic-of-a-log';
  constructor(topic: string) {
    super(
      `topic ${topic} holds a log, where events for others would stay for good: name a topic that is made for the relay`,
    );
    this.name = 'TopicOfLogError';
  }
}

/**
 * Throws EventLogError: `unreachable` when no broker answers, `refused` when one does not let us in, `not-a-log` when the
 * topic is not there; and TopicOfLogError for one that holds records of a log, or is `ownTopic` (cluster and name).
 */
export async function findRelayTopic(
  kafka: Kafka,
  brokers: readonly string[],
  topic: string,
  ownTopic?: string,
): Promise<RelayTopic> {
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
    const name = `${clusterId}/${topic}`;
    if (name === ownTopic) throw new TopicOfLogError(topic);
    const { id, offsets } = await topicNow(kafka, topic, partitions);
    const reader = new TopicReader(kafka, topic, id);
    try {
      for (const [partition, { low, end }] of offsets.entries()) {
        if (await holdsLog(reader, partition, low, end)) throw new TopicOfLogError(topic);
      }
    } finally {
      await reader.close();
    }
    return { name, id, partitions };
  } catch (error) {
    throw error instanceof TopicOfLogError ? error : connectionFault(error, brokers);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
