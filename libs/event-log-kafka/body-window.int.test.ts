import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describeOn } from '@annals/core/testing';
import { type EventLog, hashLog, type StoredEvent } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { snapshotReplica } from '@annals/event-log-sqlite/replica';
import { describe, expect, test } from 'vitest';
import type { KafkaEventLog } from './index.ts';
import { freshFolder } from './testing/fresh-follower.ts';
import { freshTopic } from './testing/fresh-topic.ts';
import { removeTopic } from './testing/remove-topic.ts';

const streams = ['sample-1', 'sample-2', 'sample-3'];
const rounds = 40;
const any = { expected: 'any' } as const;

/** How many bodies a replica holds, and how many it has dropped. */
function bodiesIn(folder: string, partitions = [0, 1]): { held: number; dropped: number } {
  const counts = { held: 0, dropped: 0 };
  for (const partition of partitions) {
    const file = join(folder, `partition-0000${partition}`, 'events.sqlite');
    using db = new DatabaseSync(file, { readOnly: true });
    for (const { dropped } of db.prepare("SELECT data LIKE '#%' AS dropped FROM events").all()) {
      counts[dropped ? 'dropped' : 'held'] += 1;
    }
  }
  return counts;
}

async function write(log: EventLog): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const events = Array.from({ length: 1 + (round % 3) }, (_, part) =>
      sampleEvent({ data: { round, part, text: `ü${'🙂'.repeat(round)}` } }),
    );
    await log.append(streams[round % streams.length] as string, events, any);
  }
}

async function everyWay(log: EventLog): Promise<readonly (readonly StoredEvent[])[]> {
  const subscribed: StoredEvent[] = [];
  for await (const delivery of log.subscribe({}, {}, { limit: 7 })) {
    if (delivery.kind === 'caught-up') break;
    subscribed.push(...delivery.events);
  }
  const pages = [
    await log.read('start', {}, { limit: 1_000 }),
    await log.read('end', {}, { limit: 1_000, direction: 'backward' }),
    ...(await Promise.all(streams.map((stream) => log.readStream(stream)))),
    await log.readStream('sample-2', { from: 3, direction: 'backward', limit: 2 }),
  ];
  return [subscribed, ...pages.map(({ events }) => events)];
}

await describeOn('kafka', 'a replica that keeps the bodies of a window', (kafka) => {
  describe('of three records', () => {
    test('answers as one that has all, in every way of reading, and knows every duplicate', async () => {
      const site = freshTopic(kafka);
      const whole = await site.open();
      await write(whole);
      const narrow = await site.open({ bodyRecordsMax: 3 });
      const held = bodiesIn(narrow.folder);
      expect(held.dropped).toBeGreaterThan(60);
      expect(held.held).toBeLessThan(20);
      const expected = await everyWay(whole);
      expect(expected[0]).toHaveLength(79);
      expect(await everyWay(narrow)).toEqual(expected);
      expect((await hashLog(narrow)).digest()).toBe((await hashLog(whole)).digest());
      const [first] = (await narrow.readStream('sample-1', { limit: 1 })).events;
      if (!first) throw new Error('sample-1 has no events');
      const again = { id: first.id, type: first.type, schemaVersion: first.schemaVersion };
      const sent = { ...again, data: first.data, occurredAt: first.occurredAt };
      const { contentHash } = first;
      expect(await narrow.append('sample-1', [{ ...sent, contentHash }], any)).toMatchObject({
        ...{ kind: 'stored', duplicate: true, revision: 0, position: first.position },
      });
      const other = { ...sent, contentHash: 'ab'.repeat(32) };
      expect(await narrow.append('sample-1', [other], any)).toMatchObject({
        kind: 'content-mismatch',
      });
    });

    test('drops them as it goes on, and where it had all before', async () => {
      const site = freshTopic(kafka);
      const folder = freshFolder();
      const before = await site.open({ folder });
      await write(before);
      await before.close();
      expect(bodiesIn(folder)).toEqual({ held: 79, dropped: 0 });
      const narrow = await site.open({ folder, bodyRecordsMax: 3 });
      for (const stream of streams) await narrow.append(stream, [sampleEvent()], any);
      const expected = await hashLog(narrow);
      const { held } = bodiesIn(folder);
      expect(held).toBeLessThan(20);
      await narrow.close();
      // What is not there does not come back by itself, and is read all the same.
      const wide = await site.open({ folder });
      expect((await hashLog(wide)).digest()).toBe(expected.digest());
      expect(bodiesIn(folder).held).toBe(held);
    });
  });

  test('is what a snapshot of it holds, and a process that starts from that reads all', async () => {
    const site = freshTopic(kafka);
    const narrow = await site.open({ bodyRecordsMax: 0 });
    await write(narrow);
    const expected = await hashLog(narrow);
    const folder = join(freshFolder(), 'snapshot');
    await snapshotReplica(narrow.folder, folder);
    expect(bodiesIn(folder)).toEqual({ held: 0, dropped: 79 });
    const started = await site.open({ folder });
    expect((await hashLog(started)).digest()).toBe(expected.digest());
  });

  test('says in bounded time that the topic cannot be read; what it holds is read on', async () => {
    const site = freshTopic(kafka);
    const log: KafkaEventLog = await site.open({ bodyRecordsMax: 2, partitions: 1 });
    await write(log);
    const recent = () => log.readStream('sample-1', { direction: 'backward', limit: 1 });
    expect((await recent()).events).toHaveLength(1);
    await removeTopic(kafka.addresses, site.topic);
    const reading = Promise.all([recent(), log.readStream('sample-1', { limit: 1 })]);
    await expect(reading).rejects.toMatchObject({ name: 'EventLogError', code: 'io' });
    expect((await recent()).events).toHaveLength(1);
  }, 60_000);

  test('is a number of records', async () => {
    const site = freshTopic(kafka);
    await expect(site.open({ bodyRecordsMax: -1 })).rejects.toThrow(RangeError);
    await expect(site.open({ bodyRecordsMax: 1.5 })).rejects.toThrow(RangeError);
  });
});
