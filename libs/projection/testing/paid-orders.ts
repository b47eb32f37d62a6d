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
import { z } from 'zod';
import { reactorStream } from '../reactors/events.ts';
import type { EffectCall, LookedUp, Performed, Reactor } from '../reactors/reactor.ts';
import { type ReactorEnded, runReactor } from '../reactors/run-reactor.ts';

/** What tests of reactors react to: orders that are paid, and orders that are only seen. */
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

export const noPersonalData: SubjectCipher = {
  keyring: () => Promise.reject(new Error('no event here holds personal data')),
};

/** Time passes only by sleeping, at once. */
export function leapingClock(): Clock {
  let now = Date.UTC(2026, 0, 1);
  return {
    now: () => now,
    sleep: async (ms) => {
      now += ms;
      await turn();
    },
  };
}

export async function pay(
  log: EventLog,
  order: string,
  type: 'order-paid' | 'order-seen' = 'order-paid',
) {
  const encoded = await types.encode(
    [{ type, id: idFromKey(type, order), occurredAt: 0, data: { order } }],
    noPersonalData,
  );
  if (encoded.kind !== 'encoded') throw new Error('not encoded');
  const stream = `order-${order.split('.')[0]}`;
  const stored = await log.append(stream, encoded.events, { expected: 'any' });
  if (stored.kind !== 'stored') throw new Error(`${order}: ${stored.kind}`);
}

/** The other side: knows what it was asked to do, by effect id. */
export class Provider {
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

export function reactorOf(
  provider: Pick<Provider, 'perform' | 'lookUp'>,
  concurrencyMax = 4,
): Reactor {
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

export interface Run {
  readonly stop: () => Promise<ReactorEnded>;
  readonly ended: Promise<ReactorEnded>;
}

export function start(log: EventLog, reactor: Reactor, from?: 'head' | Checkpoint): Run {
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

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let turns = 0; turns < 20_000; turns += 1) {
    if (await condition()) return;
    await turn();
  }
  throw new Error('never came true');
}

/** Starts without progress, and waits until the reactor has said so in it. */
export async function startFresh(log: EventLog, reactor: Reactor, from?: 'head'): Promise<Run> {
  const run = start(log, reactor, from);
  await until(async () => (await log.readStream(reactorStream(reactor.name))).head !== 'no-stream');
  return run;
}

export async function settledEffects(log: EventLog): Promise<number> {
  const { events } = await log.readStream(reactorStream('notify'));
  return events.filter((event) => event.type === 'effect-done' || event.type === 'effect-failed')
    .length;
}

/** A reactor that must never call the other side. */
export const forbidden = reactorOf({
  perform: () => Promise.reject(new Error('a replay performed an effect')),
  lookUp: () => Promise.reject(new Error('a replay looked an effect up')),
});

export async function reopened(log: MemoryEventLog, faults: MemoryLogFaults = {}) {
  return memoryEventLog({ storage: log.storage, faults });
}
