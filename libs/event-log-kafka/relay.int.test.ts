import { randomUUID } from 'node:crypto';
import { describeOn } from '@annals/core/testing';
import { type Checkpoint, encodeCheckpoint, memoryEventLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, onTestFinished, test } from 'vitest';
import { relayLog } from './index.ts';
import { kafkaClient } from './kafka-connection.ts';
import { freshTopic } from './testing/fresh-topic.ts';
import { removeTopic } from './testing/remove-topic.ts';

interface Relayed {
  readonly stream: string;
  readonly id: string;
  readonly event: { readonly revision: number; readonly data: unknown };
}

await describeOn('kafka', 'a relay to a topic for others', (kafka) => {
  const brokers = kafka.addresses;
  const client = kafkaClient({ brokers }, { requestMsMax: 10_000, retries: 3 }, () => undefined);

  async function makeTopic(): Promise<string> {
    const topic = `relay-${randomUUID()}`;
    const admin = client.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 3 }], waitForLeaders: false });
    await expect
      .poll(() =>
        admin.fetchTopicOffsets(topic).then(
          (found) => found.length,
          () => 0,
        ),
      )
      .toBe(3);
    await admin.disconnect();
    onTestFinished(() => removeTopic(brokers, topic));
    return topic;
  }

  async function consume(topic: string, count: number): Promise<Relayed[]> {
    const consumer = client.consumer({ groupId: randomUUID() });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    const found: Relayed[] = [];
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

  test('only accepted events, in order for each stream; it goes on from where it was kept', async () => {
    const log = await freshTopic(kafka).open();
    const topic = await makeTopic();
    const accepted: [string, string][] = [];
    const append = async (stream: string, expected: 'any' | number) => {
      const event = sampleEvent({ data: { text: '"é\\u2028' } });
      const { kind } = await log.append(stream, [event], { expected });
      if (kind === 'stored') accepted.push([stream, event.id]);
    };
    const relay = (from: Checkpoint) =>
      new Promise<Checkpoint>((resolve, reject) => {
        let kept = from;
        relayLog({
          ...{ log, connection: { brokers }, topic, from, until: 'head' },
          onRelayed: (checkpoint) => {
            kept = checkpoint;
          },
        }).then(() => resolve(kept), reject);
      });
    for (let round = 0; round < 10; round += 1) {
      await append(`sample-${round % 3}`, 'any');
      await append(`sample-${round % 3}`, 99);
    }
    const kept = await relay({});
    expect(encodeCheckpoint(kept)).toBe(encodeCheckpoint(await log.head()));
    for (let round = 0; round < 10; round += 1) await append(`sample-${round % 3}`, 'any');
    await relay(kept);
    const found = await consume(topic, 20);
    expect(found).toHaveLength(20);
    for (const stream of ['sample-0', 'sample-1', 'sample-2']) {
      const own = found.filter((one) => one.stream === stream);
      expect(own.map((one) => one.id)).toEqual(
        accepted.filter(([name]) => name === stream).map(([, id]) => id),
      );
      expect(own.map((one) => one.event.revision)).toEqual(own.map((_, index) => index));
    }
    expect(found[0]?.event.data).toEqual({ text: '"é\\u2028' });
  }, 60_000);

  test('from any log; it ends when it is told to', async () => {
    const log = memoryEventLog();
    const topic = await makeTopic();
    const stop = new AbortController();
    await log.append('sample-1', [sampleEvent()], { expected: 'any' });
    const relaying = relayLog({
      ...{ log, connection: { brokers }, topic, from: {}, until: 'follow', signal: stop.signal },
      onRelayed: (_, events) => {
        if (events === 2) stop.abort();
      },
    });
    await log.append('sample-1', [sampleEvent()], { expected: 'any' });
    expect(await relaying).toBe(2);
    expect(await consume(topic, 2)).toHaveLength(2);
  }, 60_000);

  test('a topic that is not there is an error, not made', async () => {
    const relaying = relayLog({
      ...{ log: memoryEventLog(), connection: { brokers }, topic: `none-${randomUUID()}` },
      ...{ from: {}, until: 'head', onRelayed: () => undefined },
    });
    await expect(relaying).rejects.toThrow('is not there');
  });
});
