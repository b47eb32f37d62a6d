import { randomUUID } from 'node:crypto';
import { describeOn } from '@annals/core/testing';
import { CompressionTypes, type Kafka, type Producer } from 'kafkajs';
import { expect, onTestFinished, test } from 'vitest';
import { kafkaClient } from '../kafka-connection.ts';
import { removeTopic } from '../testing/remove-topic.ts';
import { Brokers, type WireBroker } from './brokers.ts';
import { fetchFrom } from './fetch.ts';
import { nextOffsetOf, recordsOf } from './record-batches.ts';
import { topicIdOf } from './topic-id.ts';

await describeOn('kafka', 'requests of our own through the connections of kafkajs', (kafka) => {
  const bounds = { requestMsMax: 10_000, retries: 5 };
  const client = kafkaClient({ brokers: kafka.addresses }, bounds, () => undefined);

  async function make(topic: string): Promise<void> {
    const admin = client.admin();
    await admin.connect();
    // kafkajs gives up waiting when a broker has not heard of the topic.
    await admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic, numPartitions: 1, replicationFactor: 1 }],
    });
    const leads = async () =>
      (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions[0]?.leader;
    await expect.poll(leads, { timeout: 10_000 }).toBeGreaterThanOrEqual(0);
    await admin.disconnect();
  }

  async function freshTopic(): Promise<string> {
    const topic = `wire-${randomUUID()}`;
    onTestFinished(() => removeTopic(kafka.addresses, topic));
    await make(topic);
    return topic;
  }

  async function leaderOf(topic: string): Promise<WireBroker> {
    const brokers = new Brokers(client, topic);
    onTestFinished(() => brokers.close());
    const [first] = await brokers.leaders([0]);
    if (!first) throw new Error('partition 0 has no leader');
    return first.broker;
  }

  async function fetchAll(
    broker: WireBroker,
    topic: string,
    topicId: string | undefined,
    offset = 0,
  ) {
    const limits = { waitMsMax: 100, partitionBytesMax: 1_000_000, bytesMax: 1_000_000 };
    const partitions = [{ partition: 0, offset }];
    const [fetched] = await fetchFrom(broker, { topic, topicId, partitions, ...limits });
    if (!fetched) throw new Error('nothing was said of partition 0');
    return fetched;
  }

  test('records are what was sent, by the name of the topic as by its id', async () => {
    const topic = await freshTopic();
    const producer = await producerOf(client);
    const large = 'large '.repeat(2_000);
    await producer.send({
      topic,
      messages: [
        { key: 'a', value: 'one' },
        { key: null, value: large, headers: { to: 'nobody' } },
      ],
    });
    await producer.send({
      ...{ topic, compression: CompressionTypes.GZIP },
      messages: Array.from({ length: 300 }, (_, n) => ({
        key: 'c',
        value: n === 7 ? null : `${n}`,
      })),
    });
    const broker = await leaderOf(topic);
    const id = await topicIdOf(broker, topic);
    const byId = await fetchAll(broker, topic, id);
    const records = recordsOf(byId, 0);
    expect(records).toHaveLength(302);
    expect(records.map(({ offset }) => offset)).toEqual(records.map((_, at) => at));
    expect(records[0]).toMatchObject({ key: Buffer.from('a'), value: Buffer.from('one') });
    expect(records[1]).toMatchObject({ key: null, value: Buffer.from(large) });
    expect(records[9]).toMatchObject({ key: Buffer.from('c'), value: null });
    expect(records[301]?.value?.toString()).toBe('299');
    expect({ end: byId.end, next: nextOffsetOf(byId) }).toEqual({ end: 302, next: 302 });
    const byName = await fetchAll(broker, topic, undefined);
    expect(recordsOf(byName, 0)).toEqual(records);
    // A batch comes whole, whatever of it was asked for.
    const middle = await fetchAll(broker, topic, id, 150);
    expect(recordsOf(middle, 150)).toEqual(records.slice(150));
    expect(await broker.range(topic, 0)).toEqual({ low: 0, end: 302 });
    expect((await fetchAll(broker, topic, id, 303)).error).toBe(1);
  });

  test('an answer that holds but the beginning of a batch goes on with that batch', async () => {
    const topic = await freshTopic();
    const producer = await producerOf(client);
    for (const value of ['first', 'second'.repeat(5_000)]) {
      await producer.send({ topic, messages: [{ value }] });
    }
    const broker = await leaderOf(topic);
    const cut = { waitMsMax: 100, partitionBytesMax: 10_000, bytesMax: 10_000 };
    const topicId = await topicIdOf(broker, topic);
    const partitions = [{ partition: 0, offset: 0 }];
    const [fetched] = await fetchFrom(broker, { topic, topicId, partitions, ...cut });
    expect(fetched && nextOffsetOf(fetched)).toBe(1);
    expect(fetched && recordsOf(fetched, 0).map(({ value }) => String(value))).toEqual(['first']);
  });

  test("what was written in a transaction says so, and Kafka's own marks are passed over", async () => {
    const topic = await freshTopic();
    const producer = client.producer({
      transactionalId: topic,
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    onTestFinished(() => producer.disconnect());
    for (const [value, kept] of [
      ['kept 1', true],
      ['broken 1', false],
      ['kept 2', true],
      ['broken 2', false],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      await (kept ? transaction.commit() : transaction.abort());
    }
    const broker = await leaderOf(topic);
    for (const id of [await topicIdOf(broker, topic), undefined]) {
      const fetched = await fetchAll(broker, topic, id);
      const records = recordsOf(fetched, 0);
      expect(records.map(({ offset }) => offset)).toEqual([0, 2, 4, 6]);
      expect(records.every(({ isInTransaction }) => isInTransaction)).toBe(true);
      expect(nextOffsetOf(fetched)).toBe(8);
    }
  });

  test('a topic that was made anew has another id, and is not read by the one it had', async () => {
    const topic = await freshTopic();
    const before = await topicIdOf(await leaderOf(topic), topic);
    expect(before).toMatch(/^[0-9a-f]{32}$/);
    await removeTopic(kafka.addresses, topic);
    await make(topic);
    const broker = await leaderOf(topic);
    expect(await topicIdOf(broker, topic)).not.toBe(before);
    expect((await fetchAll(broker, topic, before)).error).toBe(100);
  });
});

async function producerOf(client: Kafka): Promise<Producer> {
  const producer = client.producer();
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  return producer;
}
