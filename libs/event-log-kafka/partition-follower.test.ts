import { rmSync } from 'node:fs';
import { sampleEvent, sampleEvents } from '@annals/event-log/contract';
import { encodePosition, firstPositionOf } from '@annals/event-log-sqlite/replica';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FollowError } from './follow-error.ts';
import { kafkaLimits } from './kafka-limits.ts';
import type { TopicRecord } from './partition-follower.ts';
import { partitionOf } from './partition-of.ts';
import { appendIdOf, foundingKey } from './record.ts';
import { encodeFormat1 } from './record-format-1.ts';
import { freshFolder, openFollower } from './testing/fresh-follower.ts';
import {
  appendRecord,
  freshAppendId,
  instance,
  unwitnessed,
  voidRecord,
} from './testing/sample-records.ts';

function problemOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof FollowError) return error.problem;
    throw error;
  }
  return 'none';
}

/** Records with conflicts, resends, voids, late and foreign ones, by a list of small numbers. */
function historyOf(choices: readonly number[]): TopicRecord[] {
  const known = sampleEvents(6);
  const ids = Array.from({ length: 6 }, freshAppendId);
  return choices.map((choice, offset) => {
    const event = known[choice % 6]!;
    const stream = `sample-${choice % 2}`;
    switch (choice % 5) {
      case 0:
        return voidRecord(offset, ids[choice % 6]!);
      case 1:
        return { offset, key: Buffer.from(stream), value: Buffer.from('{"not":"ours"}') };
      case 2:
        return appendRecord(offset, stream, { expected: choice % 4, appendId: ids[choice % 6]! });
      default:
        return appendRecord(offset, stream, { events: [event, sampleEvent()].slice(choice % 2) });
    }
  });
}

describe('the id of a topic', () => {
  test('that was told once is remembered, and another one stops the follower', () => {
    const { follower, folder, close } = openFollower();
    // Of a replica that is older than ids, the first one is the right one.
    const first = appendRecord(0, 'sample-1');
    follower.apply([first]);
    follower.resume('0a');
    expect(problemOf(() => follower.resume('0b'))).toBe('other-topic');
    follower.apply([first, appendRecord(1, 'sample-1')]);
    close();
    expect(problemOf(() => openFollower(folder, { topicId: '0b' }))).toBe('other-topic');
  });

  test('is not needed: brokers that are too old tell none', () => {
    const { follower, folder, close } = openFollower(freshFolder(), { topicId: '0a' });
    follower.apply([appendRecord(0, 'sample-1')]);
    close();
    const { follower: again } = openFollower(folder);
    again.resume();
    expect(again.progress.topicId).toBe('0a');
  });
});

describe('what is judged and not committed', () => {
  test('is not seen by readers before it is committed, and then together with how far it went', async () => {
    const { follower, events } = openFollower();
    follower.judge([appendRecord(0, 'sample-1')]);
    follower.judge([appendRecord(1, 'sample-1', { expected: 0 })]);
    expect(await events()).toEqual([]);
    expect(follower.progress).toMatchObject({ nextOffset: 2, events: 2 });
    follower.commit();
    expect(await events()).toHaveLength(2);
  });

  test('is judged again, to the same verdicts, when a crash took it', async () => {
    const { follower, folder, close, events } = openFollower();
    const records = historyOf(Array.from({ length: 40 }, (_, at) => (at * 7) % 30));
    follower.apply(records.slice(0, 10));
    follower.judge(records.slice(10, 25));
    const before = follower.progress;
    close();
    const { follower: again } = openFollower(folder);
    expect(again.progress.nextOffset).toBe(10);
    again.apply(records.slice(9, 25));
    expect(again.progress).toEqual({ ...before, lastRecordHash: again.progress.lastRecordHash });
    const reference = openFollower();
    reference.follower.apply(records.slice(0, 25));
    expect(again.progress).toEqual(reference.follower.progress);
    expect(await events()).toEqual(await reference.events());
  });

  test('is compared with the topic when the feed begins anew', () => {
    const { follower } = openFollower();
    const first = appendRecord(0, 'sample-1');
    follower.judge([first]);
    follower.resume();
    expect(follower.judge([first]).kind).toBe('applied');
    follower.resume();
    expect(problemOf(() => follower.judge([appendRecord(0, 'sample-1')]))).toBe('changed-record');
  });
});

