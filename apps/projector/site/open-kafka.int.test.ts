import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeOn } from '@annals/core/testing';
import { sampleEvent } from '@annals/event-log/contract';
import { partitionOf } from '@annals/event-log-kafka';
import { removeTopic } from '@annals/event-log-kafka/testing';
import { expect, onTestFinished, test } from 'vitest';
import { openLogAt } from './open-log.ts';

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'annals-open-kafka-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

await describeOn('kafka', 'A log on Kafka by its URL', (kafka) => {
  function freshUrl(): string {
    const topic = `test-${randomUUID()}`;
    onTestFinished(() => removeTopic(kafka.addresses, topic));
    return `${kafka.url}/${topic}`;
  }

  async function open(url: string, dataFolder: string) {
    const { log } = await openLogAt(url, { dataFolder });
    onTestFinished(() => log.close());
    return log;
  }

  const streams = Array.from({ length: 8 }, (_, number) => `sample-${number}`);
  const inSecond = streams.filter((stream) => partitionOf(stream, 2) === 1);

  test('served: the partitions that are followed, also on a replica that has followed all', async () => {
    const [url, folder] = [freshUrl(), await freshFolder()];
    const all = await open(`${url}?partitions=2`, folder);
    for (const stream of streams) await all.append(stream, [sampleEvent()], { expected: 'any' });
    await all.close();
    for (const dataFolder of [folder, await freshFolder()]) {
      const one = await open(`${url}?served=1`, dataFolder);
      const { events } = await one.read('start');
      expect(events.map((event) => event.stream).sort()).toEqual(inSecond);
      expect(Object.keys(await one.head())).toEqual(['1']);
      const other = streams.find((stream) => !inSecond.includes(stream)) ?? '';
      await expect(one.readStream(other)).rejects.toThrow('not served here');
      await expect(one.append(other, [sampleEvent()], { expected: 'any' })).rejects.toThrow(
        'not served here',
      );
      await one.close();
    }
    const opening = openLogAt(`${url}?served=0-5`, { dataFolder: folder });
    await expect(opening).rejects.toThrow(/partition 2 is to be served, and topic \S+ has 0 to 1/);
  });

  test('reads=linearizable sees what another process was told', async () => {
    const url = freshUrl();
    const writer = await open(`${url}?partitions=1`, await freshFolder());
    const reader = await open(`${url}?reads=linearizable`, await freshFolder());
    for (let round = 0; round < 30; round += 1) {
      await writer.append('sample-1', [sampleEvent()], { expected: 'any' });
      expect((await reader.readStream('sample-1', { limit: 1 })).head).toBe(round);
    }
  });

  test('format: one that this program knows, or nothing is opened', async () => {
    const [url, folder] = [freshUrl(), await freshFolder()];
    const log = await open(`${url}?partitions=1&format=1`, folder);
    const stored = await log.append('sample-1', [sampleEvent()], { expected: 'no-stream' });
    expect(stored.kind).toBe('stored');
    await expect(openLogAt(`${url}?format=7`, { dataFolder: folder })).rejects.toMatchObject({
      code: 'bad-url',
      message: expect.stringContaining('has format=7; this program knows 1'),
    });
  });
});
