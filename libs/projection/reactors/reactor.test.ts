import { setImmediate as turn } from 'node:timers/promises';
import { type Clock, newId } from '@annals/core';
import { type EventLog, memoryEventLog } from '@annals/event-log';
import { expect, test } from 'vitest';
import {
  forbidden,
  leapingClock,
  noPersonalData,
  Provider,
  pay,
  reactorOf,
  reopened,
  settledEffects,
  start,
  startFresh,
  until,
} from '../testing/paid-orders.ts';
import { reactorStream } from './events.ts';
import { runReactor } from './run-reactor.ts';

test('each wanted event has its effect once; a restart has none', async () => {
  const log = memoryEventLog();
  const provider = new Provider();
  const run = await startFresh(log, reactorOf(provider));
  for (const order of ['a', 'b', 'c']) await pay(log, order);
  await pay(log, 'd', 'order-seen');
  await until(async () => (await settledEffects(log)) === 3);
  expect(await run.stop()).toMatchObject({ kind: 'stopped' });
  expect(provider.calls.toSorted()).toEqual(['a', 'b', 'c']);

  const again = start(await reopened(log), forbidden);
  await pay(log, 'e', 'order-seen');
  for (let turns = 0; turns < 50; turns += 1) await turn();
  expect(await again.stop()).toMatchObject({ kind: 'stopped' });
});

test('effects of one stream keep their order; of many, at most concurrencyMax run at once', async () => {
  const log = memoryEventLog();
  const provider = new Provider();
  const run = await startFresh(log, reactorOf(provider, 3));
  const orders = Array.from({ length: 60 }, (_, i) => `${i % 6}.${Math.floor(i / 6)}`);
  for (const order of orders) await pay(log, order);
  await until(async () => (await settledEffects(log)) === 60);
  await run.stop();
  expect(provider.atOnceMax).toBeLessThanOrEqual(3);
  expect(provider.atOnceMax).toBeGreaterThan(1);
  for (let stream = 0; stream < 6; stream += 1) {
    const own = provider.calls.filter((order) => order.startsWith(`${stream}.`));
    expect(own).toEqual(Array.from({ length: 10 }, (_, i) => `${stream}.${i}`));
  }
});

test('the next effect of a stream does not wait until the end of the one before is stored, and stands behind it', async () => {
  const log = memoryEventLog();
  const provider = new Provider();
  const stored: string[][] = [];
  const telling: EventLog = new Proxy(log, {
    get: (of, name) => {
      const member: unknown = Reflect.get(of, name);
      if (name !== 'append') return typeof member === 'function' ? member.bind(of) : member;
      return (...args: Parameters<EventLog['append']>) => {
        if (args[0] === reactorStream('notify')) stored.push(args[1].map(({ id }) => id));
        return log.append(...args);
      };
    },
  });
  for (let order = 0; order < 40; order += 1) await pay(log, `${order % 4}.${order}`);
  const run = start(telling, reactorOf(provider, 10), {});
  await until(async () => (await settledEffects(log)) === 40);
  await run.stop();
  const { events } = await log.readStream(reactorStream('notify'), { limit: 1_000 });
  const streams = new Map<string, string>();
  const underWay = new Set<string>();
  let together = 0;
  for (const { id, type, data } of events) {
    const { effect_id: effect, stream } = JSON.parse(data) as { effect_id: string; stream: string };
    if (type === 'effect-intended') {
      expect(underWay).not.toContain(stream);
      underWay.add(stream);
      streams.set(effect, stream);
      streams.set(id, stream);
    }
    if (type !== 'effect-done') continue;
    const own = streams.get(effect) ?? '';
    underWay.delete(own);
    const append = stored.find((ids) => ids.includes(id)) ?? [];
    const next = events.filter((one) => append.includes(one.id) && one.type === 'effect-intended');
    if (next.some((one) => JSON.parse(one.data).stream === own)) together += 1;
  }
  expect(together).toBeGreaterThan(0);
});

test('without progress in a log that has events it refuses to start until told where', async () => {
  const log = memoryEventLog();
  await pay(log, 'old');
  const refused = await start(log, forbidden).ended;
  expect(refused).toMatchObject({ kind: 'refused', reason: 'no-progress' });
  expect((await log.readStream(reactorStream('notify'))).head).toBe('no-stream');

  const provider = new Provider();
  const fromHead = await startFresh(log, reactorOf(provider), 'head');
  await pay(log, 'new');
  await until(async () => (await settledEffects(log)) === 1);
  await fromHead.stop();
  expect(provider.calls).toEqual(['new']);
});

test('told to begin at the beginning, it does what is there', async () => {
  const log = memoryEventLog();
  await pay(log, 'old');
  const provider = new Provider();
  const run = start(log, reactorOf(provider), {});
  await until(async () => (await settledEffects(log)) === 1);
  await run.stop();
  expect(provider.calls).toEqual(['old']);
});

test('a crash after the call: the intent is looked up, and the effect is not done again', async () => {
  const log = memoryEventLog();
  const provider = new Provider();
  provider.after = () => {
    log.crash();
  };
  const run = await startFresh(log, reactorOf(provider));
  await pay(log, 'a');
  await run.ended.catch(() => undefined);
  expect(provider.calls).toEqual(['a']);

  provider.after = () => undefined;
  const next = await reopened(log);
  const again = start(next, reactorOf(provider));
  await until(async () => (await settledEffects(next)) === 1);
  await again.stop();
  expect(provider.calls).toEqual(['a']);
  expect(provider.lookUps).toEqual(['a']);
});

