import { describeOn } from '@annals/core/testing';
import { hashLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, onTestFinished, test } from 'vitest';
import { kafkaLimits } from './kafka-limits.ts';
import { freshTopic } from './testing/fresh-topic.ts';
import { HoldingProxy } from './testing/holding-proxy.ts';

const timeoutMs = 2 * (kafkaLimits.produceMsMax + kafkaLimits.settleMsMax) + 30_000;

async function openProxy(): Promise<HoldingProxy> {
  const proxy = await HoldingProxy.open();
  onTestFinished(() => proxy.close());
  return proxy;
}

await describeOn('kafka', 'an append whose request is in doubt', (kafka) => {
  test(
    'held on its way: the void comes first, and when it arrives at last it does not count',
    async () => {
      const proxy = await openProxy();
      const site = freshTopic(kafka);
      const log = await site.open({ socketFactory: proxy.socketFactory });
      const other = await site.open();
      await log.append('sample-1', [sampleEvent()], { expected: 'no-stream' });
      const event = sampleEvent();
      // kafkajs sends it again after some seconds, and may do so on a new connection.
      proxy.holdRequestsWith(Buffer.from(event.id.replaceAll('-', ''), 'hex'));
      const appending = log.append('sample-1', [event], { expected: 0 });
      expect(await appending).toMatchObject({ kind: 'refused', reason: 'unreachable' });
      expect(proxy.heldBytes()).toBeGreaterThan(100);
      const before = log.status();
      proxy.release();
      // The late record is behind the void, and before what is sent from here on.
      await expect
        .poll(() => log.status().reduce((sum, one) => sum + one.offset, 0), { timeout: 20_000 })
        .toBeGreaterThan(before.reduce((sum, one) => sum + one.offset, 0));
      for (const one of [log, other]) {
        await one.barrier('sample-1');
        expect((await one.readStream('sample-1')).head).toBe(0);
      }
      // The same event may still be appended: nothing of it was ever stored.
      const again = await log.append('sample-1', [event], { expected: 0 });
      expect(again).toMatchObject({ kind: 'stored', revision: 1, duplicate: false });
      await other.barrier('sample-1');
      expect((await hashLog(other)).digest()).toBe((await hashLog(log)).digest());
      expect(log.status().some((one) => one.voids > 0)).toBe(true);
    },
    timeoutMs,
  );

  test(
    'its answer held: the append came first, and is answered as stored',
    async () => {
      const proxy = await openProxy();
      const site = freshTopic(kafka);
      const log = await site.open({ socketFactory: proxy.socketFactory });
      await log.append('sample-1', [sampleEvent()], { expected: 'no-stream' });
      proxy.hold('answers');
      const event = sampleEvent();
      const appended = await log.append('sample-1', [event], { expected: 0 });
      expect(appended).toMatchObject({ kind: 'stored', revision: 1, duplicate: false });
      proxy.release();
      expect(await log.append('sample-1', [event], { expected: 0 })).toEqual({
        ...appended,
        duplicate: true,
      });
      expect((await log.readStream('sample-1')).head).toBe(1);
    },
    timeoutMs,
  );
});
