import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeOn } from '@annals/core/testing';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, onTestFinished, test } from 'vitest';
import { eventstoredbEventLog } from './index.ts';

await describeOn('eventstoredb', 'the README', ({ url }) => {
  test('its example runs', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'annals-esdb-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const prefix = `readme_${randomUUID().slice(0, 13)}.`;
    const event = sampleEvent();
    // #region example
    const log = await eventstoredbEventLog({
      connection: url, // esdb://user:password@host:2113?tls=true&tlsCAFile=…
      folder, // the index of this process: nobody else's, and made again when it is lost
      prefix, // its streams on the server begin with it
    });
    const first = await log.append('payments-1', [event], { expected: 'no-stream' });
    assert(first.kind === 'stored' && !first.duplicate);

    const again = await log.append('payments-1', [event], { expected: 'no-stream' });
    assert(again.kind === 'stored' && again.duplicate && again.position === first.position);

    await log.barrier('payments-1'); // what any process was told before is read here now
    const { events } = await log.readStream('payments-1');
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
