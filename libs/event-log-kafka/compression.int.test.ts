import { describeOn } from '@annals/core/testing';
import { hashLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import { kafkaClient } from './kafka-connection.ts';
import { freshTopic } from './testing/fresh-topic.ts';

await describeOn('kafka', 'a log whose records are compressed', (kafka) => {
  const connection = { brokers: kafka.addresses };

  /** Bytes of the answers that bring all records of a topic, still compressed. */
  async function bytesFetched(topic: string): Promise<number> {
    const client = kafkaClient(connection, { requestMsMax: 10_000, retries: 3 }, () => undefined);
    const consumer = client.consumer({ groupId: `size-${topic}` });
    let bytes = 0;
    consumer.on(consumer.events.REQUEST, ({ payload }) => {
      if (payload.apiName === 'Fetch') bytes += payload.size;
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    const read = Promise.withResolvers<void>();
    let records = 0;
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        records += batch.messages.length;
        if (records >= 100) read.resolve();
      },
    });
    await read.promise;
    await consumer.disconnect();
    return bytes;
  }

  test('is smaller on its way, and the same log to those that compress and those that do not', async () => {
    const sizes: number[] = [];
    for (const compression of ['none', 'gzip'] as const) {
      const site = freshTopic(kafka);
      const log = await site.open({ compression });
      const text = 'the same words again and again, '.repeat(30);
      await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          log.append(`sample-${index % 5}`, [sampleEvent({ data: { text, index } })], {
            expected: 'any',
          }),
        ),
      );
      const other = await site.open({ compression: compression === 'gzip' ? 'none' : 'gzip' });
      expect((await hashLog(other)).digest()).toBe((await hashLog(log)).digest());
      const result = await other.append('sample-0', [sampleEvent()], { expected: 19 });
      expect(result).toMatchObject({ kind: 'stored', revision: 20 });
      sizes.push(await bytesFetched(site.topic));
    }
    const [plain = 0, packed = 0] = sizes;
    expect(plain).toBeGreaterThan(100_000);
    expect(packed).toBeLessThan(plain / 5);
  }, 120_000);
});
