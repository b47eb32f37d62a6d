import { describe, expect, test } from 'vitest';
import { sampleEvent, sampleEvents } from './contract/index.ts';
import { type CopyOptions, copyLog } from './copy-log.ts';
import { hashLog, type PortableEvent } from './log-hash.ts';
import { type AppendFault, type MemoryEventLog, memoryEventLog } from './memory-event-log.ts';
import type { EventLog } from './port.ts';

const any = { expected: 'any' } as const;

async function fill(log: EventLog, rounds: number, nonce = 'n'): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const events = sampleEvents(1 + (round % 3), { data: { round }, nonce: `${nonce}${round}` });
    await log.append(`sample-${round % 12}`, events, any);
  }
}

async function filledLog(rounds = 60): Promise<MemoryEventLog> {
  const log = memoryEventLog({ partitions: 3, clock: { now: () => 1_767_323_045_999 } });
  await fill(log, rounds);
  return log;
}

async function portable(log: EventLog): Promise<PortableEvent[]> {
  const { events } = await log.read('start', {}, { limit: 1_000 });
  return events
    .map(({ partition: _, position: __, ...event }) => event)
    .sort((a, b) => a.stream.localeCompare(b.stream) || a.revision - b.revision);
}

/** A copy that is cut off, as by a kill, before its append number `appends`. */
async function brokenCopy(from: EventLog, to: MemoryEventLog, appends: number) {
  let left = appends;
  const cut: EventLog = {
    ...bound(to),
    append: (...how) => {
      left -= 1;
      return left < 0 ? Promise.reject(new Error('cut off')) : to.append(...how);
    },
  };
  await expect(copyLog(from, cut)).rejects.toThrow('cut off');
}

function bound(log: EventLog): EventLog {
  return {
    append: log.append.bind(log),
    readStream: log.readStream.bind(log),
    read: log.read.bind(log),
    subscribe: log.subscribe.bind(log),
    count: log.count.bind(log),
    head: log.head.bind(log),
    close: log.close.bind(log),
  };
}

describe('a copy', () => {
  test('has the same events in a log with other partitions, and both have one hash', async () => {
    const from = await filledLog();
    const to = memoryEventLog({ partitions: 2, clock: { now: () => 5 } });
    const { events } = await hashLog(from);
    const hash = (await hashLog(from)).digest();
    expect(await copyLog(from, to)).toEqual({ kind: 'copied', events, added: events, hash });
    expect((await hashLog(to)).digest()).toBe(hash);
    expect(await portable(to)).toEqual(await portable(from));
  });

  test('made again stores nothing, and then what is new', async () => {
    const from = await filledLog();
    const to = memoryEventLog();
    const first = await copyLog(from, to);
    expect(await copyLog(from, to)).toEqual({ ...first, added: 0 });
    await fill(from, 5, 'later');
    expect(await copyLog(from, to)).toMatchObject({ kind: 'copied', added: 9 });
    expect(await portable(to)).toEqual(await portable(from));
  });

  test('that was cut off anywhere goes on from what is there', async () => {
    const from = await filledLog();
    for (const appends of [0, 1, 5, 11]) {
      const to = memoryEventLog({ partitions: 2 });
      await brokenCopy(from, to, appends);
      const there = (await hashLog(to)).events;
      const events = (await hashLog(from)).events;
      expect(await copyLog(from, to)).toMatchObject({ events, added: events - there });
      expect(await portable(to)).toEqual(await portable(from));
    }
  });

  test('goes on while appends go on, for as long as it is told to', async () => {
    const from = await filledLog(10);
    const to = memoryEventLog();
    let asked = 0;
    const result = await copyLog(from, to, {
      onCaughtUp: async () => {
        asked += 1;
        if (asked > 3) return false;
        await fill(from, 10, `live${asked}`);
        return true;
      },
    });
    expect(result.kind).toBe('copied');
    expect(await portable(to)).toEqual(await portable(from));
  });

  test('comes to rest when it is told to, and tells how far it came', async () => {
    const from = await filledLog();
    const to = memoryEventLog();
    const stop = new AbortController();
    const options: CopyOptions = {
      signal: stop.signal,
      onCaughtUp: () => {
        stop.abort();
        return true;
      },
    };
    const { events } = await hashLog(from);
    expect(await copyLog(from, to, options)).toEqual({ kind: 'aborted', events, added: events });
    expect(await copyLog(from, to, options)).toEqual({ kind: 'aborted', events: 0, added: 0 });
  });

  test('sends again what was answered unknown or overloaded', async () => {
    const faults: AppendFault[] = [
      'unknown-stored',
      'unknown-not-stored',
      'overloaded',
      'unreachable',
    ];
    let turn = 0;
    const append = () => {
      turn += 1;
      return turn % 2 === 0 ? undefined : faults[turn % 3];
    };
    const from = await filledLog();
    const to = memoryEventLog({ faults: { append } });
    const clock = { sleep: async () => undefined };
    expect(await copyLog(from, to, { clock })).toMatchObject({ kind: 'copied' });
    expect(await portable(to)).toEqual(await portable(from));
  });
});

describe('refused, with nothing stored, is a log that holds', () => {
  const refused = { kind: 'refused', reason: 'foreign-log' };

  test('other events', async () => {
    const to = memoryEventLog();
    await to.append('sample-other', [sampleEvent()], any);
    expect(await copyLog(await filledLog(), to)).toMatchObject(refused);
    expect((await hashLog(to)).events).toBe(1);
  });

  test('an event beside the copy, in a stream of its own or behind one', async () => {
    for (const stream of ['sample-other', 'sample-1']) {
      const from = await filledLog();
      const to = memoryEventLog();
      await copyLog(from, to);
      await to.append(stream, [sampleEvent()], any);
      await fill(from, 12, 'later');
      const before = (await hashLog(to)).events;
      expect(await copyLog(from, to)).toMatchObject(refused);
      expect((await hashLog(to)).events).toBe(before);
    }
  });

  test('the same events, stamped otherwise', async () => {
    const to = memoryEventLog({ partitions: 3, clock: { now: () => 5 } });
    await fill(to, 10);
    expect(await copyLog(await filledLog(), to)).toMatchObject(refused);
  });

  test('more than the first log, which was set back', async () => {
    const to = await filledLog(20);
    expect(await copyLog(await filledLog(10), to)).toMatchObject(refused);
  });
});

test('another writer to the second log stops the copy', async () => {
  const from = await filledLog(3);
  const to = memoryEventLog();
  const result = await copyLog(from, to, {
    onCaughtUp: async () => {
      await to.append('sample-2', [sampleEvent()], any);
      await fill(from, 3, 'later');
      return true;
    },
  });
  expect(result).toMatchObject({ kind: 'refused', reason: 'log-differs' });
});
