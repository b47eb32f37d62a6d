import { describe, expect, test } from 'vitest';
import { coversAll, sameCheckpoint } from '../checkpoint.ts';
import type { Checkpoint, Delivery, EventLog, NewEvent, StoredEvent } from '../port.ts';
import {
  checkpointOf,
  eventsOf,
  expectLogOrder,
  expectNoGaps,
  ids,
  pullUntil,
  readAll,
  sortedIds,
  within,
} from './reading.ts';
import { sampleEvent, sampleEvents, stored } from './sample-events.ts';
import { type LogOpeners, openFresh } from './site.ts';

export function describeSubscriptions(openers: LogOpeners): void {
  describe('subscribe', () => {
    describeCatchingUp(openers);
    describePulling(openers);
    describeEnding(openers);
  });
}

const caughtUp = (delivery: Delivery) => delivery.kind === 'caught-up';

function count(events: number) {
  return (_: Delivery, all: readonly Delivery[]) => eventsOf(all).length >= events;
}

async function openWith(openers: LogOpeners, rounds: number): Promise<EventLog> {
  const { log } = await openFresh(openers);
  for (let round = 0; round < rounds; round += 1) {
    stored(await log.append(`sample-${round % 7}`, sampleEvents(2), { expected: 'any' }));
  }
  return log;
}

