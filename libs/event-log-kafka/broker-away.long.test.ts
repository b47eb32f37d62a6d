import { describeOn } from '@annals/core/testing';
import { hashLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import { kafkaEventLog } from './index.ts';
import { freshFolder } from './testing/fresh-follower.ts';
import { freshTopic } from './testing/fresh-topic.ts';

await describeOn(
  'kafka',
  'a broker that goes away and comes back',
  (kafka) => {
    test('appends are refused or unknown in bounded time, reads go on, and it heals by itself', async () => {
      const log = await freshTopic(kafka).open();
      const before = sampleEvent();
      expect(await log.append('sample-1', [before], { expected: 'any' })).toMatchObject({
        kind: 'stored',
      });
      await kafka.act('kill', 1);
      const event = sampleEvent();
      const away = await log.append('sample-1', [event], { expected: 0 });
      expect(['refused', 'unknown']).toContain(away.kind);
      // Now that it is known to be away, nothing is in doubt any more.
      const refused = await log.append('sample-2', [sampleEvent()], { expected: 'any' });
      expect(refused).toMatchObject({ kind: 'refused', reason: 'unreachable' });
      expect((await log.readStream('sample-1')).events[0]?.id).toBe(before.id);
      await kafka.act('start', 1);
      await expect
        .poll(async () => (await log.append('sample-1', [event], { expected: 0 })).kind, {
          timeout: 60_000,
        })
        .toBe('stored');
      const { events } = await log.readStream('sample-1');
      expect(events.map(({ id }) => id)).toEqual([before.id, event.id]);
    }, 180_000);

    test('a replica made from the topic alone is the one that was there before', async () => {
      const site = freshTopic(kafka);
      const log = await site.open();
      for (let round = 0; round < 20; round += 1) {
        await log.append(`sample-${round % 4}`, [sampleEvent()], { expected: 'any' });
        await log.append(`sample-${round % 4}`, [sampleEvent()], { expected: 0 });
      }
      const fresh = await site.open();
      expect(fresh.status()).toEqual(log.status());
      expect((await hashLog(fresh)).digest()).toBe((await hashLog(log)).digest());
      await log.close();
      await fresh.close();
    }, 60_000);
  },
  { label: 'log-away' },
);

test('where no broker answers, opening says so in bounded time', async () => {
  const opening = kafkaEventLog({
    connection: { brokers: ['127.0.0.1:9'] },
    topic: 'nothing',
    folder: freshFolder(),
  });
  await expect(opening).rejects.toMatchObject({ name: 'EventLogError', code: 'unreachable' });
});
