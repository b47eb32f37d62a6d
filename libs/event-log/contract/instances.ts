import { describe, expect, test } from 'vitest';
import { type EventLog, EventLogError } from '../port.ts';
import {
  eventsOf,
  eventually,
  expectLogOrder,
  expectNoGaps,
  ids,
  pullUntil,
  readAll,
  readWholeStream,
  sortedIds,
} from './reading.ts';
import { sampleEvent, sampleEvents, stored } from './sample-events.ts';
import { type LogOpeners, openAgain, openFresh, testWith } from './site.ts';

export function describeInstances(openers: LogOpeners): void {
  describeClosing(openers);
  describeTwoInstances(openers);
}

function describeClosing(openers: LogOpeners): void {
  describe('close and reopen', () => {
    test('a closed log says so, and may be closed again', async () => {
      const { log } = await openFresh(openers);
      stored(await log.append('sample-1', [sampleEvent()], { expected: 'any' }));
      await log.close();
      await log.close();
      const closed = expect.objectContaining({ name: 'EventLogError', code: 'closed' });
      const uses = [
        () => log.append('sample-1', [sampleEvent()], { expected: 'any' }),
        () => log.readStream('sample-1'),
        () => log.read('start'),
        () => log.count(),
        () => log.head(),
      ];
      for (const use of uses) {
        const thrown = await use().catch((error: unknown) => error);
        expect(thrown).toBeInstanceOf(EventLogError);
        expect(thrown).toEqual(closed);
      }
      const deliveries = [];
      for await (const delivery of log.subscribe({})) deliveries.push(delivery);
      expect(deliveries).toEqual([]);
    });

    testWith(openers, 'reopen', 'everything is there again, and known duplicates too', async () => {
      const { site, log } = await openFresh(openers);
      const events = sampleEvents(5);
      const first = stored(await log.append('sample-1', events, { expected: 'no-stream' }));
      stored(await log.append('other-1', sampleEvents(2), { expected: 'any' }));
      const before = await readAll(log);
      const head = await log.head();
      await log.close();
      const again = await openAgain(site);
      expect(await readAll(again)).toEqual(before);
      expect(await again.head()).toEqual(head);
      const resent = await again.append('sample-1', events, { expected: 'no-stream' });
      expect(resent).toEqual({ ...first, duplicate: true });
      const more = stored(await again.append('sample-1', [sampleEvent()], { expected: 4 }));
      expect(more).toMatchObject({ revision: 5, duplicate: false });
      expectLogOrder(await readAll(again));
    });
  });
}

function describeTwoInstances(openers: LogOpeners): void {
  async function openTwo(): Promise<[EventLog, EventLog]> {
    const { site, log } = await openFresh(openers);
    return [log, await openAgain(site)];
  }

  describe('two instances on one log', () => {
    testWith(openers, 'instances', 'each sees the events of the other', async () => {
      const [one, two] = await openTwo();
      const [a, b] = [sampleEvent(), sampleEvent()];
      stored(await one.append('sample-1', [a], { expected: 'no-stream' }));
      stored(await two.append('sample-1', [b], { expected: 0 }));
      for (const log of [one, two]) {
        await eventually(async () => (await readAll(log)).length === 2, 'both events');
        expect(ids(await readWholeStream(log, 'sample-1'))).toEqual([a.id, b.id]);
      }
      expect(await readAll(one)).toEqual(await readAll(two));
    });

    testWith(openers, 'instances', 'a subscription sees what the other appends', async () => {
      const [one, two] = await openTwo();
      const events = sampleEvents(30);
      let sent: Promise<void> | undefined;
      const send = async () => {
        for (const event of events) {
          stored(await two.append('sample-1', [event], { expected: 'any' }));
        }
      };
      const deliveries = await pullUntil(one.subscribe({}), (delivery, all) => {
        if (delivery.kind === 'caught-up') sent ??= send();
        return eventsOf(all).length >= events.length;
      });
      await sent;
      expect(ids(eventsOf(deliveries))).toEqual(ids(events));
    });

    testWith(openers, 'instances', 'expected and duplicates hold across both', async () => {
      const [one, two] = await openTwo();
      const event = sampleEvent({ data: { points: 1 } });
      const first = stored(await one.append('sample-1', [event], { expected: 'no-stream' }));
      const resent = await two.append('sample-1', [event], { expected: 'no-stream' });
      expect(resent).toEqual({ ...first, duplicate: true });
      const other = sampleEvent({ data: { points: 2 } }, { id: event.id });
      expect(await two.append('sample-1', [other], { expected: 'any' })).toEqual({
        kind: 'content-mismatch',
        id: event.id,
        revision: 0,
      });
      const late = await two.append('sample-1', [sampleEvent()], { expected: 'no-stream' });
      expect(late).toEqual({ kind: 'conflict', expected: 'no-stream', actual: 0 });
    });

    testWith(openers, 'instances', 'that write at once keep one order without gaps', async () => {
      const [one, two] = await openTwo();
      const sent = await Promise.all(
        Array.from({ length: 16 }, async (_, writer) => {
          const log = writer % 2 === 0 ? one : two;
          const mine = [];
          for (let round = 0; round < 10; round += 1) {
            const events = sampleEvents(1 + (round % 2));
            stored(await log.append(`sample-${writer % 3}`, events, { expected: 'any' }));
            mine.push(...events);
          }
          return mine;
        }),
      );
      const all = sent.flat();
      for (const log of [one, two]) {
        await eventually(async () => (await readAll(log)).length === all.length, 'all events');
        const events = await readAll(log);
        expectLogOrder(events);
        expectNoGaps(events);
        expect(sortedIds(events)).toEqual(sortedIds(all));
      }
      expect(await readAll(one)).toEqual(await readAll(two));
    });

    testWith(openers, 'instances', 'one that is closed does not end the other', async () => {
      const [one, two] = await openTwo();
      await one.close();
      const event = sampleEvent();
      stored(await two.append('sample-1', [event], { expected: 'any' }));
      expect(ids(await readAll(two))).toEqual([event.id]);
    });
  });
}
