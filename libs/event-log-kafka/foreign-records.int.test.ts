import { describeOn } from '@annals/core/testing';
import { sampleEvent } from '@annals/event-log/contract';
import type { Message } from 'kafkajs';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { KafkaEventLog } from './index.ts';
import { kafkaClient } from './kafka-connection.ts';
import { freshTopic } from './testing/fresh-topic.ts';
import { appendRecord } from './testing/sample-records.ts';

/** TOPIC among the resource types of the protocol. */
const topicResource = 2;

await describeOn('kafka', 'what others do to the topic', (kafka) => {
  const { addresses: brokers } = kafka;
  const client = kafkaClient({ brokers }, { requestMsMax: 10_000, retries: 3 }, () => undefined);

  async function compressBy(topic: string, type: string): Promise<void> {
    const admin = client.admin();
    await admin.connect();
    const configEntries = Object.entries({
      'retention.ms': '-1',
      'retention.bytes': '-1',
      'compression.type': type,
    }).map(([name, value]) => ({ name, value }));
    const resources = [{ type: topicResource, name: topic, configEntries }];
    await admin.alterConfigs({ validateOnly: false, resources });
    await admin.disconnect();
  }

  /** In a transaction of its own; what comes after `sent` ends it. */
  async function inTransaction(topic: string, message: Message): Promise<{ end(): Promise<void> }> {
    const id = `${topic}-${Math.random()}`;
    const producer = client.producer({ transactionalId: id, maxInFlightRequests: 1 });
    await producer.connect();
    onTestFinished(() => producer.disconnect());
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [message] });
    return { end: () => (message.key ? transaction.commit() : transaction.abort()) };
  }

  const foreignIn = (log: KafkaEventLog) =>
    log.status().reduce((sum, { foreign }) => sum + foreign, 0);

  test.each(['snappy', 'lz4', 'zstd', 'gzip'])(
    'its records are compressed by %s: they are read all the same',
    async (type) => {
      const site = freshTopic(kafka);
      const log = await site.open();
      await compressBy(site.topic, type);
      // Long enough for more than one block of each.
      const data = { text: 'a long one '.repeat(20_000) };
      for (let revision = 0; revision < 2; revision += 1) {
        const stored = await log.append('sample-1', [sampleEvent({ data })], { expected: 'any' });
        expect(stored).toMatchObject({ kind: 'stored', revision });
      }
      const producer = client.producer();
      await producer.connect();
      await producer.send({ topic: site.topic, messages: [{ value: 'hello' }] });
      await producer.disconnect();
      const other = await site.open();
      const { events } = await other.readStream('sample-1');
      expect(events.map((event) => JSON.parse(event.data))).toEqual([data, data]);
      expect(foreignIn(other)).toBe(1);
    },
  );

  describe('a transaction of somebody else', () => {
    test('that has ended is passed over, also at the end of the topic', async () => {
      const site = freshTopic(kafka);
      const log = await site.open();
      for (const message of [
        { key: 'committed', value: '1', partition: 0 },
        { value: 'aborted' },
      ]) {
        await (await inTransaction(site.topic, message)).end();
      }
      const other = await site.open();
      expect(foreignIn(other)).toBe(2);
      expect((await other.read('start')).events).toEqual([]);
      expect(await log.append('sample-1', [sampleEvent()], { expected: 'any' })).toMatchObject({
        kind: 'stored',
      });
    });

    test('that is open holds nothing back', async () => {
      const site = freshTopic(kafka);
      const log = await site.open();
      const partitions = [0, 1];
      const open = await Promise.all(
        partitions.map((partition) => inTransaction(site.topic, { value: 'open', partition })),
      );
      for (let revision = 0; revision < 3; revision += 1) {
        const appended = await log.append('sample-1', [sampleEvent()], { expected: 'any' });
        expect(appended).toMatchObject({ kind: 'stored', revision });
      }
      // Also not what was acknowledged before it was opened anew, on the same replica or on a new one.
      const { folder } = log;
      await log.close();
      for (const where of [{ folder }, {}]) {
        const again = await site.open(where);
        expect((await again.read('start')).events).toHaveLength(3);
        await again.close();
      }
      await Promise.all(open.map((one) => one.end()));
      expect((await (await site.open()).read('start')).events).toHaveLength(3);
    });

    test('that holds a record of ours stops whoever reads it: nobody knows whether it counts', async () => {
      const site = freshTopic(kafka);
      await site.open();
      const { key, value } = appendRecord(0, 'sample-1');
      const partitions = [0, 1];
      for (const partition of partitions) {
        await (await inTransaction(site.topic, { key, value, partition })).end();
      }
      await expect(site.open()).rejects.toMatchObject({ problem: 'in-transaction' });
    });
  });
});
