import { describeOn } from '@annals/core/testing';
import { hashLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, onTestFinished, test } from 'vitest';
import { kafkaClient } from './kafka-connection.ts';
import { freshTopic } from './testing/fresh-topic.ts';

await describeOn('kafka', 'records that the topic does not take', (kafka) => {
  const brokers = kafka.addresses;

  async function setMessageBytes(topic: string, bytes: number): Promise<void> {
    const admin = kafkaClient(
      { brokers },
      { requestMsMax: 10_000, retries: 3 },
      () => undefined,
    ).admin();
    await admin.connect();
    onTestFinished(() => admin.disconnect());
    const configEntries = Object.entries({
      ...{ 'retention.ms': '-1', 'retention.bytes': '-1', 'cleanup.policy': 'delete' },
      'max.message.bytes': String(bytes),
    }).map(([name, value]) => ({ name, value }));
    const resources = [{ type: 2, name: topic, configEntries }];
    await admin.alterConfigs({ validateOnly: false, resources });
  }

  test('lowered while the log is open: the large append is refused, surely not stored, and the others go on', async () => {
    const site = freshTopic(kafka);
    const log = await site.open({ partitions: 1 });
    await log.append('sample-1', [sampleEvent()], { expected: 'no-stream' });
    await setMessageBytes(site.topic, 2_000);
    const large = sampleEvent({ data: { text: 'x'.repeat(5_000) } });
    const began = performance.now();
    let refused: unknown;
    // The broker takes a moment to hear of it.
    await expect
      .poll(
        async () => {
          const event = sampleEvent({ data: { text: 'x'.repeat(5_000) } });
          refused = await log.append('sample-2', [event], { expected: 'any' });
          return (refused as { readonly kind: string }).kind;
        },
        { timeout: 20_000 },
      )
      .toBe('refused');
    expect(refused).toMatchObject({
      reason: 'append-too-large',
      detail: expect.stringContaining('Nothing was stored'),
    });
    // Together they are too large for a request, and only one is by itself.
    const small = Array.from({ length: 30 }, () => sampleEvent());
    const results = await Promise.all([
      ...small.map((event) => log.append('sample-1', [event], { expected: 'any' })),
      log.append('sample-1', [large], { expected: 'any' }),
    ]);
    expect(results.map(({ kind }) => kind)).toEqual([...small.map(() => 'stored'), 'refused']);
    expect(results.at(-1)).toMatchObject({ reason: 'append-too-large' });
    expect(performance.now() - began).toBeLessThan(40_000);
    const { head, events } = await log.readStream('sample-1', { limit: 100 });
    expect({ head, stored: events.length }).toEqual({ head: 30, stored: 31 });
    const other = await site
      .open({ partitions: 1, topic: site.topic })
      .catch((error: unknown) => error);
    expect(String(other)).toContain('max.message.bytes');
    await setMessageBytes(site.topic, 1_048_588);
    // The same event is stored once it fits: its void counts for that one record.
    await expect
      .poll(async () => (await log.append('sample-1', [large], { expected: 30 })).kind, {
        timeout: 20_000,
      })
      .toBe('stored');
    const fresh = await site.open({ partitions: 1 });
    expect((await hashLog(fresh)).digest()).toBe((await hashLog(log)).digest());
  }, 120_000);
});
