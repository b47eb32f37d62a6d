import { setImmediate as turn } from 'node:timers/promises';
import { type Clock, idFromKey, type SubjectCipher } from '@annals/core';
import {
  type Checkpoint,
  type EventLog,
  EventTypes,
  eventType,
  type MemoryEventLog,
  type MemoryLogFaults,
  memoryEventLog,
} from '@annals/event-log';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { reactorStream } from './events.ts';
import type { EffectCall, LookedUp, Performed, Reactor } from './reactor.ts';
import { type ReactorEnded, runReactor } from './run-reactor.ts';

const orderPaid = eventType({
  name: 'order-paid',
  schemaVersion: 1,
  schema: z.strictObject({ order: z.string() }),
});
const orderSeen = eventType({
  name: 'order-seen',
  schemaVersion: 1,
  schema: z.strictObject({ order: z.string() }),
});
const types = new EventTypes([orderPaid, orderSeen]);

const noPersonalData: SubjectCipher = {
  keyring: () => Promise.reject(new Error('no event here holds personal data')),
};

/** Time passes only by sleeping, at once. */
function leapingClock(): Clock {
  let now = Date.UTC(2026, 0, 1);
  return {
    now: () => now,
    sleep: async (ms) => {
      now += ms;
      await turn();
    },
  };
}

async function pay(log: EventLog, order: string, type: 'order-paid' | 'order-seen' = 'order-paid') {
  const encoded = await types.encode(
    [{ type, id: idFromKey(type, order), occurredAt: 0, data: { order } }],
    noPersonalData,
  );
  if (encoded.kind !== 'encoded') throw new Error('not encoded');
  const stream = `order-${order.split('.')[0]}`;
  const stored = await log.append(stream, encoded.events, { expected: 'any' });
  expect(stored.kind).toBe('stored');
}

/** The other side: knows what it was asked to do, by effect id. */
class Provider {
  readonly calls: string[] = [];
  readonly lookUps: string[] = [];
  readonly done = new Map<string, string>();
  atOnceMax = 0;
  #atOnce = 0;
  before: (order: string) => void | Promise<void> = () => undefined;
  after: (order: string) => void | Promise<void> = () => undefined;
  answer: (order: string) => Performed = (order) => ({ kind: 'done', result: { order } });

  async perform({ effectId, event }: EffectCall): Promise<Performed> {
    const { order } = event.data as { order: string };
    this.calls.push(order);
    this.#atOnce += 1;
    this.atOnceMax = Math.max(this.atOnceMax, this.#atOnce);
    try {
      await this.before(order);
      await turn();
      const answer = this.answer(order);
      if (answer.kind === 'done') this.done.set(effectId, order);
      await this.after(order);
      return answer;
    } finally {
      this.#atOnce -= 1;
    }
  }

  async lookUp({ effectId, event }: EffectCall): Promise<LookedUp> {
    this.lookUps.push((event.data as { order: string }).order);
    const order = this.done.get(effectId);
    return order === undefined ? { kind: 'not-done' } : { kind: 'done', result: { order } };
  }
}

function reactorOf(provider: Pick<Provider, 'perform' | 'lookUp'>, concurrencyMax = 4): Reactor {
  return {
    name: 'notify',
    categories: ['order'],
    concurrencyMax,
    callWithinMs: 5_000,
    decode: (events, cipher) => types.decode(events, cipher),
    wants: (event) => event.type === 'order-paid',
    perform: (call) => provider.perform(call),
    lookUp: (call) => provider.lookUp(call),
  };
}

let runs = 0;

interface Run {
  readonly stop: () => Promise<ReactorEnded>;
  readonly ended: Promise<ReactorEnded>;
}

function start(log: EventLog, reactor: Reactor, from?: 'head' | Checkpoint): Run {
  const abort = new AbortController();
  const ended = runReactor({
    log,
    reactor,
    cipher: noPersonalData,
    clock: leapingClock(),
    runId: `run-${runs++}`,
    signal: abort.signal,
    ...(from === undefined ? {} : { from }),
  });
  ended.catch(() => undefined);
  return {
    ended,
    stop: () => {
      abort.abort();
      return ended;
    },
  };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let turns = 0; turns < 20_000; turns += 1) {
    if (await condition()) return;
    await turn();
  }
  throw new Error('never came true');
}

/** Starts without progress, and waits until the reactor has said so in it. */
async function startFresh(log: EventLog, reactor: Reactor, from?: 'head'): Promise<Run> {
  const run = start(log, reactor, from);
  await until(async () => (await log.readStream(reactorStream(reactor.name))).head !== 'no-stream');
  return run;
}

async function settledEffects(log: EventLog): Promise<number> {
  const { events } = await log.readStream(reactorStream('notify'));
  return events.filter((event) => event.type === 'effect-done' || event.type === 'effect-failed')
    .length;
}

/** A reactor that must never call the other side. */
const forbidden = reactorOf({
  perform: () => Promise.reject(new Error('a replay performed an effect')),
  lookUp: () => Promise.reject(new Error('a replay looked an effect up')),
});

async function reopened(log: MemoryEventLog, faults: MemoryLogFaults = {}) {
  return memoryEventLog({ storage: log.storage, faults });
}

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
      ...{ runId: `run-${runs++}`, signal: abort.signal, ...(random ? { random } : {}) },
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
