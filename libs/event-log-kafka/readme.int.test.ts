import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeOn } from '@annals/core/testing';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, onTestFinished, test } from 'vitest';
import { kafkaEventLog } from './index.ts';
import { removeTopic } from './testing/remove-topic.ts';

await describeOn('kafka', 'the README', (kafka) => {
  test('its example runs', async () => {
    const topic = `readme-${randomUUID()}`;
    const folder = mkdtempSync(join(tmpdir(), 'annals-kafka-'));
    onTestFinished(async () => {
      await removeTopic(kafka.addresses, topic);
      rmSync(folder, { recursive: true });
    });
    const brokers = kafka.addresses;
    const event = sampleEvent();
    // #region example
    const log = await kafkaEventLog({
      connection: { brokers },
      topic,
      folder, // the replica of this process: nobody else's, and made again when it is lost
      partitions: 8,
      onProgress: ({ records, recordsTotal }) => {
        console.log(`caught up with ${records} of ${recordsTotal} records`);
      },
    });
    const first = await log.append('scores-ann', [event], { expected: 'no-stream' });
    assert(first.kind === 'stored' && !first.duplicate);

    const again = await log.append('scores-ann', [event], { expected: 'no-stream' });
    assert(again.kind === 'stored' && again.duplicate && again.position === first.position);

    await log.barrier('scores-ann'); // what any process was told before is read here now
    const { events } = await log.readStream('scores-ann');
    assert.equal(events[0]?.id, event.id);
    await log.close();
    // #endregion
  });
});

test('the example of the README is the one above', async () => {
  const readme = await readFile(join(import.meta.dirname, 'README.md'), 'utf8');
  const own = await readFile(import.meta.filename, 'utf8');
  const region = /\/\/ #region example\n(.*?) *\/\/ #endregion/s.exec(own)?.[1];
  const example = /```ts\n(.*?)```/s.exec(readme)?.[1];
  expect(example).toBe(region?.replace(/^ {4}/gm, ''));
});
