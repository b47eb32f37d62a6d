import { randomUUID } from 'node:crypto';
import type { Engine } from '@annals/core/testing';
import { onTestFinished } from 'vitest';
import { type KafkaEventLog, type KafkaEventLogOptions, kafkaEventLog } from '../index.ts';
import { freshFolder } from './fresh-follower.ts';
import { removeTopic } from './remove-topic.ts';

export interface FreshTopic {
  readonly topic: string;
  /** A log on the topic in a folder of its own, or in the given one; closed with the test. */
  open(options?: Partial<KafkaEventLogOptions>): Promise<KafkaEventLog>;
}

/** A topic that nobody else has, removed when the running test has finished. */
export function freshTopic(kafka: Engine): FreshTopic {
  const topic = `test-${randomUUID()}`;
  onTestFinished(() => removeTopic(kafka.addresses, topic));
  return {
    topic,
    open: async (options = {}) => {
      const log = await kafkaEventLog({
        connection: { brokers: kafka.addresses },
        topic,
        folder: options.folder ?? freshFolder(),
        partitions: 2,
        ...options,
      });
      onTestFinished(() => log.close());
      return log;
    },
  };
}
