import { idFromKey, sha256, systemClock } from '@annals/core';
import { expect, test, vi } from 'vitest';
import { LogHash } from '../log-hash.ts';
import { memoryEventLog } from '../memory-event-log.ts';
import type { EventLog, StoredEvent } from '../port.ts';
import { DigestCheck } from './check.ts';
import { digestStream } from './events.ts';
import { DigestKeeper, digestsOf } from './keeper.ts';
import { digestKeyOf } from './signing.ts';

const key = digestKeyOf('ab'.repeat(32));
const other = digestKeyOf('cd'.repeat(32));
const clock = systemClock;

async function append(log: EventLog, count: number, from = 0): Promise<void> {
  for (let number = from; number < from + count; number += 1) {
    const stream = `checkout-c-${number % 7}`;
    const data = JSON.stringify({ number });
    const event = {
      type: 'paid',
      schemaVersion: 1,
      data,
      contentHash: sha256(data),
      occurredAt: 1,
    };
    const id = idFromKey('test', String(number));
    await log.append(stream, [{ ...event, id }], { expected: 'any' });
  }
}

async function keep(log: EventLog, everyEvents = 10, signer = key): Promise<void> {
  const keeper = new DigestKeeper({ log, clock, key: signer, everyEvents });
  await keeper.run(new AbortController().signal, { once: true });
}

type Tamper = (event: StoredEvent) => StoredEvent | undefined;

/** What a verification finds in the log as `tamper` leaves it; undefined takes an event out. */
async function check(log: EventLog, tamper: Tamper = (event) => event, trusted = [key.publicKey]) {
  const changed = (events: readonly StoredEvent[]) => events.flatMap((one) => tamper(one) ?? []);
  const read: Pick<EventLog, 'readStream'> = {
    readStream: async (stream, options) => {
      const page = await log.readStream(stream, options);
      return { ...page, events: changed(page.events) };
    },
  };
  const checking = new DigestCheck(read, { trusted });
  const hash = new LogHash();
  const { events } = await log.read('start', {}, { limit: 10_000 });
  for (const event of changed(events)) await checking.add(event, hash.add(event));
  return checking.finish();
}

test('after every so many events there is a digest, and all of them are as they were signed', async () => {
  const log = memoryEventLog({ partitions: 3 });
  await append(log, 47);
  await keep(log);
  await append(log, 10, 47);
  await keep(log);
  expect(await check(log)).toEqual({
    ...{ digests: 5, signedEvents: 50, publicKeys: [key.publicKey], problems: [] },
  });
});

test('a log without digests has nothing to say of them', async () => {
  const log = memoryEventLog();
  await append(log, 9);
  await keep(log);
  expect(await check(log)).toEqual({ digests: 0, signedEvents: 0, publicKeys: [], problems: [] });
});

