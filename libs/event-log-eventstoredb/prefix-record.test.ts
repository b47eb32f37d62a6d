import { AccessDeniedError, type EventStoreDBClient } from '@eventstore/db-client';
import { expect, test } from 'vitest';
import { PrefixRecord } from './prefix-record.ts';

/** A server that denies what `denied` says, and has a record of `prefixes`. */
function serverWith({ denied, prefixes }: { denied: 'read' | 'write'; prefixes: string[] }) {
  const told: string[] = [];
  const denial = Object.create(AccessDeniedError.prototype) as Error;
  const client = {
    async *readStream() {
      if (denied === 'read') throw denial;
      yield { event: { revision: 3n, data: { annalsPrefixes: prefixes } } };
    },
    appendToStream: () => Promise.reject(denial),
  };
  const record = new PrefixRecord({
    client: client as unknown as EventStoreDBClient,
    prefix: 'cut',
    onReport: ({ message }) => told.push(message),
  });
  return { record, told };
}

test.each(['read', 'write'] as const)(
  'a user who may not %s the record writes all the same, and that is told',
  async (denied) => {
    const { record, told } = serverWith({ denied, prefixes: ['dry'] });
    await record.claim(1_000);
    expect(told).toEqual([expect.stringContaining('does not let this user')]);
  },
);

test('a log that is in the record needs not write it', async () => {
  const { record, told } = serverWith({ denied: 'write', prefixes: ['cut', 'dry'] });
  await record.claim(1_000);
  expect(told).toEqual([]);
});

test('another log is found, also by a user who may not write the record', async () => {
  const { record } = serverWith({ denied: 'write', prefixes: ['cuts'] });
  await expect(record.check()).rejects.toMatchObject({ code: 'refused' });
  await expect(record.claim(1_000)).rejects.toMatchObject({ code: 'refused' });
});
