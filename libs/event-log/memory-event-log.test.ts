import { describe, expect, test } from 'vitest';
import { sampleEvent, sampleEvents } from './contract/index.ts';
import {
  type AppendFault,
  type MemoryEventLog,
  type MemoryLogFaults,
  memoryEventLog,
} from './memory-event-log.ts';
import { MemoryStorage } from './memory-storage.ts';
import type { Delivery } from './port.ts';

const any = { expected: 'any' } as const;

function withAppendFault(fault: AppendFault): MemoryEventLog {
  let armed = true;
  const append = () => {
    const now = armed ? fault : undefined;
    armed = false;
    return now;
  };
  return memoryEventLog({ faults: { append }, clock: { now: () => 1_000 } });
}

async function next(iterator: AsyncIterator<Delivery>): Promise<Delivery> {
  return (await iterator.next()).value as Delivery;
}

describe('faults of append', () => {
  test.each([
    ['throw-not-stored', 0],
    ['throw-stored', 1],
  ] as const)('%s throws, with %i event in the log', async (fault, events) => {
    const log = withAppendFault(fault);
    await expect(log.append('sample-1', [sampleEvent()], any)).rejects.toMatchObject({
      name: 'EventLogError',
      code: 'io',
    });
    expect((await log.read('start')).events).toHaveLength(events);
  });

  test.each([
    ['unknown-not-stored', false],
    ['unknown-stored', true],
  ] as const)('%s: a resend settles it, duplicate %s', async (fault, duplicate) => {
    const log = withAppendFault(fault);
    const events = sampleEvents(2);
    expect(await log.append('sample-1', events, any)).toMatchObject({ kind: 'unknown' });
    const resent = await log.append('sample-1', events, any);
    expect(resent).toMatchObject({ kind: 'stored', duplicate, revision: 1, recordedAt: 1_000 });
    expect((await log.read('start')).events).toHaveLength(2);
  });

  test('overloaded refuses and stores nothing', async () => {
    const log = withAppendFault('overloaded');
    expect(await log.append('sample-1', [sampleEvent()], any)).toMatchObject({
      kind: 'refused',
      reason: 'overloaded',
    });
    expect((await log.read('start')).events).toEqual([]);
  });
});

describe('faults of reading', () => {
  test('a read that breaks throws, and the next one is whole', async () => {
    let broken = false;
    const log = memoryEventLog({ faults: { read: () => (broken ? 'throw' : undefined) } });
    await log.append('sample-1', [sampleEvent()], any);
    broken = true;
    for (const use of [
      () => log.read('start'),
      () => log.readStream('sample-1'),
      () => log.count(),
      () => log.head(),
    ]) {
      await expect(use()).rejects.toMatchObject({ code: 'io' });
    }
    broken = false;
    expect((await log.read('start')).events).toHaveLength(1);
  });

  test('a resubscription may begin earlier, and so repeat deliveries', async () => {
    const log = memoryEventLog({ faults: { subscribe: () => ({}) } });
    await log.append('sample-1', sampleEvents(3), any);
    const delivery = await next(log.subscribe(await log.head())[Symbol.asyncIterator]());
    expect(delivery.kind === 'events' && delivery.events.length).toBe(3);
  });

  test('a delivery may come twice, or break the subscription', async () => {
    const faults: ('repeat' | 'throw')[] = ['repeat', 'throw'];
    const deliver: NonNullable<MemoryLogFaults['deliver']> = () => faults.shift();
    const log = memoryEventLog({ faults: { deliver } });
    await log.append('sample-1', sampleEvents(3), any);
    const iterator = log.subscribe({})[Symbol.asyncIterator]();
    const first = await next(iterator);
    expect(await next(iterator)).toBe(first);
    await expect(iterator.next()).rejects.toMatchObject({ code: 'io' });
  });
});

