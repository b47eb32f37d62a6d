import { idFromKey, systemClock } from '@annals/core';
import { type EventLog, encodeCheckpoint, memoryEventLog } from '@annals/event-log';
import { expect, test } from 'vitest';
import { noPersonalData } from '../generations/events.ts';
import { reactorStream } from './events.ts';
import { ReactorJournal, ReactorSupersededError } from './journal.ts';

function site() {
  const log = memoryEventLog();
  /** How many events each append had. */
  const appends: number[] = [];
  const counting: EventLog = new Proxy(log, {
    get: (of, name) => {
      const member: unknown = Reflect.get(of, name);
      if (name !== 'append') return typeof member === 'function' ? member.bind(of) : member;
      return (...args: Parameters<EventLog['append']>) => {
        appends.push(args[1].length);
        return log.append(...args);
      };
    },
  });
  const journal = new ReactorJournal(counting, 'test', noPersonalData, systemClock);
  return { log, appends, journal };
}

const done = (name: string, result: string) =>
  ({
    type: 'effect-done',
    id: idFromKey('settled', name),
    occurredAt: 1,
    data: { effect_id: idFromKey('effect', name), result: { text: result } },
  }) as const;

const progress = (open: number) => ({
  type: 'reactor-progressed' as const,
  id: idFromKey('progress', String(open)),
  occurredAt: 1,
  data: { checkpoint: encodeCheckpoint({}), open: [], anchor: null, run: `run-${open}` },
});

test('what waits goes into one append; what says how things stand goes alone, after all before it', async () => {
  const { log, appends, journal } = site();
  const stored: string[] = [];
  const record = (name: string) => journal.record([done(name, name)], () => stored.push(name));
  await Promise.all([
    record('a'),
    ...Array.from({ length: 100 }, (_, n) => record(`b${n}`)),
    journal.restate(() => [progress(stored.length)]),
    record('c'),
    record('d'),
  ]);
  expect(appends).toEqual([1, 64, 36, 1, 2]);
  expect(stored).toHaveLength(103);
  const { events } = await log.readStream(reactorStream('test'), { limit: 1_000 });
  expect(events.map(({ type }) => type).indexOf('reactor-progressed')).toBe(101);
  expect(JSON.parse(events[101]?.data ?? '').run).toBe('run-101');
});

test('an append stays below the limits of the log', async () => {
  const { appends, journal } = site();
  const long = 'x'.repeat(50_000);
  await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => journal.record([done(name, long)])));
  expect(appends).toEqual([1, 2, 2]);
});

test('who is superseded learns of it for everything that waits', async () => {
  const { log, journal } = site();
  await journal.restate(() => [progress(0)]);
  const other = new ReactorJournal(log, 'test', noPersonalData, systemClock);
  await other.load();
  await other.record([done('b', 'b')]);
  const ended = await Promise.allSettled([
    journal.record([done('c', 'c')]),
    journal.record([done('d', 'd')]),
  ]);
  for (const one of ended) {
    expect(one).toMatchObject({ status: 'rejected' });
    expect((one as PromiseRejectedResult).reason).toBeInstanceOf(ReactorSupersededError);
  }
});

test('what may wait goes with what hurries, in its order, and by itself in time', async () => {
  const { log, appends, journal } = site();
  const waits = { mayWait: true };
  const early = journal.record([done('a', 'a')], undefined, waits);
  const later = journal.record([done('b', 'b')], undefined, waits);
  expect(appends).toEqual([]);
  await journal.record([done('c', 'c')]);
  await Promise.all([early, later]);
  expect(appends).toEqual([3]);
  await journal.record([done('d', 'd')], undefined, waits);
  expect(appends).toEqual([3, 1]);
  const told = journal.record([done('e', 'e')], undefined, waits);
  journal.hurry();
  await told;
  expect(appends).toEqual([3, 1, 1]);
  const { events } = await log.readStream(reactorStream('test'));
  expect(events.map(({ id }) => id)).toEqual(
    ['a', 'b', 'c', 'd', 'e'].map((one) => done(one, one).id),
  );
});
