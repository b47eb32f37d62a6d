import type { Kafka } from 'kafkajs';
import { expect, test } from 'vitest';
import { Brokers } from './brokers.ts';

test('a partition without a leader is unreachable for as long as that lasts', async () => {
  const cluster = {
    connect: async () => undefined,
    addTargetTopic: async () => undefined,
    findLeaderForPartitions: () => ({ 1: [0] }),
  };
  const kafka = { [Symbol('private:Kafka:createCluster')]: () => cluster } as unknown as Kafka;
  const leaders = new Brokers(kafka, 'topic').leaders([0, 1]);
  await expect(leaders).rejects.toMatchObject({ code: 'unreachable', retriable: true });
});