describe('verdicts', () => {
  test('an append is answered to its own process, at the place of its record', async () => {
    const { follower, events } = openFollower();
    const own = { appendId: appendIdOf(instance, 17), stampedAt: 50 };
    const outcome = follower.apply([
      appendRecord(0, 'sample-1'),
      appendRecord(1, 'sample-1', { ...own, events: sampleEvents(2), expected: 0 }),
    ]);
    const position = encodePosition(firstPositionOf(1) + 1);
    const place = { revision: 2, partition: 0, position, recordedAt: 1_000, duplicate: false };
    expect(outcome).toEqual({
      kind: 'applied',
      events: 3,
      outcomes: [{ number: 17, result: { kind: 'stored', ...place } }],
    });
    // The stamp of the first record stands: stamps never go back, whatever a clock does.
    expect((await events()).map((event) => event.recordedAt)).toEqual([1_000, 1_000, 1_000]);
  });

  test('a void that comes first settles its append for ever, one that comes later changes nothing', async () => {
    const { follower, events, folder, close } = openFollower();
    const [early, late] = [appendIdOf(instance, 1), appendIdOf(instance, 2)];
    const records = [
      voidRecord(0, early),
      appendRecord(1, 'sample-1', { appendId: late }),
      voidRecord(2, late),
    ];
    follower.apply(records);
    close();
    const arrived = appendRecord(30_000, 'sample-1', { appendId: early });
    const { follower: again } = openFollower(folder);
    expect(again.apply([records[2]!, arrived])).toMatchObject({
      events: 0,
      outcomes: [{ number: 1, result: { kind: 'void' } }],
    });
    expect(await events()).toHaveLength(1);
  });

  test('a late copy of a refused append stays refused, within the window and after a restart', async () => {
    const refused = appendRecord(1, 'sample-1', { expected: 1, appendId: appendIdOf(instance, 1) });
    const records = [appendRecord(0, 'sample-1'), refused, appendRecord(2, 'sample-1')];
    const { follower, events, folder, close } = openFollower();
    follower.apply(records);
    expect(await events()).toHaveLength(2);
    close();
    const again = openFollower(folder);
    const copy = { ...refused, offset: 3 };
    expect(again.follower.apply([records[2]!, copy])).toMatchObject({
      events: 0,
      outcomes: [{ number: 1, result: { kind: 'void' } }],
    });
    const beyond = { ...refused, offset: 2 + kafkaLimits.refusedOffsetsMax };
    expect(again.follower.apply([beyond])).toMatchObject({ events: 1 });
  });

  test('foreign and misplaced records are skipped and counted', async () => {
    const { follower, events } = openFollower(undefined, { partitions: 4 });
    // sample-1 lives in partition 3 of 4.
    follower.apply([
      appendRecord(0, 'sample-1'),
      { offset: 1, key: null, value: null },
      { offset: 2, key: null, value: Buffer.from('hello') },
    ]);
    expect(follower.progress).toMatchObject({ foreign: 3, events: 0, nextOffset: 3 });
    expect(await events()).toEqual([]);
  });
});

