import { randomUUID } from 'node:crypto';
import { describeOn } from '@annals/core/testing';
import { type Checkpoint, encodeCheckpoint, memoryEventLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import { relayLog } from './index.ts';
import { freshTopic } from './testing/fresh-topic.ts';
import { plainTopic } from './testing/plain-topic.ts';

await describeOn('kafka', 'a relay to a topic for others', (kafka) => {
  const brokers = kafka.addresses;

  test('only accepted events, in order for each stream; it goes on from where it was kept', async () => {
    const log = await freshTopic(kafka).open();
    const { topic, relayed } = await plainTopic(brokers);
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
    const found = await relayed();
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
    const { topic, relayed } = await plainTopic(brokers);
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
    expect(await relayed()).toHaveLength(2);
  }, 60_000);

  test('a topic that is not there is an error, not made', async () => {
    const relaying = relayLog({
      ...{ log: memoryEventLog(), connection: { brokers }, topic: `none-${randomUUID()}` },
      ...{ from: {}, until: 'head', onRelayed: () => undefined },
    });
    await expect(relaying).rejects.toThrow('is not there');
  });
});
