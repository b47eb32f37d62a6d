import { describeOn } from '@annals/core/testing';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import { type KafkaEventLog, partitionOf } from './index.ts';
import { freshTopic } from './testing/fresh-topic.ts';

const streams = Array.from({ length: 12 }, (_none, at) => `sample-${at}`);

const barriersOf = (log: Pick<KafkaEventLog, 'status'>) =>
  log.status().map(({ barriers }) => barriers);

await describeOn('kafka', 'a barrier of no stream', (kafka) => {
  test('has all read that was acknowledged to anybody, in every partition', async () => {
    const site = freshTopic(kafka);
    const [writer, reader] = [await site.open(), await site.open()];
    for (let round = 1; round <= 5; round += 1) {
      const appends = streams.map((stream) =>
        writer.append(stream, [sampleEvent()], { expected: 'any' }),
      );
      for (const { kind } of await Promise.all(appends)) expect(kind).toBe('stored');
      await reader.barrier();
      expect(await reader.head()).toEqual(await writer.head());
      expect([...(await reader.count()).values()]).toEqual([round * streams.length]);
    }
  }, 60_000);

  test('asks the partitions that are served', async () => {
    const site = freshTopic(kafka);
    const writer = await site.open();
    const served = [partitionOf('sample-1', writer.partitions)];
    const reader = await site.open({ served });
    await writer.append('sample-1', [sampleEvent()], { expected: 'any' });
    await writer.readStream('sample-1');
    // The first record of its partition, which says how many there are, is a barrier, too.
    const before = barriersOf(writer);
    await reader.barrier();
    expect((await reader.readStream('sample-1')).head).toBe(0);
    await writer.barrier();
    await writer.readStream('sample-1');
    const more = barriersOf(writer).map((count, partition) => count - (before[partition] ?? 0));
    expect(more).toEqual([0, 1].map((partition) => (served.includes(partition) ? 2 : 1)));
  }, 60_000);
});
