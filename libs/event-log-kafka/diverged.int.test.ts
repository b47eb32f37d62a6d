import { describeOn } from '@annals/core/testing';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import type { KafkaEventLog } from './index.ts';
import { freshTopic } from './testing/fresh-topic.ts';

const formatsModule = new URL('./testing/other-rules.ts', import.meta.url).href;
const patience = { timeout: 30_000, interval: 50 };

/** What became of a log that is asked for its head. */
function stateOf(log: KafkaEventLog): Promise<unknown> {
  return log.head().then(
    () => 'open',
    (error: unknown) => error,
  );
}

await describeOn('kafka', 'two processes that judge by different rules', (kafka) => {
  test('agree while the rules do; then the one that reads of it stops, and names the offset', async () => {
    const site = freshTopic(kafka);
    const append = (log: KafkaEventLog, expected: 'any' | 'no-stream') =>
      log.append('sample-1', [sampleEvent()], { expected });
    const right = await site.open({ partitions: 1 });
    // At offset 0 stands how many partitions there are; who opens the log later knows it, and does not say it again.
    expect(await append(right, 'any')).toMatchObject({ kind: 'stored', revision: 0 });
    const wrong = await site.open({ partitions: 1, formatsModule });
    expect(await append(wrong, 'any')).toMatchObject({ kind: 'stored', revision: 1 });
    // The same record, at offset 3: refused here, accepted there.
    expect(await append(right, 'no-stream')).toMatchObject({ kind: 'conflict', actual: 1 });
    await wrong.barrier('sample-1');
    expect((await wrong.readStream('sample-1')).head).toBe(2);
    // The next record of either says how its writer judged.
    await append(wrong, 'any').catch(() => undefined);
    await expect
      .poll(() => stateOf(right), patience)
      .toMatchObject({
        name: 'FollowError',
        problem: 'diverged',
        message: expect.stringMatching(/^up to offset [34] of partition 0 .* one of them is wrong/),
      });
    await expect(append(right, 'any')).rejects.toMatchObject({ problem: 'diverged' });
  }, 60_000);
});
