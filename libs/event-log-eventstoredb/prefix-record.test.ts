import { AccessDeniedError, type EventStoreDBClient } from '@eventstore/db-client';
import { expect, onTestFinished, test, vi } from 'vitest';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';
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

/** A log on a server that answers from `hangsMs` on, and its claims as they are answered. */
function claimsOn({ hangsMs }: { readonly hangsMs: number }) {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const answersAt = performance.now() + hangsMs;
  let reads = 0;
  const client = {
    readStream() {
      reads += 1;
      const events = async function* () {
        if (performance.now() < answersAt) await new Promise(() => undefined);
        yield { event: { revision: 3n, data: { annalsPrefixes: ['cut'] } } };
      };
      return Object.assign(events(), { cancel: async () => undefined });
    },
  } as unknown as EventStoreDBClient;
  const record = new PrefixRecord({ client, prefix: 'cut', onReport: () => undefined });
  const answers: string[] = [];
  const claim = (name: string, msMax: number = limits.appendMsMax) =>
    void record.claim(msMax).then(
      (isIn) => answers.push(`${name} ${isIn ? 'is in' : 'is late'}`),
      ({ code }) => answers.push(`${name} ${code}`),
    );
  return { answers, claim, reads: () => reads };
}

test('who joins a claim waits for it in its own time, and the first one no longer than in its', async () => {
  const { answers, claim } = claimsOn({ hangsMs: limits.appendMsMax });
  claim('first');
  await vi.advanceTimersByTimeAsync(limits.appendMsMax - 1_000);
  claim('second');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(answers).toEqual(['first is late']);
  await vi.advanceTimersByTimeAsync(limits.appendMsMax - 1_001);
  expect(answers).toEqual(['first is late', 'second is in']);
});

test('a claim that nobody waits for ends, and the next one begins anew', async () => {
  const { answers, claim, reads } = claimsOn({ hangsMs: limits.appendMsMax * 2 });
  claim('hasty', 0);
  await vi.advanceTimersByTimeAsync(limits.pauseMsMin);
  claim('first');
  await vi.advanceTimersByTimeAsync(limits.appendMsMax + limits.pauseMsMin);
  const before = reads();
  await vi.advanceTimersByTimeAsync(limits.appendMsMax);
  expect(reads()).toBe(before);
  claim('second');
  await vi.advanceTimersByTimeAsync(0);
  expect(answers).toEqual(['hasty is late', 'first is late', 'second is in']);
});