test.each<[string, Tamper, RegExp]>([
  [
    'an event with other data and the hash that fits it',
    (event) =>
      event.stream === 'checkout-c-3' && event.revision === 1
        ? { ...event, data: '{"number":1000}', contentHash: sha256('{"number":1000}') }
        : event,
    /^digest 2: events 1 to \d of checkout-c-3 are not what was signed/,
  ],
  [
    'another time',
    (event) =>
      event.stream === 'checkout-c-3' && event.revision === 0
        ? { ...event, recordedAt: event.recordedAt - 1 }
        : event,
    /^digest 1: events 0 to \d of checkout-c-3 are not/,
  ],
  [
    'another actor',
    (event) =>
      event.stream === 'checkout-c-0' && event.revision === 0
        ? { ...event, metadata: { actor: 'somebody-else' } }
        : event,
    /^digest 1: events 0 to \d of checkout-c-0 are not/,
  ],
  [
    'the last event of a stream taken out',
    (event) => (event.stream === 'checkout-c-6' && event.revision === 4 ? undefined : event),
    /^digest 4: of events \d to 4 of checkout-c-6 1 are missing/,
  ],
  [
    'a whole stream taken out',
    (event) => (event.stream === 'checkout-c-6' ? undefined : event),
    /^digest 1: of events 0 to 0 of checkout-c-6 1 are missing/,
  ],
  [
    'a digest that was made to fit',
    (event) =>
      event.stream === digestStream && event.revision === 1
        ? { ...event, data: event.data.replace(/"hash":"./, '"hash":"0') }
        : event,
    /^digest 2: its signature is not of its key/,
  ],
  [
    'a digest taken out',
    (event) => (event.stream === digestStream && event.revision === 1 ? undefined : event),
    /^digest 3 comes where 2 should be/,
  ],
])('%s is found, and the range is named', async (_, tamper, problem) => {
  const log = memoryEventLog();
  await append(log, 40);
  await keep(log);
  const { problems } = await check(log, tamper);
  expect(problems.join('\n')).toMatch(new RegExp(problem.source, 'm'));
});

test('a digest of somebody else is found by the key that is trusted', async () => {
  const log = memoryEventLog();
  await append(log, 10);
  await keep(log, 10, other);
  expect((await check(log)).problems).toEqual([
    `digest 1 is signed by a key that is not trusted: ${other.publicKey}`,
  ]);
  expect((await check(log, undefined, [])).problems).toEqual([]);
  expect((await check(log, undefined, [key.publicKey, other.publicKey])).problems).toEqual([]);
});

test('a copy with other positions is as well signed, and the keeper goes on in it', async () => {
  const log = memoryEventLog();
  await append(log, 25);
  await keep(log);
  const copy = memoryEventLog({ partitions: 4 });
  const { events } = await log.read('start', {}, { limit: 1_000 });
  // Stream by stream: no two streams keep their order to each other.
  for (const [stream, own] of Map.groupBy(events, (event) => event.stream)) {
    const copied = own.map(
      ({ stream: _, revision: __, partition: ___, position: ____, ...event }) => event,
    );
    await copy.append(stream, copied, { expected: 'no-stream' });
  }
  expect(await check(copy)).toMatchObject({ digests: 2, signedEvents: 20, problems: [] });
  await append(copy, 5, 25);
  await keep(copy);
  expect(await check(copy)).toMatchObject({ digests: 3, signedEvents: 30, problems: [] });
});

test('of two keepers one writes each digest, also where appends are unsure', async () => {
  let appends = 0;
  const log = memoryEventLog();
  const unsure: EventLog = new Proxy(log, {
    get: (target, name: keyof EventLog) => {
      if (name !== 'append') return target[name].bind(target);
      return async (...args: Parameters<EventLog['append']>) => {
        const result = await target.append(...args);
        appends += 1;
        return appends % 3 === 0 ? { kind: 'unknown', detail: '' } : result;
      };
    },
  });
  const stop = new AbortController();
  const quick = { ...clock, sleep: (_: number, signal?: AbortSignal) => clock.sleep(1, signal) };
  const keepers = [1, 2].map(() =>
    new DigestKeeper({ log: unsure, clock: quick, key, everyEvents: 5 }).run(stop.signal),
  );
  await append(log, 60);
  await vi.waitFor(async () => expect((await check(log)).digests).toBe(12), 10_000);
  stop.abort();
  await Promise.all(keepers);
  expect(await check(log)).toMatchObject({ digests: 12, signedEvents: 60, problems: [] });
});

test('names that are long end a digest early, so that it fits in an event', async () => {
  const log = memoryEventLog();
  for (let number = 0; number < 600; number += 1) {
    const data = '{}';
    const event = { type: 'a', schemaVersion: 1, data, contentHash: sha256(data), occurredAt: 1 };
    const stream = `checkout-${String(number).padEnd(480, 'x')}`;
    await log.append(stream, [{ ...event, id: idFromKey('long', stream) }], { expected: 'any' });
  }
  await keep(log, 1_000);
  const counts = [];
  for await (const { events } of digestsOf(log)) counts.push(events);
  expect(counts.length).toBe(2);
  expect(await check(log)).toMatchObject({ problems: [] });
});

test('a key is 64 hex digits, and a digest is about one event at least', () => {
  expect(() => digestKeyOf('ab')).toThrow('64 hex digits');
  expect(key.publicKey).toMatch(/^[0-9a-f]{64}$/);
  for (const everyEvents of [0, 1.5, 1_001]) {
    expect(() => new DigestKeeper({ log: memoryEventLog(), clock, key, everyEvents })).toThrow(
      '1 to 1000 events',
    );
  }
});
