import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeOn } from '@annals/core/testing';
import { type EventLogError, hashLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { mountProblem, mountSmallDisk, testNeeding } from '@annals/event-log-sqlite/testing';
import { expect } from 'vitest';
import type { KafkaEventLog } from './index.ts';
import { freshTopic } from './testing/fresh-topic.ts';

const noMount = mountProblem();
const any = { expected: 'any' } as const;

/** Appends until the log says what is wrong with its disk; gives how many were stored. */
async function appendUntilRefused(log: KafkaEventLog, code: string): Promise<number> {
  for (let stored = 0; ; ) {
    try {
      const event = sampleEvent({ data: { filler: 'x'.repeat(20_000) } });
      const result = await log.append('sample-1', [event], any);
      if (result.kind === 'stored') stored += 1;
      else expect(result.kind).toBe('unknown');
    } catch (error) {
      expect(error).toMatchObject({ name: 'EventLogError', code });
      return stored;
    }
  }
}

await describeOn('kafka', 'the disk of a replica', (kafka) => {
  async function openOn(folder: string) {
    const site = freshTopic(kafka);
    return { site, log: await site.open({ folder: join(folder, 'replica') }) };
  }

  async function expectServed(log: KafkaEventLog, other: KafkaEventLog): Promise<void> {
    await expect
      .poll(() => log.head().catch(({ code }: EventLogError) => code), { timeout: 60_000 })
      .not.toBeTypeOf('string');
    expect(await log.append('sample-2', [sampleEvent()], any)).toMatchObject({ kind: 'stored' });
    for (const stream of ['sample-1', 'sample-2']) {
      await other.barrier(stream);
      await log.barrier(stream);
    }
    expect((await hashLog(log)).digest()).toBe((await hashLog(other)).digest());
  }

  testNeeding(
    noMount,
    'that is full ends nothing: with room again all goes on by itself',
    async () => {
      const { folder } = mountSmallDisk(8_192);
      const { log, site } = await openOn(folder);
      expect(await log.append('sample-1', [sampleEvent()], any)).toMatchObject({ kind: 'stored' });
      const ballast = join(folder, 'ballast');
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - 200_000)));
      await appendUntilRefused(log, 'disk-full');
      await expect(log.head()).rejects.toMatchObject({ code: 'disk-full' });
      rmSync(ballast);
      await expectServed(log, await site.open());
    },
  );
});
