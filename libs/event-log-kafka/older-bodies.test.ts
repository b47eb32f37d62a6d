import type { NewEvent, StoredEvent } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { encodePosition, firstPositionOf } from '@annals/event-log-sqlite/replica';
import { expect, test } from 'vitest';
import { kafkaLimits } from './kafka-limits.ts';
import { OlderBodies } from './older-bodies.ts';
import type { TopicRecord } from './partition-follower.ts';
import { recordFormats } from './record-formats.ts';
import { appendRecord, freshAppendId, voidRecord } from './testing/sample-records.ts';

const perFetch = 10;

/** A topic of one record for each of `appends`, read ten at a time. */
function topicOf(records: readonly TopicRecord[]) {
  const asked: number[] = [];
  const reader = {
    read: async (_: number, offset: number) => {
      asked.push(offset);
      return records.slice(offset, offset + perFetch);
    },
    close: async () => undefined,
  };
  return { asked, bodies: new OlderBodies(reader, recordFormats) };
}

/** The event as the replica has it when its body was dropped. */
function dropped(event: NewEvent, offset: number, index = 0): StoredEvent {
  const { id, type, schemaVersion, contentHash, occurredAt } = event;
  return {
    ...{ id, type, schemaVersion, contentHash, occurredAt, recordedAt: 1, metadata: {} },
    ...{ data: '#20', stream: 'sample-1', revision: 0, partition: 0 },
    position: encodePosition(firstPositionOf(offset) + index),
  };
}

test('bodies are found by position, and one fetch serves all that it brings, in whatever order they are wanted', async () => {
  const events = Array.from({ length: 60 }, () => sampleEvent());
  const records = Array.from({ length: 30 }, (_, offset) =>
    appendRecord(offset, 'sample-1', { events: events.slice(2 * offset, 2 * offset + 2) }),
  );
  const { asked, bodies } = topicOf(records);
  const wanted = events.map((event, at) => dropped(event, Math.floor(at / 2), at % 2)).reverse();
  const filled = await bodies.fill(wanted);
  expect(filled.map(({ id, data }) => ({ id, data }))).toEqual(
    events.map(({ id, data }) => ({ id, data })).reverse(),
  );
  expect(asked).toEqual([0, 10, 20]);
  await bodies.fill(wanted.slice(3, 9));
  expect(asked).toHaveLength(3);
});

test('an event that the replica has whole is left as it is', async () => {
  const { asked, bodies } = topicOf([]);
  const event = { ...dropped(sampleEvent(), 0), data: '{"a":1}' };
  expect((await bodies.fill([event]))[0]).toBe(event);
  expect(asked).toEqual([]);
});

test('what the topic has in its place, or has no more, is never taken for it', async () => {
  const event = sampleEvent();
  const same = { events: [{ ...event, contentHash: 'ab'.repeat(32) }] };
  const records = [
    appendRecord(0, 'sample-1'),
    appendRecord(1, 'sample-1', same),
    voidRecord(2, freshAppendId()),
    { offset: 3, key: null, value: Buffer.from('not ours') },
  ];
  for (const offset of [0, 1, 2, 3, 4]) {
    const { bodies } = topicOf(records);
    await expect(bodies.fill([dropped(event, offset)])).rejects.toMatchObject({ code: 'corrupt' });
  }
});

test('what is kept is bounded', async () => {
  const fetches = kafkaLimits.bodyFetchesKept + 1;
  const events = Array.from({ length: fetches * perFetch }, () => sampleEvent());
  const records = events.map((event, offset) =>
    appendRecord(offset, 'sample-1', { events: [event] }),
  );
  const { asked, bodies } = topicOf(records);
  await bodies.fill(events.map((event, offset) => dropped(event, offset)));
  expect(asked).toHaveLength(fetches);
  await bodies.fill([dropped(events[0] as NewEvent, 0)]);
  expect(asked).toHaveLength(fetches + 1);
  await bodies.fill([dropped(events.at(-1) as NewEvent, events.length - 1)]);
  expect(asked).toHaveLength(fetches + 1);
});
