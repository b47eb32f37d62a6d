import { randomUUID } from 'node:crypto';
import { describeOn } from '@annals/core/testing';
import { hashLog } from '@annals/event-log';
import { sampleEvent, sampleEvents } from '@annals/event-log/contract';
import { EventStoreDBClient } from '@eventstore/db-client';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type EventStoreDBEventLogOptions, eventstoredbEventLog } from './index.ts';
import { freshFolder } from './testing/fresh-folder.ts';

vi.setConfig({ testTimeout: 60_000 });

const any = { expected: 'any' } as const;

await describeOn('eventstoredb', 'logs whose prefixes begin alike', ({ url: connection }) => {
  const freshPrefix = () => `cut${randomUUID().slice(0, 8)}`;

  async function open(prefix: string, of: Partial<EventStoreDBEventLogOptions> = {}) {
    const log = await eventstoredbEventLog({ connection, prefix, folder: freshFolder(), ...of });
    onTestFinished(() => log.close());
    return log;
  }

  test('have nothing in common where their streams can be told apart', async () => {
    const prefix = freshPrefix();
    const [shorter, longer] = [await open(prefix), await open(`${prefix}2`)];
    const [ofShorter, ofLonger] = [sampleEvents(3), sampleEvents(5)];
    await shorter.append('sample-1', ofShorter, any);
    await longer.append('sample-1', ofLonger, any);
    // Also what is read anew.
    for (const log of [shorter, await open(prefix)]) {
      await log.barrier('sample-1');
      await log.append('sample-2', [ofShorter[0]!], any);
      const { events } = await log.read('start', {}, { limit: 100 });
      expect(events.map(({ id }) => id)).toEqual([...ofShorter, ofShorter[0]!].map(({ id }) => id));
      expect(log.status()).toMatchObject({ events: 4, foreign: 5 });
    }
    expect(longer.status()).toMatchObject({ events: 5, foreign: 0 });
    expect((await hashLog(longer)).events).toBe(5);
  });

  test.each([
    ['the longer one', '', 's'],
    ['the shorter one', 's', ''],
  ])('are refused, %s too, where they cannot', async (_which, first, second) => {
    const prefix = freshPrefix();
    const there = await open(prefix + first);
    await there.append('sample-1', [sampleEvent()], any);
    const refused = open(prefix + second);
    await expect(refused).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(
        new RegExp(`"${prefix}${second}",.*"${prefix}${first}":.*"${prefix}${second}\\.", say`),
      ),
    });
    // It can be read, to be copied to where it is told apart.
    const read = await open(prefix + second, { readOnly: true });
    const written = read.append('sample-1', [sampleEvent()], any);
    await expect(written).rejects.toMatchObject({ code: 'refused' });
    await open(`${prefix}${second}.`);
    // Whoever was first goes on, also when it is opened again.
    const again = await open(prefix + first);
    expect((await again.append('sample-1', [sampleEvent()], any)).kind).toBe('stored');
  });

  test('opened before either of them has written: the second one writes nothing', async () => {
    const prefix = freshPrefix();
    const [shorter, longer] = [await open(prefix), await open(`${prefix}s`)];
    const refused = (
      await Promise.allSettled([
        shorter.append('sample-1', [sampleEvent()], any),
        longer.append('sample-1', [sampleEvent()], any),
      ])
    ).filter(({ status }) => status === 'rejected');
    expect(refused).toMatchObject([{ reason: { code: 'refused' } }]);
    const whole = await open(prefix, { readOnly: true });
    expect(whole.status()).toMatchObject({ events: 1, foreign: 0 });
  });

  test('leave what others keep in the metadata of that stream as it is', async () => {
    const client = EventStoreDBClient.connectionString(connection);
    onTestFinished(() => client.dispose());
    const { metadata } = await client.getStreamMetadata('annals.logs');
    await client.setStreamMetadata('annals.logs', { ...metadata, theirs: 'kept' });
    const log = await open(freshPrefix());
    await log.append('sample-1', [sampleEvent()], any);
    const kept = await client.getStreamMetadata('annals.logs');
    expect(kept.metadata).toMatchObject({ theirs: 'kept' });
  });
});
