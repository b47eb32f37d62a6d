import { hash as digest } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sampleEvents } from './contract/index.ts';
import { eventHash, hashLog, LogHash, type PortableEvent } from './log-hash.ts';
import { memoryEventLog } from './memory-event-log.ts';

const event: PortableEvent = {
  stream: 'sample-1',
  revision: 0,
  id: '00000000-0000-4000-8000-000000000001',
  type: 'sampled',
  schemaVersion: 1,
  data: '{"points":1}',
  contentHash: 'a'.repeat(64),
  metadata: { actor: 'ann' },
  occurredAt: 1_767_323_045_678,
  recordedAt: 1_767_323_045_700,
};

const changes: Partial<PortableEvent>[] = [
  { stream: 'sample-2' },
  { revision: 1 },
  { id: '00000000-0000-4000-8000-000000000002' },
  { type: 'sampled2' },
  { schemaVersion: 2 },
  { data: '{"points": 1}' },
  { contentHash: 'b'.repeat(64) },
  { metadata: {} },
  { metadata: { tenant: 'ann' } },
  { metadata: { actor: 'ann', tenant: '' } },
  { occurredAt: 1_767_323_045_679 },
  { recordedAt: 1_767_323_045_701 },
];

function hashOf(events: readonly PortableEvent[]): string {
  const hash = new LogHash();
  for (const one of events) hash.add(one);
  return hash.digest();
}

describe('eventHash', () => {
  test('is the SHA-256 of the documented text', () => {
    const text =
      '["sample-1",0,"00000000-0000-4000-8000-000000000001","sampled",1,' +
      `"{\\"points\\":1}","${'a'.repeat(64)}",null,null,"ann",null,1767323045678,1767323045700]`;
    expect(eventHash(event)).toBe(digest('sha256', text, 'hex'));
  });

  test('differs for each field that is changed', () => {
    const hashes = [event, ...changes.map((change) => ({ ...event, ...change }))].map(eventHash);
    expect(new Set(hashes).size).toBe(changes.length + 1);
  });

  test('does not look at partition and position', () => {
    const placed = { ...event, partition: 3, position: '0000000000000009' };
    expect(eventHash(placed)).toBe(eventHash(event));
  });
});

describe('LogHash', () => {
  test('of nothing is all zeros, of one event that event’s hash', () => {
    expect(new LogHash().digest()).toBe('0'.repeat(64));
    expect(hashOf([event])).toBe(eventHash(event));
  });

  test('does not depend on the order of adding, and counts events and streams', () => {
    const all = changes.map((change, revision) => ({ ...event, revision, ...change }));
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (shuffled) => {
        expect(hashOf(shuffled)).toBe(hashOf(all));
      }),
    );
    const hash = new LogHash();
    for (const one of [event, { ...event, revision: 1 }, { ...event, stream: 'b-1' }])
      hash.add(one);
    expect([hash.events, hash.streams]).toEqual([3, 2]);
  });

  test('is a sum modulo 2^256', () => {
    const many = Array.from({ length: 50 }, (_, revision) => ({ ...event, revision }));
    const sum = many.reduce((total, one) => total + BigInt(`0x${eventHash(one)}`), 0n);
    expect(sum > 2n ** 256n).toBe(true);
    expect(BigInt(`0x${hashOf(many)}`)).toBe(sum % 2n ** 256n);
  });

  test('differs when any one event of a log is changed, missing, or there twice', () => {
    const many = Array.from({ length: 20 }, (_, revision) => ({ ...event, revision }));
    const whole = hashOf(many);
    for (const [index, one] of many.entries()) {
      expect(hashOf(many.toSpliced(index, 1))).not.toBe(whole);
      expect(hashOf(many.toSpliced(index, 1, { ...one, data: '{}' }))).not.toBe(whole);
      expect(hashOf([...many, one])).not.toBe(whole);
    }
  });
});

describe('hashLog', () => {
  test('is equal for logs that hold the same events, however many partitions they have', async () => {
    const logs = [1, 2, 7].map((partitions) =>
      memoryEventLog({ partitions, clock: { now: () => 5 } }),
    );
    for (let stream = 0; stream < 30; stream += 1) {
      const events = sampleEvents(50);
      for (const log of logs) await log.append(`sample-${stream}`, events, { expected: 'any' });
    }
    const hashes = await Promise.all(logs.map((log) => hashLog(log)));
    expect(hashes.map((hash) => [hash.events, hash.streams])).toEqual(logs.map(() => [1_500, 30]));
    expect(new Set(hashes.map((hash) => hash.digest())).size).toBe(1);
  });

  test('tells its progress, and ends early on abort', async () => {
    const log = memoryEventLog();
    for (let round = 0; round < 3; round += 1) {
      await log.append('sample-1', sampleEvents(1_000), { expected: 'any' });
    }
    const seen: number[] = [];
    const abort = new AbortController();
    const onProgress = (events: number) => {
      seen.push(events);
      if (events === 2_000) abort.abort();
    };
    const hash = await hashLog(log, { onProgress, signal: abort.signal });
    expect(seen).toEqual([1_000, 2_000]);
    expect(hash.events).toBe(2_000);
  });
});
