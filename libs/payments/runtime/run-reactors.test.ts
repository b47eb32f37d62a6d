import { idFromKey, type SubjectCipher } from '@annals/core';
import { type EventLog, EventTypes, eventType, memoryEventLog } from '@annals/event-log';
import { type Reactor, runReactor } from '@annals/projection';
import { VirtualClock } from '@annals/projection/testing';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { runReactors, runReactorsLimits } from './run-reactors.ts';

const schema = z.strictObject({ name: z.string() });
const types = new EventTypes([eventType({ name: 'asked', schemaVersion: 1, schema })]);
const cipher: SubjectCipher = {
  keyring: () => Promise.reject(new Error('no event here holds personal data')),
};

async function ask(log: EventLog, name: string, category = 'order') {
  const id = idFromKey(category, name);
  const event = { type: 'asked', id, occurredAt: 0, data: { name } } as const;
  const encoded = await types.encode([event], cipher);
  if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
  await log.append(`${category}-${name}`, encoded.events, { expected: 'no-stream' });
}

/** A site with one log; `start` is a process of it. */
function site() {
  const clock = new VirtualClock();
  const log = memoryEventLog({ clock });
  const done: string[] = [];
  const troubles: string[] = [];
  const reactor = (by: string): Reactor => ({
    ...{ name: 'doer', categories: ['order'], concurrencyMax: 4, callWithinMs: 1_000 },
    decode: (events) => types.decode(events, cipher),
    wants: () => true,
    perform: async ({ event }) => {
      done.push(`${by}: ${(event.data as { readonly name: string }).name}`);
      return { kind: 'done', result: {} };
    },
    lookUp: async () => ({ kind: 'not-done' }),
  });
  const start = (by: string, mayWork?: () => boolean, its: EventLog = log) => {
    const stop = new AbortController();
    const running = runReactors({
      ...{ log: its, cipher, clock, signal: stop.signal, reactors: [reactor(by)] },
      ...(mayWork ? { mayWork } : {}),
      onTrouble: (_, detail) => troubles.push(detail),
    });
    const end = () => {
      stop.abort();
      return clock.until(running.done);
    };
    onTestFinished(end);
    const state = () => running.status()[0]?.state;
    return { end, state, running };
  };
  return { clock, log, done, troubles, reactor, start };
}

test('the first start of a folder works, whatever other products have written already', async () => {
  const { log, clock, done, start, troubles } = site();
  await ask(log, 'board', 'leaderboard');
  const one = start('one');
  await clock.advance(10);
  await ask(log, 'a');
  await clock.advance(1_000);
  expect(done).toEqual(['one: a']);
  expect(one.state()).toBe('running');
  await one.end();
  expect(one.state()).toBe('stopped');
  expect(troubles).toEqual([]);
});

test('a log with events of its own and no progress: it refuses, and goes on once it was told where', async () => {
  const { log, clock, done, start, troubles, reactor } = site();
  await ask(log, 'old');
  const one = start('one');
  await clock.advance(20_000);
  expect(one.state()).toBe('refused');
  expect(troubles).toEqual([expect.stringContaining('--from head')]);
  const told = { log, cipher, clock, reactor: reactor('told'), runId: 'told' };
  await runReactor({ ...told, from: 'head', signal: AbortSignal.abort() });
  await clock.advance(runReactorsLimits.refusedMs);
  await ask(log, 'new');
  await clock.advance(1_000);
  expect(done).toEqual(['one: new']);
});

test('of two processes one works; the other takes over when nothing goes on any more', async () => {
  const { log, clock, done, start } = site();
  const one = start('one');
  await clock.advance(10);
  const two = start('two');
  for (const name of ['a', 'b', 'c']) {
    await ask(log, name);
    await clock.advance(100);
  }
  expect(done.map((by) => by.slice(-1))).toEqual(['a', 'b', 'c']);
  const [worker, other] = [one, two].toSorted((a) => (a.state() === 'running' ? -1 : 1));
  expect([worker?.state(), other?.state()]).toEqual(['running', 'standby']);
  await worker?.end();
  await clock.advance(2 * runReactorsLimits.standbyMs);
  expect(other?.state()).toBe('running');
  await ask(log, 'd');
  await clock.advance(1_000);
  expect(done).toHaveLength(4);
});

test('a process without the lease waits; one that loses it stops, and nothing is done twice', async () => {
  const { log, clock, done, start } = site();
  let holder = 'one';
  const one = start('one', () => holder === 'one');
  const two = start('two', () => holder === 'two');
  await clock.advance(500);
  expect([one.state(), two.state()]).toEqual(['running', 'waiting']);
  await ask(log, 'a');
  await clock.advance(500);
  holder = 'two';
  await clock.advance(1_000);
  expect([one.state(), two.state()]).toEqual(['waiting', 'running']);
  await ask(log, 'b');
  await clock.advance(500);
  expect(done).toEqual(['one: a', 'two: b']);
});

test('a log that cannot be read is told of and tried again', async () => {
  const { log, clock, done, start, troubles } = site();
  let broken = true;
  const flaky: EventLog = {
    ...log,
    append: log.append.bind(log),
    readStream: log.readStream.bind(log),
    subscribe: log.subscribe.bind(log),
    head: log.head.bind(log),
    read: async (...asked) => {
      if (broken) throw new Error('the disk is away');
      return log.read(...asked);
    },
  };
  const one = start('one', undefined, flaky);
  await clock.advance(100);
  expect(one.state()).toBe('failing');
  expect(one.running.isWorking()).toBe(false);
  broken = false;
  await clock.advance(5_000);
  await ask(log, 'a');
  await clock.advance(500);
  expect(done).toEqual(['one: a']);
  expect(troubles.every((detail) => detail.includes('the disk is away'))).toBe(true);
});
