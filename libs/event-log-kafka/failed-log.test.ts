import type { Delivery } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, onTestFinished, test } from 'vitest';
import { kafkaEventLogOn } from './kafka-event-log.ts';
import { encodeFormat1 } from './record-format-1.ts';
import { freshFolder } from './testing/fresh-follower.ts';
import { freshAppendId, unwitnessed } from './testing/sample-records.ts';
import { TopicInMemory } from './testing/topic-in-memory.ts';

const any = { expected: 'any' } as const;

async function openLog() {
  const topic = new TopicInMemory();
  const connection = { brokers: [] };
  const log = await kafkaEventLogOn(topic.engine(), {
    ...{ connection, topic: 'topic', folder: freshFolder(), linearizableReads: true },
  });
  onTestFinished(() => log.close());
  return { topic, log };
}

/** A record that only a newer program can read. */
function newerRecord(): Buffer {
  const said = { kind: 'barrier', appendId: freshAppendId(), witness: unwitnessed } as const;
  const record = encodeFormat1(said);
  record[2] = 2;
  return record;
}

async function pull(deliveries: AsyncIterator<Delivery>): Promise<Delivery['kind']> {
  const { value } = await deliveries.next();
  return (value as Delivery).kind;
}

test('a log that has failed tells all who wait: subscriptions, reads, barriers, appends', async () => {
  const { topic, log } = await openLog();
  await log.append('sample-1', [sampleEvent()], any);
  const subscribed = log.subscribe({})[Symbol.asyncIterator]();
  expect(await pull(subscribed)).toBe('events');
  expect(await pull(subscribed)).toBe('caught-up');
  const waiting = subscribed.next();
  const failed = { name: 'FollowError', problem: 'newer-record' };
  topic.append([{ key: null, value: newerRecord() }]);
  await expect(waiting).rejects.toMatchObject(failed);
  await expect(log.head()).rejects.toMatchObject(failed);
  await expect(log.readStream('sample-1')).rejects.toMatchObject(failed);
  await expect(log.append('sample-1', [sampleEvent()], any)).rejects.toMatchObject(failed);
  await expect(log.subscribe({})[Symbol.asyncIterator]().next()).rejects.toMatchObject(failed);
});

test('a barrier that was asked for in the turn in which the log fails is not waited for', async () => {
  const { topic, log } = await openLog();
  const reading = log.readStream('sample-1');
  topic.killThread();
  await expect(reading).rejects.toMatchObject({ code: 'io' });
});

test('a log that has failed ends its subscriptions quietly when it is closed', async () => {
  const { topic, log } = await openLog();
  topic.killThread();
  await log.close();
  const { done } = await log.subscribe({})[Symbol.asyncIterator]().next();
  expect(done).toBe(true);
});
