import { expect, test } from 'vitest';
import type { FollowerMessage } from './follower-protocol.ts';
import { type FeedOptions, FollowerThread } from './follower-thread.ts';
import { recordFormats } from './record-formats.ts';
import { freshFolder } from './testing/fresh-follower.ts';
import { appendRecord, instance } from './testing/sample-records.ts';
import { systemTimers } from './timers.ts';

/** A thread that follows one partition which held `end` records as it was opened; the test feeds it. */
function startThread(folder: string, end: number, isAgain = false) {
  const said: FollowerMessage[] = [];
  let feed: FeedOptions | undefined;
  const thread = new FollowerThread({
    task: {
      ...{ connection: { brokers: [] }, topicName: 'topic', served: [0], folder, instance },
      isAgain,
      topic: { name: 'cluster/topic', partitions: 1, offsets: [{ low: 0, end }] },
    },
    formats: recordFormats,
    timers: systemTimers,
    feed: (options) => {
      feed = options;
      return { start: () => undefined, seek: () => undefined, stop: () => undefined };
    },
    say: (message) => said.push(message),
  });
  thread.start();
  const bring = (records: ReturnType<typeof appendRecord>[], endNow: number) =>
    feed?.onBatch({
      ...{ partition: 0, end: endNow, records },
      ...{ from: records[0]?.offset ?? 0, next: (records.at(-1)?.offset ?? -1) + 1 },
    });
  return { thread, said, bring };
}

test('a topic that is cut while it is being opened is not waited for', () => {
  const { said, bring } = startThread(freshFolder(), 3);
  bring([appendRecord(0, 'sample-1')], 2);
  expect(said.at(-1)).toMatchObject({ kind: 'failed', error: { problem: 'shorter-topic' } });
});

test('a replica that is ahead of what was told before it is followed again is no shorter topic, but one that ends before it is', () => {
  const folder = freshFolder();
  const first = startThread(folder, 0);
  const records = [appendRecord(0, 'sample-1'), appendRecord(1, 'sample-1')];
  first.bring(records, 2);
  first.thread.ask('close');
  const shorter = { kind: 'failed', error: { problem: 'shorter-topic' } };
  expect(startThread(folder, 1).said).toMatchObject([shorter]);
  const again = startThread(folder, 1, true);
  expect(again.said).toMatchObject([{ kind: 'opened', followed: [{ progress: { events: 2 } }] }]);
  again.bring(records.slice(1), 2);
  expect(again.said.map(({ kind }) => kind)).toEqual(['opened']);
  again.bring(records.slice(0, 1), 1);
  expect(again.said.at(-1)).toMatchObject(shorter);
});

test('what was judged and not committed is gone when the thread ends as in a crash', () => {
  const folder = freshFolder();
  const first = startThread(folder, 0);
  first.bring([appendRecord(0, 'sample-1')], 1);
  first.thread.end();
  const second = startThread(folder, 1);
  expect(second.said).toMatchObject([{ kind: 'opened', followed: [{ progress: { events: 0 } }] }]);
  second.bring([appendRecord(0, 'sample-1')], 1);
  second.thread.ask('close');
  expect(second.said.map(({ kind }) => kind)).toEqual(['opened', 'judged', 'closed']);
  const third = startThread(folder, 1);
  expect(third.said).toMatchObject([{ kind: 'opened', followed: [{ progress: { events: 1 } }] }]);
  third.thread.end();
});
