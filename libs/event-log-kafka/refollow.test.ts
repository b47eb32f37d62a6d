import { setTimeout as sleep } from 'node:timers/promises';
import { EventLogError, hashLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { openReplica } from '@annals/event-log-sqlite/replica';
import { expect, onTestFinished, test } from 'vitest';
import type { KafkaEventLog } from './index.ts';
import { kafkaEventLogOn } from './kafka-event-log.ts';
import { PartitionFollower } from './partition-follower.ts';
import { encodeFormat1 } from './record-format-1.ts';
import { recordFormats } from './record-formats.ts';
import { freshFolder } from './testing/fresh-follower.ts';
import { freshAppendId, instance, unwitnessed } from './testing/sample-records.ts';
import { fullDisk, TopicInMemory } from './testing/topic-in-memory.ts';

const any = { expected: 'any' } as const;

async function openLog() {
  const topic = new TopicInMemory();
  const folder = freshFolder();
  const reports: string[] = [];
  const failures: Error[] = [];
  const log = await kafkaEventLogOn(topic.engine(), {
    ...{ connection: { brokers: [] }, topic: 'topic', folder },
    onReport: ({ message }) => void reports.push(message),
    onFailed: (error) => void failures.push(error),
  });
  onTestFinished(() => log.close());
  return { topic, folder, log, reports, failures };
}

async function fill(log: KafkaEventLog, count: number): Promise<void> {
  for (let round = 0; round < count; round += 1) {
    const stored = await log.append(`sample-${round % 3}`, [sampleEvent()], any);
    expect(stored.kind).toBe('stored');
  }
}

/** A log whose disk has become full while an append was under way. */
async function cutOff() {
  const { topic, log } = await openLog();
  await fill(log, 3);
  topic.holdsBack = true;
  const underWay = log.append('sample-1', [sampleEvent()], any);
  while (topic.records.length < 4) await sleep(1);
  topic.openFault = fullDisk();
  topic.failThread(fullDisk());
  return { topic, log, underWay };
}

/** Resolves when the log can be read. */
async function served(log: KafkaEventLog): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(20)) {
    const code = await log.head().then(
      () => undefined,
      (error: EventLogError) => error.code,
    );
    if (code === undefined) return;
  }
  expect.fail('in vain');
}

async function eventsIn(log: KafkaEventLog): Promise<number> {
  return (await log.read('start', {}, { limit: 1_000 })).events.length;
}

test('a full disk refuses all with its reason, and is over when there is room: nothing answered is missing', async () => {
  const { topic, log, reports, failures } = await openLog();
  await fill(log, 10);
  expect(await eventsIn(log)).toBe(10);
  topic.commitFault = fullDisk();
  // Answered by its verdict: it is in the topic, and the replica never kept it.
  await fill(log, 1);
  const full = { code: 'disk-full' };
  await expect(log.read('start')).rejects.toMatchObject(full);
  await expect(log.readStream('sample-1')).rejects.toMatchObject(full);
  await expect(log.append('sample-1', [sampleEvent()], any)).rejects.toMatchObject(full);
  await expect(log.subscribe({})[Symbol.asyncIterator]().next()).rejects.toMatchObject(full);
  // It was tried again, to no end.
  while (topic.starts < 3) await sleep(20);
  await expect(log.head()).rejects.toMatchObject(full);
  topic.holdsBack = true;
  // A start that had brought its records before fails as well; the one behind it brings none, and stays.
  for (let starts = 0; starts !== topic.starts; await sleep(2_000)) starts = topic.starts;
  topic.commitFault = undefined;
  // There is room, and what was answered has not been read again yet.
  await expect(log.head()).rejects.toMatchObject(full);
  topic.holdsBack = false;
  await served(log);
  expect(await eventsIn(log)).toBe(11);
  await fill(log, 5);
  expect(await eventsIn(log)).toBe(16);
  expect(failures).toEqual([]);
  expect(reports).toEqual([
    'the disk is full: free some space: the topic is not followed until that is over',
    'the topic is followed again',
  ]);
}, 60_000);