describe('hold and release', () => {
  test('a held instance sees no newer events in reads, but appends are judged by what is there', async () => {
    const storage = new MemoryStorage({ partitions: 3 });
    const [log, other] = [memoryEventLog({ storage }), memoryEventLog({ storage })];
    await log.append('sample-1', sampleEvents(2), any);
    log.hold();
    await other.append('sample-1', sampleEvents(3), any);
    await other.append('sample-2', sampleEvents(1), any);
    expect((await log.read('start')).events).toHaveLength(2);
    const back = await log.read('end', {}, { direction: 'backward' });
    expect(back.events).toHaveLength(2);
    expect(await log.count()).toEqual(new Map([['sampled', 2]]));
    expect(await log.head()).not.toEqual(await other.head());
    expect((await log.readStream('sample-1')).head).toBe(4);
    expect(await log.append('sample-1', [sampleEvent()], { expected: 1 })).toMatchObject({
      kind: 'conflict',
      actual: 4,
    });
    log.release();
    expect(await log.head()).toEqual(await other.head());
    expect((await log.read('start')).events).toHaveLength(6);
  });

  test('a subscription waits while held, and goes on when released', async () => {
    const log = memoryEventLog();
    const iterator = log.subscribe({})[Symbol.asyncIterator]();
    expect((await next(iterator)).kind).toBe('caught-up');
    log.hold();
    await log.append('sample-1', sampleEvents(2), any);
    let came = false;
    const pulled = next(iterator).then((delivery) => {
      came = true;
      return delivery;
    });
    for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
    expect(came).toBe(false);
    log.release();
    expect(await pulled).toMatchObject({ kind: 'events', events: [{}, {}] });
  });
});

describe('crash and storage', () => {
  test('a crash before the write stores nothing, one after it keeps the event; neither answers', async () => {
    for (const [turns, kept] of [
      [0, 0],
      [1, 1],
    ] as const) {
      const log = memoryEventLog();
      const appending = log.append('sample-1', [sampleEvent()], any);
      const outcome = appending.then(
        () => 'answered',
        (error: { code: string }) => error.code,
      );
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      log.crash();
      expect(await outcome).toBe('closed');
      const restarted = memoryEventLog({ storage: log.storage });
      expect((await restarted.read('start')).events).toHaveLength(kept);
    }
  });

  test('a crash ends subscriptions', async () => {
    const log = memoryEventLog();
    const iterator = log.subscribe({})[Symbol.asyncIterator]();
    await iterator.next();
    const waiting = iterator.next();
    log.crash();
    expect(await waiting).toMatchObject({ done: true });
  });

  test('a snapshot goes its own way: later events are in one of the two only', async () => {
    const log = memoryEventLog({ partitions: 2 });
    const event = sampleEvent();
    await log.append('sample-1', [event], any);
    const older = memoryEventLog({ storage: log.storage.snapshot() });
    await log.append('sample-1', [sampleEvent()], any);
    await older.append('sample-2', [sampleEvent()], any);
    expect((await log.readStream('sample-2')).head).toBe('no-stream');
    expect((await older.readStream('sample-1')).head).toBe(0);
    expect(await older.append('sample-1', [event], any)).toMatchObject({ duplicate: true });
    const late = await older.append('sample-1', [sampleEvent()], { expected: 0 });
    expect(late).toMatchObject({ kind: 'stored', revision: 1 });
  });

  test('positions have gaps, and streams spread over all partitions', async () => {
    const log = memoryEventLog({ partitions: 4 });
    for (let stream = 0; stream < 40; stream += 1) {
      await log.append(`sample-${stream}`, sampleEvents(2), any);
    }
    const { events } = await log.read('start');
    expect(new Set(events.map((event) => event.partition))).toEqual(new Set([0, 1, 2, 3]));
    const numbers = events.filter((one) => one.partition === 0).map((one) => Number(one.position));
    expect(numbers.some((number, index) => number - (numbers[index - 1] ?? number) > 1)).toBe(true);
    expect(() => new MemoryStorage({ partitions: 0 })).toThrow(RangeError);
  });

  test('what the caller changes after append does not reach the log, nor does a reader change it', async () => {
    const log = memoryEventLog();
    const event = { ...sampleEvent(), metadata: { actor: 'one' } };
    const appending = log.append('sample-1', [event], any);
    event.data = '{}';
    event.metadata = { actor: 'two' };
    await appending;
    const [kept] = (await log.readStream('sample-1')).events;
    expect(kept).toMatchObject({ data: '{"points":1}', metadata: { actor: 'one' } });
    expect(() => Object.assign(kept!, { data: '{}' })).toThrow(TypeError);
  });

  test('the same calls give the same log, position by position', async () => {
    const run = async () => {
      let now = 0;
      const clock = { now: () => (now += 5) };
      const log = memoryEventLog({ partitions: 3, clock });
      await Promise.all(
        Array.from({ length: 30 }, (_, index) => {
          const id = `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
          return log.append(`sample-${index % 7}`, [sampleEvent({}, { id })], any);
        }),
      );
      return (await log.read('start')).events;
    };
    expect(await run()).toEqual(await run());
  });
});
