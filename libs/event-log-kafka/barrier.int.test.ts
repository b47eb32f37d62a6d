import { describeOn } from '@annals/core/testing';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import { partitionOf } from './index.ts';
import { freshTopic } from './testing/fresh-topic.ts';

const streams = Array.from({ length: 12 }, (_none, at) => `sample-${at}`);

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
    await reader.barrier();
    expect((await reader.readStream('sample-1')).head).toBe(0);
    await writer.barrier();
    await writer.readStream('sample-1');
    const barriers = writer.status().map(({ partition, barriers: count }) => [partition, count]);
    expect(new Map(barriers as [number, number][])).toEqual(
      new Map([0, 1].map((partition) => [partition, served.includes(partition) ? 2 : 1])),
    );
  }, 60_000);
});