test('appends under way are answered unknown where the follower cannot be started again at once', async () => {
  const { topic, log, underWay } = await cutOff();
  expect(await underWay).toMatchObject({ kind: 'unknown' });
  topic.openFault = undefined;
  topic.holdsBack = false;
  await served(log);
  const again = log.append('sample-1', [sampleEvent()], any);
  expect(await again).toMatchObject({ kind: 'stored', revision: 2 });
}, 60_000);

test.each([
  ['has died', (topic: TopicInMemory) => topic.killThread()],
  ['met a disk that fails', (topic: TopicInMemory) => topic.failThread(broken('io'))],
  ['may not write', (topic: TopicInMemory) => topic.failThread(broken('read-only'))],
])(
  'a thread that %s is started again on the replica that is there',
  async (_, lose) => {
    const { topic, log, folder, failures } = await openLog();
    await fill(log, 20);
    await log.head();
    const before = (await hashLog(log)).digest();
    const bytes = topic.bytesBrought;
    topic.holdsBack = true;
    const underWay = log.append('sample-1', [sampleEvent()], any);
    while (topic.records.length < 21) await sleep(1);
    lose(topic);
    await expect(log.head()).rejects.toMatchObject({ code: expect.stringMatching(/io|read-only/) });
    topic.holdsBack = false;
    expect(await underWay).toMatchObject({ kind: 'stored' });
    await served(log);
    expect(await eventsIn(log)).toBe(21);
    expect((await hashLog(log)).digest()).not.toBe(before);
    // What the replica has is not read anew.
    expect(topic.bytesBrought - bytes).toBeLessThan(bytes);
    expect(failures).toEqual([]);
    await log.close();
    expect(openReplica(folder, 0)).toMatchObject({ found: 'kept' });
  },
  60_000,
);

test('an append that the replica holds, and whose verdict was never told, is unknown, and not refused later', async () => {
  const { topic, folder, log } = await openLog();
  await fill(log, 3);
  topic.holdsBack = true;
  const known = topic.records.length;
  const underWay = log.append('sample-1', [sampleEvent()], any);
  while (topic.records.length === known) await sleep(1);
  topic.killThread();
  // As a thread leaves it that has committed this partition, failed in another one, and never told.
  const { replica } = openReplica(folder, 0);
  const followed = { topic: 'cluster/topic', partition: 0, partitions: 1 };
  const follower = new PartitionFollower({
    replica,
    ...followed,
    formats: recordFormats,
    instance,
  });
  follower.apply(topic.records.slice(follower.feedFrom));
  replica.close();
  topic.holdsBack = false;
  expect(await underWay).toMatchObject({ kind: 'unknown' });
  await served(log);
  expect(await eventsIn(log)).toBe(4);
}, 20_000);

test('a topic that is not what it was ends it for good, and is told once', async () => {
  const { topic, log, failures } = await openLog();
  await fill(log, 3);
  const said = { kind: 'barrier', appendId: freshAppendId(), witness: unwitnessed } as const;
  const newer = encodeFormat1(said);
  newer[2] = 2;
  topic.append([{ key: null, value: newer }]);
  while (failures.length === 0) await sleep(5);
  await sleep(500);
  expect(failures).toMatchObject([{ problem: 'newer-record' }]);
  expect(topic.starts).toBe(1);
  await expect(log.head()).rejects.toMatchObject({ problem: 'newer-record' });
});

test('one that is closed while its disk is full ends at once', async () => {
  const { topic, log, underWay } = await cutOff();
  const { starts } = topic;
  await log.close();
  expect(await underWay).toMatchObject({ kind: 'unknown' });
  await sleep(500);
  expect(topic.starts).toBe(starts);
});

test('a disk that is full as the log is opened ends the opening', async () => {
  const { topic, log } = await openLog();
  await fill(log, 3);
  await log.close();
  const { starts } = topic;
  topic.commitFault = fullDisk();
  const opening = kafkaEventLogOn(topic.engine(), {
    ...{ connection: { brokers: [] }, topic: 'topic', folder: freshFolder() },
  });
  await expect(opening).rejects.toMatchObject({ code: 'disk-full' });
  expect(topic.starts).toBe(starts + 1);
});

function broken(code: 'io' | 'read-only'): EventLogError {
  return new EventLogError(code, 'the disk fails');
}