test('a crash before the call: the intent is looked up first, then the effect is done', async () => {
  const log = memoryEventLog();
  const provider = new Provider();
  provider.before = () => {
    log.crash();
    throw new Error('the process dies here');
  };
  const run = await startFresh(log, reactorOf(provider));
  await pay(log, 'a');
  await until(() => provider.calls.length === 1);
  run.stop().catch(() => undefined);
  expect(provider.done.size).toBe(0);

  const live = new Provider();
  const next = await reopened(log);
  const again = start(next, reactorOf(live));
  await until(async () => (await settledEffects(next)) === 1);
  await again.stop();
  expect(live.lookUps).toEqual(['a']);
  expect(live.calls).toEqual(['a']);
});

test('an error leaves the outcome unknown: it is looked up before another attempt', async () => {
  const log = memoryEventLog();
  const provider = new Provider();
  let failures = 0;
  provider.after = () => {
    failures += 1;
    throw new Error('the connection was cut after the other side had done it');
  };
  const run = await startFresh(log, reactorOf(provider));
  await pay(log, 'a');
  await until(async () => (await settledEffects(log)) === 1);
  await run.stop();
  expect(failures).toBe(1);
  expect(provider.calls).toEqual(['a']);
  expect(provider.lookUps).toEqual(['a']);
});

test('retry attempts again with the same effect id; failed is recorded and left', async () => {
  const log = memoryEventLog();
  const provider = new Provider();
  let attempts = 0;
  provider.answer = (order) => {
    if (order === 'bad') return { kind: 'failed', reason: 'no such seller' };
    attempts += 1;
    return attempts < 3 ? { kind: 'retry', reason: 'busy' } : { kind: 'done', result: {} };
  };
  const run = await startFresh(log, reactorOf(provider));
  await pay(log, 'good');
  await pay(log, 'bad');
  await until(async () => (await settledEffects(log)) === 2);
  await run.stop();
  expect(provider.calls.filter((order) => order === 'good')).toHaveLength(3);
  expect(provider.calls.filter((order) => order === 'bad')).toHaveLength(1);
  expect(provider.lookUps).toEqual([]);

  const again = start(await reopened(log), forbidden);
  for (let turns = 0; turns < 50; turns += 1) await turn();
  await again.stop();
});

test('waits between attempts double, and are spread where a random number is given', async () => {
  const waits = async (random?: () => number) => {
    const log = memoryEventLog();
    const provider = new Provider();
    let attempts = 0;
    provider.answer = () => {
      attempts += 1;
      return attempts < 5 ? { kind: 'retry', reason: 'busy' } : { kind: 'done', result: {} };
    };
    const slept: number[] = [];
    const leaping = leapingClock();
    const clock: Clock = {
      now: leaping.now,
      sleep: (ms, signal) => {
        slept.push(ms);
        return leaping.sleep(ms, signal);
      },
    };
    const abort = new AbortController();
    const ended = runReactor({
      ...{ log, reactor: reactorOf(provider), cipher: noPersonalData, clock, from: {} },
      ...{ runId: newId(), signal: abort.signal, ...(random ? { random } : {}) },
    });
    await pay(log, 'busy');
    await until(async () => (await settledEffects(log)) === 1);
    abort.abort();
    await ended;
    return slept;
  };
  expect(await waits()).toEqual([100, 200, 400, 800]);
  expect(await waits(() => 0)).toEqual([50, 100, 200, 400]);
  expect(await waits(() => 0.5)).toEqual([75, 150, 300, 600]);
});

test('of two processes one is superseded, and each effect is done once', async () => {
  const log = memoryEventLog();
  const provider = new Provider();
  const first = await startFresh(log, reactorOf(provider));
  const second = start(await reopened(log), reactorOf(provider));
  for (let order = 0; order < 20; order += 1) await pay(log, `s${order}`);
  const ended = await Promise.race([first.ended, second.ended]);
  expect(ended.kind).toBe('superseded');
  await until(() => provider.done.size === 20);
  await Promise.all([first.stop(), second.stop()]);
  expect(provider.calls.length).toBe(20);
});

test('an append of unknown outcome is repeated and stored once', async () => {
  const faults = ['unknown-stored', 'unknown-not-stored', undefined, 'unknown-stored'] as const;
  let next = 0;
  const storage = memoryEventLog().storage;
  const log = memoryEventLog({
    storage,
    faults: {
      append: (stream) =>
        stream === reactorStream('notify') ? faults[next++ % faults.length] : undefined,
    },
  });
  const provider = new Provider();
  const run = await startFresh(log, reactorOf(provider));
  for (const order of ['a', 'b', 'c']) await pay(log, order);
  await until(async () => (await settledEffects(log)) === 3);
  await run.stop();
  expect(provider.calls.toSorted()).toEqual(['a', 'b', 'c']);
});

test('a log copied to a new place goes on where it was: nothing is done again', async () => {
  const log = memoryEventLog();
  const provider = new Provider();
  const run = await startFresh(log, reactorOf(provider));
  for (let order = 0; order < 5; order += 1) await pay(log, `o${order}`);
  await until(async () => (await settledEffects(log)) === 5);
  await run.stop();

  const copy = memoryEventLog();
  const { events } = await log.read('start');
  for (const { stream, revision: _, partition: __, position: ___, ...event } of events) {
    await copy.append(stream, [event], { expected: 'any' });
  }
  const replayed = start(copy, forbidden);
  for (let turns = 0; turns < 100; turns += 1) await turn();
  expect(await replayed.stop()).toMatchObject({ kind: 'stopped' });
});
