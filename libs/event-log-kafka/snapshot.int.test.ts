import { join } from 'node:path';
import { describeOn } from '@annals/core/testing';
import { hashLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import { snapshotReplica } from './index.ts';
import { freshFolder } from './testing/fresh-follower.ts';
import { freshTopic } from './testing/fresh-topic.ts';

await describeOn('kafka', 'a new process that starts from a snapshot', (kafka) => {
  test('reads only what came after it, and is then like every other', async () => {
    const site = freshTopic(kafka);
    const log = await site.open();
    const append = async (count: number) => {
      for (let round = 0; round < count; round += 1) {
        await log.append(`sample-${round}`, [sampleEvent()], { expected: 'any' });
      }
    };
    await append(12);
    const folder = join(freshFolder(), 'snapshot');
    // What was answered is in the replica once anything was read.
    await log.head();
    const snapshot = await snapshotReplica(log.folder, folder);
    expect(snapshot).toMatchObject({ kind: 'written', events: 12 });
    await append(5);
    const begun: number[] = [];
    const started = await site.open({
      folder,
      onProgress: ({ records }) => begun.push(records),
    });
    // With the first record of each partition, which says how many there are.
    expect(begun[0]).toBe(2 + 12);
    expect(started.status()).toEqual(log.status());
    expect((await hashLog(started)).digest()).toBe((await hashLog(log)).digest());
    const known = await started.append('sample-0', [sampleEvent()], { expected: 'no-stream' });
    expect(known).toMatchObject({ kind: 'conflict', actual: 1 });
  });
});