describe('two followers of one partition', () => {
  test('agree on every event and on the verdict hash, whatever the batches and restarts', async () => {
    const choices = fc.array(fc.nat({ max: 59 }), { minLength: 1, maxLength: 25 });
    const cuts = fc.array(fc.nat({ max: 24 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(choices, cuts, async (chosen, cutAt) => {
        const records = historyOf(chosen);
        const whole = openFollower();
        whole.follower.apply(records);
        let parts = openFollower();
        const borders = [...new Set([0, ...cutAt, records.length])]
          .filter((border) => border <= records.length)
          .sort((a, b) => a - b);
        for (const [index, border] of borders.entries()) {
          // Delivered from the last applied record on, as after a restart; some come twice.
          const part = records.slice(Math.max(0, border - 1), borders[index + 1]);
          if (part.length === 0) continue;
          parts.follower.apply(part);
          if (index % 2 === 0) {
            parts.close();
            parts = openFollower(parts.folder);
          }
        }
        expect(parts.follower.progress).toEqual(whole.follower.progress);
        expect(await parts.events()).toEqual(await whole.events());
        whole.close();
        parts.close();
        rmSync(whole.folder, { recursive: true });
        rmSync(parts.folder, { recursive: true });
      }),
      { numRuns: 40 },
    );
  });

  test('one that judges otherwise is noticed by the next record of the other', () => {
    const { follower } = openFollower();
    follower.apply([appendRecord(0, 'sample-1'), appendRecord(1, 'sample-1')]);
    const { hash } = follower.progress;
    const said = (high: number) =>
      appendRecord(2, 'sample-1', { witness: { offset: 1, hash: { ...hash, high } } });
    const other = openFollower();
    other.follower.apply([appendRecord(0, 'sample-1'), appendRecord(1, 'sample-1')]);
    expect(problemOf(() => follower.apply([said(hash.high)]))).toBe('none');
    expect(problemOf(() => other.follower.apply([said(hash.high ^ 1)]))).toBe('diverged');
  });
});

describe('the topic is not what it was', () => {
  function applied() {
    const records = [0, 1, 2].map((offset) => appendRecord(offset, 'sample-1'));
    const opened = openFollower();
    opened.follower.apply(records);
    opened.close();
    return { records, folder: opened.folder };
  }

  test('shorter', () => {
    const { follower } = openFollower(applied().folder);
    expect(problemOf(() => follower.checkEnd(2))).toBe('shorter-topic');
    expect(problemOf(() => follower.checkEnd(3))).toBe('none');
  });

  test('made anew: another record where the last one was', () => {
    const { follower } = openFollower(applied().folder);
    const others = [0, 1, 2, 3].map((offset) => appendRecord(offset, 'sample-1'));
    expect(problemOf(() => follower.apply(others))).toBe('changed-record');
  });

  test('another topic, or another number of partitions', () => {
    const { folder } = applied();
    expect(problemOf(() => openFollower(folder, { topic: 'cluster/other' }))).toBe('other-topic');
    expect(problemOf(() => openFollower(folder, { partitions: 2 }))).toBe('other-partitions');
  });

  test('a record of a newer format stops, and nothing behind it is judged', async () => {
    const { follower, events } = openFollower();
    const newer = { offset: 1, key: null, value: Buffer.from([0xa1, 0x1a, 9, 0]) };
    const records = [appendRecord(0, 'sample-1'), newer, appendRecord(2, 'sample-1')];
    expect(problemOf(() => follower.apply(records))).toBe('newer-record');
    expect(await events()).toEqual([]);
  });

  test('a feed that begins too late is asked again from the last record on', async () => {
    const { records, folder } = applied();
    const { follower, events } = openFollower(folder);
    const next = [3, 4].map((offset) => appendRecord(offset, 'sample-1'));
    expect(follower.apply(next)).toEqual({ kind: 'seek', from: 2 });
    expect(follower.apply(records.slice(0, 1))).toMatchObject({ kind: 'applied', events: 0 });
    expect(follower.apply([...records.slice(2), ...next])).toMatchObject({ events: 2 });
    expect(await events()).toHaveLength(5);
  });

  test('a feed that begins too late for a replica that is empty is asked again from the first record on', async () => {
    const { follower, events } = openFollower();
    const records = [0, 1, 2].map((offset) => appendRecord(offset, 'sample-1'));
    expect(follower.apply(records.slice(1))).toEqual({ kind: 'seek', from: 0 });
    expect(await events()).toEqual([]);
    expect(follower.apply(records)).toMatchObject({ events: 3 });
  });
});

test('a replica made from the beginning has the log hash of the one that was there before', async () => {
  const records = historyOf(Array.from({ length: 60 }, (_, index) => index * 7));
  const first = openFollower();
  first.follower.apply(records);
  const again = openFollower();
  for (const record of records) again.follower.apply([record]);
  expect(again.follower.progress).toEqual(first.follower.progress);
  expect(await again.events()).toEqual(await first.events());
});

test('a partition that begins with a mark of Kafka is read from there on', () => {
  const { follower } = openFollower();
  const record = appendRecord(1, 'sample-1');
  expect(follower.judge([record], { from: 0, next: 2 })).toMatchObject({ events: 1 });
  const late = openFollower().follower;
  expect(late.judge([record], { from: 1, next: 2 })).toEqual({ kind: 'seek', from: 0 });
});

describe('the number of partitions', () => {
  const founding = (offset: number, partitions: number): TopicRecord => ({
    offset,
    key: Buffer.from(foundingKey(partitions)),
    value: encodeFormat1({
      kind: 'barrier',
      appendId: freshAppendId(),
      witness: unwitnessed,
    }),
  });

  test('that the first record names is the right one: a follower of another one stops', () => {
    const { follower } = openFollower(freshFolder(), { partitions: 8 });
    const named = () => follower.apply([founding(0, 4)]);
    expect(named).toThrow(/has 4 partitions, not 8 .*Write partitions=4 in its URL/);
    const { follower: right } = openFollower(freshFolder(), { partitions: 4 });
    right.apply([founding(0, 4)]);
    expect(right.progress).toMatchObject({ isFounded: true, barriers: 1, foreign: 0 });
    // Somebody has copied the first record of another topic.
    right.apply([founding(1, 8)]);
    expect(right.progress).toMatchObject({ isFounded: true, barriers: 2 });
  });

  test('of a replica is compared as it is opened', () => {
    const { follower, folder, close } = openFollower(freshFolder(), { partitions: 4 });
    follower.apply([founding(0, 4)]);
    close();
    expect(problemOf(() => openFollower(folder, { partitions: 8 }))).toBe('other-partitions');
    expect(problemOf(() => openFollower(folder, { partitions: 4 }))).toBe('none');
  });

  test('tells records that are elsewhere from those of a topic that was given more', () => {
    const elsewhere = Array.from({ length: 20 }, (_, n) => `sample-${n}`).find(
      (stream) => partitionOf(stream, 8) !== 0,
    ) as string;
    const { follower } = openFollower(freshFolder(), { partitions: 8 });
    follower.apply([appendRecord(0, elsewhere)]);
    expect(follower.progress).toMatchObject({ foreign: 1, misplaced: 1 });
    follower.apply([founding(1, 8), appendRecord(2, elsewhere)]);
    expect(follower.progress).toMatchObject({ foreign: 2, misplaced: 1 });
  });
});