function describeCatchingUp(openers: LogOpeners): void {
  test('an empty log is caught up with at once', async () => {
    const { log } = await openFresh(openers);
    const deliveries = await pullUntil(log.subscribe({}), caughtUp);
    expect(deliveries).toEqual([{ kind: 'caught-up', checkpoint: {} }]);
  });

  test('catches up with all that is stored, then says so, with the checkpoint of the head', async () => {
    const log = await openWith(openers, 25);
    const deliveries = await pullUntil(log.subscribe({}, {}, { limit: 8 }), caughtUp);
    const events = eventsOf(deliveries);
    expect(sortedIds(events)).toEqual(sortedIds(await readAll(log)));
    expectLogOrder(events);
    expectNoGaps(events);
    for (const delivery of deliveries.slice(0, -1)) {
      expect(delivery.kind === 'events' && delivery.events.length).toBeGreaterThan(0);
      expect(delivery.kind === 'events' && delivery.events.length).toBeLessThanOrEqual(8);
    }
    expect(sameCheckpoint(deliveries.at(-1)!.checkpoint, await log.head())).toBe(true);
  });

  test('goes on live after catching up, and says caught-up again', async () => {
    const log = await openWith(openers, 3);
    const live = sampleEvents(20);
    let sent: Promise<unknown> | undefined;
    const deliveries = await pullUntil(log.subscribe({}), (delivery, all) => {
      if (caughtUp(delivery)) sent ??= appendEach(log, live);
      return eventsOf(all).length >= 26 && caughtUp(delivery);
    });
    await sent;
    expect(ids(eventsOf(deliveries)).slice(6)).toEqual(ids(live));
    expect(sameCheckpoint(deliveries.at(-1)!.checkpoint, await log.head())).toBe(true);
  });

  test('wakes for each event that comes while it waits, however long it has waited', async () => {
    const log = await openWith(openers, 1);
    const iterator = log.subscribe(await log.head())[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toMatchObject({ kind: 'caught-up' });
    for (const waitMs of [0, 1, 10, 50]) {
      const event = sampleEvent();
      const pulled = nextEvents(iterator);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      stored(await log.append('sample-1', [event], { expected: 'any' }));
      expect(ids(await within(pulled, () => 'waiting for a live event'))).toEqual([event.id]);
    }
    await iterator.return?.();
  });

  test('resumes from any delivery with exactly the rest', async () => {
    const log = await openWith(openers, 15);
    const deliveries = await pullUntil(log.subscribe({}, {}, { limit: 4 }), caughtUp);
    for (const [index, { checkpoint }] of deliveries.entries()) {
      const rest = sortedIds(eventsOf(deliveries.slice(index + 1)));
      const resumed = await pullUntil(log.subscribe(checkpoint), caughtUp);
      expect(sortedIds(eventsOf(resumed))).toEqual(rest);
    }
  });

  test('resumes from the checkpoint of a read, and from the head with nothing but new events', async () => {
    const log = await openWith(openers, 10);
    const page = await log.read('start', {}, { limit: 7 });
    const rest = await pullUntil(log.subscribe(page.checkpoint), caughtUp);
    expect(sortedIds([...page.events, ...eventsOf(rest)])).toEqual(sortedIds(await readAll(log)));
    const head = await log.head();
    const event = sampleEvent();
    stored(await log.append('sample-1', [event], { expected: 'any' }));
    const fresh = await pullUntil(log.subscribe(head), caughtUp);
    expect(ids(eventsOf(fresh))).toEqual([event.id]);
  });

  test('delivers only what its filter lets through, while its checkpoint moves past the rest', async () => {
    const log = await openWith(openers, 10);
    const rare = sampleEvent({ type: 'seldom' });
    stored(await log.append('rare-1', [rare], { expected: 'any' }));
    stored(await log.append('sample-1', sampleEvents(5), { expected: 'any' }));
    let head: Checkpoint | undefined;
    let sent: Promise<void> | undefined;
    const send = async () => {
      await appendEach(log, sampleEvents(3));
      head = await log.head();
      stored(await log.append('sample-2', [sampleEvent()], { expected: 'any' }));
    };
    const subscription = log.subscribe({}, { types: ['seldom'], categories: ['rare', 'sample'] });
    const deliveries = await pullUntil(subscription, (delivery) => {
      if (!caughtUp(delivery)) return false;
      // Live events it leaves out must move it on too, or a reader who waits for them waits forever.
      sent ??= send();
      return head !== undefined && coversAll(delivery.checkpoint, head);
    });
    await sent;
    expect(ids(eventsOf(deliveries))).toEqual([rare.id]);
  });

  test('what is to be passed over is left out up to its version, and the last of it is named', async () => {
    const { log } = await openFresh(openers);
    const append = async (stream: string, type: string, schemaVersion = 1) => {
      const event = { ...sampleEvent({ type }), schemaVersion };
      stored(await log.append(stream, [event], { expected: 'any' }));
    };
    for (let n = 0; n < 40; n += 1) {
      await append(`sample-${n % 5}`, n % 7 === 0 ? 'wanted' : 'passed', n % 11 === 0 ? 2 : 1);
      await append(`other-${n % 3}`, n % 2 === 0 ? 'passed' : 'wanted');
    }
    const filter = { categories: ['sample'] };
    const all = await readAll(log, filter);
    const left = all.filter(({ type, schemaVersion }) => type === 'wanted' || schemaVersion === 2);
    for (const limit of [2, 1_000]) {
      const passOver = { passed: 1, 'not-there': 3 };
      const deliveries = await pullUntil(log.subscribe({}, filter, { limit, passOver }), caughtUp);
      expect(sortedIds(eventsOf(deliveries))).toEqual(sortedIds(left));
      expect(sameCheckpoint(deliveries.at(-1)!.checkpoint, await log.head())).toBe(true);
      // Whoever remembers the last that was delivered or named knows the last event there is, at every checkpoint.
      const last = new Map<number, string>();
      for (const delivery of deliveries) {
        if (delivery.kind === 'events')
          for (const one of delivery.events) last.set(one.partition, one.id);
        for (const one of delivery.passed ?? []) last.set(one.partition, one.id);
        for (const partition of Object.keys(delivery.checkpoint).map(Number)) {
          const upTo = delivery.checkpoint[partition] as string;
          const own = all.filter((one) => one.partition === partition && one.position <= upTo);
          expect(last.get(partition)).toBe(own.at(-1)?.id);
        }
      }
    }
  });

  test('by partition: subscriptions over all partitions together deliver each event once', async () => {
    const log = await openWith(openers, 20);
    const all = await readAll(log);
    const partitions = Object.keys(checkpointOf(all)).map(Number);
    const parts = await Promise.all(
      partitions.map((one) => pullUntil(log.subscribe({}, { partitions: [one] }), caughtUp)),
    );
    for (const [index, part] of parts.entries()) {
      expect(eventsOf(part).every((event) => event.partition === partitions[index])).toBe(true);
    }
    expect(sortedIds(parts.flatMap(eventsOf))).toEqual(sortedIds(all));
  });
}

async function nextEvents(iterator: AsyncIterator<Delivery>): Promise<StoredEvent[]> {
  for (;;) {
    const delivery = (await iterator.next()).value as Delivery;
    if (delivery.kind === 'events') return [...delivery.events];
  }
}

async function appendEach(log: EventLog, events: readonly NewEvent[]): Promise<void> {
  for (const event of events) {
    stored(await log.append('sample-live', [event], { expected: 'any' }));
  }
}

function describePulling(openers: LogOpeners): void {
  test('a slow consumer gets no more than its limit at a time, and misses nothing', async () => {
    const log = await openWith(openers, 2);
    const iterator = log.subscribe({}, {}, { limit: 3 })[Symbol.asyncIterator]();
    const first = await iterator.next();
    // While the consumer holds its first delivery the log grows far beyond one page.
    for (let round = 0; round < 10; round += 1) {
      stored(await log.append('sample-1', sampleEvents(20), { expected: 'any' }));
    }
    const deliveries: Delivery[] = [first.value as Delivery];
    while (eventsOf(deliveries).length < 204) {
      const next = await within(Promise.resolve(iterator.next()), () => 'waiting for a delivery');
      const delivery = next.value as Delivery;
      expect(eventsOf([delivery]).length).toBeLessThanOrEqual(3);
      deliveries.push(delivery);
    }
    await iterator.return?.();
    const events = eventsOf(deliveries);
    expectNoGaps(events);
    expect(sortedIds(events)).toEqual(sortedIds(await readAll(log)));
  });

  test('several subscribers, each at its own pace, each get everything once', async () => {
    const log = await openWith(openers, 5);
    const following = [1, 2, 50].map((limit) =>
      pullUntil(log.subscribe({}, {}, { limit }), count(110)),
    );
    for (let round = 0; round < 50; round += 1) {
      stored(await log.append(`sample-${round % 7}`, sampleEvents(2), { expected: 'any' }));
    }
    const all = sortedIds(await readAll(log));
    for (const deliveries of await Promise.all(following)) {
      expectLogOrder(eventsOf(deliveries));
      expect(sortedIds(eventsOf(deliveries))).toEqual(all);
    }
  });

  test('one iterable that is iterated twice makes two independent subscriptions', async () => {
    const log = await openWith(openers, 5);
    const subscription = log.subscribe({}, {}, { limit: 3 });
    const [one, two] = await Promise.all([
      pullUntil(subscription, caughtUp),
      pullUntil(subscription, caughtUp),
    ]);
    expect(sortedIds(eventsOf(one!))).toHaveLength(10);
    expect(sortedIds(eventsOf(two!))).toEqual(sortedIds(eventsOf(one!)));
  });
}

function describeEnding(openers: LogOpeners): void {
  async function pullToEnd(subscription: AsyncIterable<Delivery>): Promise<Delivery[]> {
    const deliveries: Delivery[] = [];
    for await (const delivery of subscription) deliveries.push(delivery);
    return deliveries;
  }

  test('an abort ends it quietly while it waits for new events', async () => {
    const log = await openWith(openers, 3);
    const abort = new AbortController();
    const deliveries: Delivery[] = [];
    const following = (async () => {
      for await (const delivery of log.subscribe({}, {}, { signal: abort.signal })) {
        deliveries.push(delivery);
        if (delivery.kind === 'caught-up') setTimeout(() => abort.abort(), 5);
      }
    })();
    await within(following, () => 'waiting for the aborted subscription to end');
    expect(eventsOf(deliveries)).toHaveLength(6);
  });

  test('an abort ends it between two deliveries', async () => {
    const log = await openWith(openers, 10);
    const abort = new AbortController();
    let seen = 0;
    for await (const _ of log.subscribe({}, {}, { signal: abort.signal, limit: 1 })) {
      seen += 1;
      if (seen === 4) abort.abort();
    }
    expect(seen).toBe(4);
  });

  test('an abort before it began delivers nothing', async () => {
    const log = await openWith(openers, 3);
    expect(await pullToEnd(log.subscribe({}, {}, { signal: AbortSignal.abort() }))).toEqual([]);
  });

  test('leaving the loop ends it, and the log goes on', async () => {
    const log = await openWith(openers, 3);
    await pullUntil(log.subscribe({}), () => true);
    stored(await log.append('sample-1', [sampleEvent()], { expected: 'any' }));
    expect(eventsOf(await pullUntil(log.subscribe({}), caughtUp))).toHaveLength(7);
  });

  test('closing the log ends it quietly, waiting or held by its consumer', async () => {
    const log = await openWith(openers, 3);
    const held = log.subscribe({}, {}, { limit: 1 })[Symbol.asyncIterator]();
    await held.next();
    let waits = false;
    const waiting = (async () => {
      for await (const delivery of log.subscribe({})) waits = delivery.kind === 'caught-up';
    })();
    while (!waits) await new Promise((resolve) => setTimeout(resolve, 5));
    await within(log.close(), () => 'waiting for close');
    await within(waiting, () => 'waiting for the subscription to end');
    expect(await within(Promise.resolve(held.next()), () => 'waiting')).toMatchObject({
      done: true,
    });
  });
}
