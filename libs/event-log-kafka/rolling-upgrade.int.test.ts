import { isDeepStrictEqual } from 'node:util';
import { describeOn } from '@annals/core/testing';
import { hashLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import type { KafkaEventLog } from './index.ts';
import { freshTopic } from './testing/fresh-topic.ts';

/** Each test opens several logs, whose threads take their time to start where many tests run at once. */
const patienceMs = 90_000;
const formatsModule = new URL('./testing/two-formats.ts', import.meta.url).href;

async function kindOf(log: KafkaEventLog, stream: string): Promise<string> {
  return (await log.append(stream, [sampleEvent()], { expected: 'any' })).kind;
}

async function expectSame(one: KafkaEventLog, other: KafkaEventLog): Promise<void> {
  // All that the one was answered can be read: answers come before commits, and the status follows these.
  const digest = (await hashLog(one)).digest();
  // A barrier of the one may still be on its way to the other.
  const pair = () => ({ one: one.status(), other: other.status() });
  await expect
    .poll(pair, { timeout: 20_000 })
    .toSatisfy((now: ReturnType<typeof pair>) => isDeepStrictEqual(now.one, now.other));
  expect((await hashLog(other)).digest()).toBe(digest);
}

await describeOn('kafka', 'a rolling upgrade from record format 1 to 2', (kafka) => {
  test(
    'first every process learns to read the new one, then one begins to write it',
    async () => {
      const site = freshTopic(kafka);
      const old = await site.open();
      // The upgraded program knows both formats, and still writes the old one.
      const upgraded = await site.open({ formatsModule });
      expect(await kindOf(old, 'sample-1')).toBe('stored');
      expect(await kindOf(upgraded, 'sample-2')).toBe('stored');
      await old.barrier('sample-2');
      await upgraded.barrier('sample-1');
      await expectSame(old, upgraded);
      await old.close();
      // All can read it: the switch is flipped. Each record is judged by the rules of its own format.
      const writing = await site.open({ formatsModule, writtenFormat: 2 });
      expect(await kindOf(writing, 'sample-3')).toBe('conflict');
      expect(await kindOf(upgraded, 'sample-3')).toBe('stored');
      expect(await kindOf(writing, 'sample-3')).toBe('stored');
      await expectSame(writing, upgraded);
      // One that begins with the topic alone judges the mixture alike.
      await expectSame(writing, await site.open({ formatsModule }));
    },
    patienceMs,
  );

  test(
    'a process that was forgotten stops and says what it needs; it never skips',
    async () => {
      const site = freshTopic(kafka);
      const forgotten = await site.open();
      expect(await kindOf(forgotten, 'sample-1')).toBe('stored');
      const writing = await site.open({ formatsModule, writtenFormat: 2 });
      expect(await kindOf(writing, 'sample-1')).toBe('stored');
      const needs = { problem: 'newer-record', code: 'newer-format' };
      await expect
        .poll(() => forgotten.head().catch((error: unknown) => error), { timeout: 20_000 })
        .toMatchObject(needs);
      await expect(kindOf(forgotten, 'sample-1')).rejects.toMatchObject(needs);
      await expect(site.open()).rejects.toMatchObject(needs);
    },
    patienceMs,
  );

  test('a format that is not known is not written', async () => {
    await expect(freshTopic(kafka).open({ writtenFormat: 2 })).rejects.toThrow(RangeError);
  });
});
