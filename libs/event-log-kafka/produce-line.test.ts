import type { Kafka } from 'kafkajs';
import { expect, test } from 'vitest';
import { ProduceLine } from './produce-line.ts';

/** A client whose producers fail to connect. */
function lineThatMeets(error: Error): ProduceLine {
  const producer = {
    connect: () => Promise.reject(error),
    disconnect: async () => undefined,
  };
  const kafka = { producer: () => producer } as unknown as Kafka;
  return new ProduceLine(kafka, 'topic', 'none', () => undefined);
}

test('brokers that do not let us are told from brokers that are away: nothing was sent to either', async () => {
  const away = Object.assign(new Error('no broker'), { name: 'KafkaJSBrokerNotFound' });
  expect(await lineThatMeets(away).send([{ value: 'x' }])).toBe('not-sent');
  const type = 'CLUSTER_AUTHORIZATION_FAILED';
  const revoked = Object.assign(new Error('Cluster authorization failed'), { type });
  expect(await lineThatMeets(revoked).send([{ value: 'x' }])).toEqual({
    kind: 'not-let',
    reason: 'Cluster authorization failed',
  });
});
