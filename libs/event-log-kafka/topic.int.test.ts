import { randomUUID } from 'node:crypto';
import { describeOn } from '@annals/core/testing';
import { sampleEvent } from '@annals/event-log/contract';
import { describe, expect, onTestFinished, test } from 'vitest';
import { kafkaEventLog, partitionOf } from './index.ts';
import { kafkaClient } from './kafka-connection.ts';
import { freshFolder } from './testing/fresh-follower.ts';
import { freshTopic } from './testing/fresh-topic.ts';
import { removeTopic } from './testing/remove-topic.ts';
import { appendRecord } from './testing/sample-records.ts';

await describeOn('kafka', 'the topic', (kafka) => {
  const brokers = kafka.addresses;
  const client = kafkaClient({ brokers }, { requestMsMax: 10_000, retries: 3 }, () => undefined);

  async function make(topic: string, config: { readonly [name: string]: string }): Promise<void> {
    const admin = client.admin();
    await admin.connect();
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    await admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic, numPartitions: 2, configEntries }],
    });
    await admin.disconnect();
  }

  describe('is refused where it would lose events, with what mends it', () => {
    const good = { 'retention.ms': '-1', 'retention.bytes': '-1', 'cleanup.policy': 'delete' };
    test.each<[string, { readonly [name: string]: string }, string]>([
      ['a time after which it forgets', { 'retention.ms': '604800000' }, 'retention.ms=-1'],
      ['a size after which it forgets', { 'retention.bytes': '1000000' }, 'retention.bytes=-1'],
      ['compaction', { 'cleanup.policy': 'compact' }, 'cleanup.policy=delete'],
      ['both', { 'cleanup.policy': 'compact,delete' }, 'cleanup.policy=delete'],
      [
        'leaders that lack events',
        { 'unclean.leader.election.enable': 'true' },
        'unclean.leader.election.enable=false',
      ],
      ['small records', { 'max.message.bytes': '1000' }, 'max.message.bytes=1000000'],
    ])('%s', async (_, wrong, fix) => {
      const topic = `test-${randomUUID()}`;
      onTestFinished(() => removeTopic(brokers, topic));
      await make(topic, { ...good, ...wrong });
      const opening = kafkaEventLog({ connection: { brokers }, topic, folder: freshFolder() });
      await expect(opening).rejects.toMatchObject({
        code: 'not-a-log',
        message: expect.stringContaining(`--add-config ${fix}`),
      });
    });

    test('too few replicas in sync, another number of partitions', async () => {
      const topic = `test-${randomUUID()}`;
      onTestFinished(() => removeTopic(brokers, topic));
      await make(topic, good);
      const options = { connection: { brokers }, topic, folder: freshFolder() };
      await expect(kafkaEventLog({ ...options, minInSyncReplicas: 2 })).rejects.toThrow(
        '--add-config min.insync.replicas=2',
      );
      await expect(kafkaEventLog({ ...options, partitions: 3 })).rejects.toThrow(
        'has 2 partitions, and 3 are configured',
      );
      await (await kafkaEventLog({ ...options, partitions: 2, replicationFactor: 1 })).close();
    });

    test('fewer replicas than are configured', async () => {
      const topic = `test-${randomUUID()}`;
      onTestFinished(() => removeTopic(brokers, topic));
      await make(topic, good);
      const options = { connection: { brokers }, topic, folder: freshFolder() };
      await expect(kafkaEventLog({ ...options, replicationFactor: 3 })).rejects.toMatchObject({
        code: 'not-a-log',
        message: expect.stringMatching(
          /has 1 replicas, and 3 are configured.*kafka-reassign-partitions\.sh, or configure 1$/,
        ),
      });
    });

    test('one that cannot be made says why', async () => {
      const options = { connection: { brokers }, topic: `test-${randomUUID()}` };
      const opening = kafkaEventLog({ ...options, folder: freshFolder(), replicationFactor: 3 });
      await expect(opening).rejects.toMatchObject({
        code: 'io',
        message: expect.stringMatching(/: Replication.?factor/i),
      });
    });
  });

  test('one that is not there is made only where that is allowed', async () => {
    const topic = `test-${randomUUID()}`;
    const options = { connection: { brokers }, topic, folder: freshFolder(), create: false };
    await expect(kafkaEventLog(options)).rejects.toThrow('is not there');
  });

  describe('made anew under its name', () => {
    const problem = 'other-topic';
    /** Several logs are opened, whose threads take their time to start where many tests run at once. */
    const patienceMs = 90_000;
    const events = [sampleEvent()];
    const first = { stream: 'sample-1', how: { expected: 'any' } } as const;

    test(
      'it stops the replica that followed the first, also when its records look alike',
      async () => {
        const site = freshTopic(kafka);
        const folder = freshFolder();
        const before = await site.open({ folder });
        await before.append(first.stream, events, first.how);
        await before.close();
        await removeTopic(brokers, site.topic);
        const after = await site.open();
        await after.append(first.stream, events, first.how);
        await expect(site.open({ folder })).rejects.toMatchObject({ problem });
        // Of the name, the replica that began with the new one follows on.
        expect(await after.append(first.stream, events, first.how)).toMatchObject({
          duplicate: true,
        });
      },
      patienceMs,
    );

    test(
      'it stops a process that follows the first, which reads nothing of the second',
      async () => {
        const site = freshTopic(kafka);
        const log = await site.open();
        await log.append(first.stream, events, first.how);
        await removeTopic(brokers, site.topic);
        const after = await site.open();
        await after.append('sample-2', [sampleEvent()], first.how);
        const head = () => log.head().catch((error: unknown) => error);
        await expect.poll(head, { timeout: 20_000 }).toMatchObject({ problem });
        await expect(log.append(first.stream, events, first.how)).rejects.toMatchObject({
          problem,
        });
      },
      patienceMs,
    );
  });

  describe('that was given more partitions', () => {
    const streams = Array.from({ length: 12 }, (_, number) => `sample-${number}`);

    async function give(topic: string, count: number): Promise<void> {
      const admin = client.admin();
      await admin.connect();
      await admin.createPartitions({ topicPartitions: [{ topic, count }] });
      const has = async () =>
        (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions;
      await expect.poll(has).toHaveLength(count);
      await admin.disconnect();
    }

    test('it is refused, and followed with those that it had', async () => {
      const site = freshTopic(kafka);
      const folder = freshFolder();
      const before = await site.open({ folder });
      for (const stream of streams)
        await before.append(stream, [sampleEvent()], { expected: 'any' });
      await before.close();
      await give(site.topic, 6);
      const problem = 'other-partitions';
      const message = expect.stringContaining('Write partitions=2 in its URL');
      const asItIs = { partitions: undefined };
      await expect(site.open(asItIs)).rejects.toMatchObject({ problem, message });
      await expect(site.open({ ...asItIs, folder })).rejects.toMatchObject({ problem, message });
      await expect(site.open({ partitions: 6 })).rejects.toMatchObject({ problem });
      const log = await site.open({ folder, partitions: 2 });
      expect(await log.append('sample-0', [sampleEvent()], { expected: 0 })).toMatchObject({
        kind: 'stored',
        revision: 1,
      });
      const anew = await site.open({ partitions: 2 });
      expect((await anew.read('start')).events).toHaveLength(streams.length + 1);
    });

    test('no process opens it before its URL says how many it was made with, where none of its records does', async () => {
      const site = freshTopic(kafka);
      const producer = client.producer();
      await (await site.open()).close();
      await producer.connect();
      // As a program wrote them that was older than the record which says it.
      for (const stream of streams) {
        const { key, value } = appendRecord(0, stream);
        const messages = [{ key, value, partition: partitionOf(stream, 2) }];
        await producer.send({ topic: site.topic, messages });
      }
      await producer.disconnect();
      await give(site.topic, 6);
      await expect(site.open({ partitions: undefined })).rejects.toThrow(
        /were written for another number of them.*write partitions= in its URL/,
      );
      for (const [partitions, found] of [
        [6, 'were written for another number of them'],
        [1, 'partition 1, which would be none of them, has records of the log'],
      ] as const) {
        await expect(site.open({ partitions })).rejects.toMatchObject({
          code: 'not-a-log',
          message: expect.stringContaining(found),
        });
      }
      const log = await site.open({ partitions: 2 });
      expect((await log.read('start')).events).toHaveLength(streams.length);
    });
  });

  test('what others put into it is skipped by all alike', async () => {
    const site = freshTopic(kafka);
    const log = await site.open();
    const producer = client.producer();
    await producer.connect();
    await producer.send({
      topic: site.topic,
      messages: [{ value: 'hello' }, { key: 'sample-1', value: '{"some":"event"}' }],
    });
    await producer.disconnect();
    await log.append('sample-1', [sampleEvent()], { expected: 'no-stream' });
    const other = await site.open();
    const foreign = () => other.status().reduce((sum, one) => sum + one.foreign, 0);
    expect(foreign()).toBe(2);
    expect((await other.read('start')).events).toHaveLength(1);
  });

  test('a process follows only the partitions it serves', async () => {
    const site = freshTopic(kafka);
    const all = await site.open();
    const one = await site.open({ served: [1] });
    const streams = Array.from({ length: 8 }, (_, number) => `sample-${number}`);
    for (const stream of streams) await all.append(stream, [sampleEvent()], { expected: 'any' });
    const own = streams.find((stream) => partitionOf(stream, 2) === 1) ?? '';
    const other = streams.find((stream) => partitionOf(stream, 2) === 0) ?? '';
    const appended = await one.append(own, [sampleEvent()], { expected: 0 });
    expect(appended).toMatchObject({ kind: 'stored', revision: 1 });
    await expect(one.append(other, [sampleEvent()], { expected: 0 })).rejects.toThrow('not served');
    await expect(one.readStream(other)).rejects.toThrow('not served');
    const { events } = await one.read('start');
    expect(events.every((event) => event.partition === 1)).toBe(true);
    expect(events).toHaveLength(
      1 + streams.filter((stream) => partitionOf(stream, 2) === 1).length,
    );
  });

  test('linearizable reads see what another process was told, without waiting for luck', async () => {
    const site = freshTopic(kafka);
    const writer = await site.open();
    const reader = await site.open({ linearizableReads: true });
    for (let round = 0; round < 40; round += 1) {
      await writer.append('sample-1', [sampleEvent()], { expected: 'any' });
      expect((await reader.readStream('sample-1', { limit: 1 })).head).toBe(round);
    }
  });
});
