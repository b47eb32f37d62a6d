import { readFileSync } from 'node:fs';
import { idFromKey, type SubjectCipher } from '@annals/core';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { describeEventLog } from './contract/index.ts';
import { EventTypes, eventType, MemoryStorage, memoryEventLog } from './index.ts';

const noPersonalData: SubjectCipher = {
  keyring: async () => {
    throw new Error('these events hold no personal data');
  },
};

test('the first example of the README', async () => {
  const owners: string[] = [];
  // README 1
  const opened = eventType({
    name: 'account-opened',
    schemaVersion: 1,
    schema: z.strictObject({ owner: z.string(), currency: z.string() }),
  });
  const types = new EventTypes([opened]);

  const log = memoryEventLog();
  const encoded = await types.encode(
    [
      {
        type: 'account-opened',
        id: idFromKey('account-opened', '42'),
        data: { owner: 'ann', currency: 'EUR' },
        occurredAt: Date.now(),
      },
    ],
    noPersonalData,
  );
  if (encoded.kind !== 'encoded') throw new Error(encoded.kind);

  const first = await log.append('account-42', encoded.events, { expected: 'no-stream' });
  const again = await log.append('account-42', encoded.events, { expected: 'no-stream' });
  // first: stored, revision 0; again: the same, and `duplicate: true`.

  for await (const delivery of log.subscribe({})) {
    if (delivery.kind === 'caught-up') break;
    for (const event of await types.decode(delivery.events, noPersonalData)) {
      owners.push(event.data.owner);
    }
  }
  await log.close();
  // end
  expect(first).toMatchObject({ kind: 'stored', revision: 0, duplicate: false });
  expect(again).toEqual({ ...first, duplicate: true });
  expect(owners).toEqual(['ann']);
});

// README 2
describeEventLog('My log', {
  site: async () => {
    const storage = new MemoryStorage();
    return { open: async () => memoryEventLog({ storage }), dispose: async () => undefined };
  },
  without: { processes: 'it lives in the memory of one process' },
});
// end

test('the examples of the README are the code above', () => {
  const read = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8');
  const regions = read('./example.test.ts').matchAll(
    /^( *)\/\/ README \d\n([\s\S]*?)^ *\/\/ end$/gm,
  );
  const code = [...regions].map(([, indent = '', body = '']) =>
    body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
  const blocks = [...read('./README.md').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, body = '']) =>
    body.replace(/^(import .*\n)*\n?/, ''),
  );
  expect(blocks).toEqual(code);
  expect(blocks).toHaveLength(2);
});
