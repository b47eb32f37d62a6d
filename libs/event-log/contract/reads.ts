import { describe, expect, test } from 'vitest';
import { coversAll, sameCheckpoint } from '../checkpoint.ts';
import { limits } from '../limits.ts';
import type { EventLog, StoredEvent } from '../port.ts';
import {
  checkpointOf,
  expectLogOrder,
  expectNoGaps,
  ids,
  pagesOf,
  readAll,
  sortedIds,
} from './reading.ts';
import { sampleEvent, sampleEvents, stored } from './sample-events.ts';
import { type LogOpeners, openFresh } from './site.ts';

export function describeReads(openers: LogOpeners): void {
  describeStreamReads(openers);
  describeLogReads(openers);
  describeFilters(openers);
}

function revisions(events: readonly StoredEvent[]): number[] {
  return events.map((event) => event.revision);
}

function describeStreamReads(openers: LogOpeners): void {
  describe('readStream', () => {
    async function openWithTen(): Promise<EventLog> {
      const { log } = await openFresh(openers);
      stored(await log.append('sample-other', sampleEvents(3), { expected: 'any' }));
      stored(await log.append('sample-1', sampleEvents(4), { expected: 'any' }));
      stored(await log.append('sample-1', sampleEvents(6), { expected: 'any' }));
      return log;
    }

    test('begins at any revision, in both directions, and always tells the head', async () => {
      const log = await openWithTen();
      const cases = [
        [{}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
        [{ from: 7 }, [7, 8, 9]],
        [{ from: 9 }, [9]],
        [{ from: 10 }, []],
        [{ from: 3, limit: 2 }, [3, 4]],
        [{ direction: 'backward' }, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]],
        [{ direction: 'backward', limit: 2 }, [9, 8]],
        [{ direction: 'backward', from: 2 }, [2, 1, 0]],
        [{ direction: 'backward', from: 0 }, [0]],
        [{ direction: 'backward', from: 50, limit: 1 }, [9]],
        [{ direction: 'forward', limit: 1 }, [0]],
      ] as const;
      for (const [options, expected] of cases) {
        const page = await log.readStream('sample-1', options);
        expect({ options, revisions: revisions(page.events), head: page.head }).toEqual({
          options,
          revisions: expected,
          head: 9,
        });
      }
    });

    test('finds nothing in a stream that is not there', async () => {
      const log = await openWithTen();
      for (const direction of ['forward', 'backward'] as const) {
        const page = await log.readStream('sample-none', { direction });
        expect(page).toEqual({ events: [], head: 'no-stream' });
      }
    });

    test('gives the same events as a read of the whole log', async () => {
      const log = await openWithTen();
      const all = await readAll(log);
      const { events } = await log.readStream('sample-1');
      expect(events).toEqual(all.filter((event) => event.stream === 'sample-1'));
    });
  });

  test('page limits: 1 to the largest; anything else is a RangeError', async () => {
    const { log } = await openFresh(openers);
    const count = limits.pageEventsMax + 1;
    for (let sent = 0; sent < count; sent += 1_000) {
      const events = sampleEvents(Math.min(1_000, count - sent));
      stored(await log.append('sample-1', events, { expected: 'any' }));
    }
    const limit = limits.pageEventsMax;
    expect((await log.readStream('sample-1', { limit })).events).toHaveLength(limit);
    expect((await log.readStream('sample-1')).events).toHaveLength(limits.pageEventsDefault);
    const whole = await readAll(log, {}, { limit });
    expect(whole).toHaveLength(count);
    expect(await readAll(log, {}, { limit: 997 })).toEqual(whole);
    for (const wrong of [0, -1, 1.5, Number.NaN, limits.pageEventsMax + 1]) {
      await expect(log.readStream('sample-1', { limit: wrong })).rejects.toThrow(RangeError);
      await expect(log.read('start', {}, { limit: wrong })).rejects.toThrow(RangeError);
    }
  });
}

/** A log with 40 events in 8 streams of 2 categories and 2 types, appended in turns. */
async function openMixed(openers: LogOpeners): Promise<EventLog> {
  const { log } = await openFresh(openers);
  for (let round = 0; round < 20; round += 1) {
    const stream = `${round % 2 === 0 ? 'even' : 'odd'}-${round % 8}`;
    const events = [sampleEvent({ type: 'opened' }), sampleEvent({ type: 'closed' })];
    stored(await log.append(stream, events, { expected: 'any' }));
  }
  return log;
}

function describeLogReads(openers: LogOpeners): void {
  describe('read', () => {
    test('an empty log has no events, no head, and is at its end', async () => {
      const { log } = await openFresh(openers);
      for (const from of ['start', 'end', {}] as const) {
        for (const direction of ['forward', 'backward'] as const) {
          const page = await log.read(from, {}, { direction });
          expect(page).toEqual({ events: [], checkpoint: {}, end: true });
        }
      }
      expect(await log.head()).toEqual({});
    });

    test.each([1, 3, 7, 40, 41])(
      'yields each event once in pages of %i, both ways',
      async (limit) => {
        const log = await openMixed(openers);
        const forward = await readAll(log, {}, { limit });
        expect(new Set(ids(forward)).size).toBe(40);
        expectLogOrder(forward);
        expectNoGaps(forward);
        const pages = await pagesOf(log, 'end', {}, { direction: 'backward', limit });
        const backward = pages.flatMap((page) => page.events).reverse();
        expectLogOrder(backward);
        expect(sortedIds(backward)).toEqual(sortedIds(forward));
      },
    );

    test('goes on from any checkpoint, strictly after it forward, strictly before it backward', async () => {
      const log = await openMixed(openers);
      const all = await readAll(log);
      for (let seen = 0; seen <= all.length; seen += 1) {
        const rest = (await log.read(checkpointOf(all.slice(0, seen)))).events;
        expect(sortedIds(rest)).toEqual(sortedIds(all.slice(seen)));
      }
      for (const event of all) {
        const at = { [event.partition]: event.position };
        const before = (await log.read(at, {}, { direction: 'backward' })).events;
        const inPartition = all.filter((one) => one.partition === event.partition);
        expect(ids(before)).toEqual(
          ids(inPartition.slice(0, inPartition.indexOf(event)).reverse()),
        );
      }
    });

    test('the two ends: nothing before the start, nothing after the end', async () => {
      const log = await openMixed(openers);
      expect(await log.read('start', {}, { direction: 'backward' })).toMatchObject({
        events: [],
        end: true,
      });
      const end = await log.read('end');
      expect(end).toMatchObject({ events: [], end: true });
      expect(sameCheckpoint(end.checkpoint, await log.head())).toBe(true);
      const more = sampleEvent();
      stored(await log.append('even-0', [more], { expected: 'any' }));
      expect(ids((await log.read(end.checkpoint)).events)).toEqual([more.id]);
      const [last] = (await log.readStream('even-0', { direction: 'backward', limit: 1 })).events;
      expect(last?.id).toBe(more.id);
    });

    test('the head is the last position of each partition that has an event', async () => {
      const log = await openMixed(openers);
      expect(await log.head()).toEqual(checkpointOf(await readAll(log)));
    });

    test('an append is seen by every read after its answer, at the place the answer gave', async () => {
      const { log } = await openFresh(openers);
      for (let round = 0; round < 30; round += 1) {
        const before = await log.head();
        const event = sampleEvent();
        const result = await log.append(`sample-${round % 5}`, [event], { expected: 'any' });
        const { partition, position, revision } = stored(result);
        const { events } = await log.read(before);
        expect(events).toMatchObject([{ id: event.id, partition, position, revision }]);
        expect(coversAll(await log.head(), { ...before, [partition]: position })).toBe(true);
      }
    });
  });
}

function describeFilters(openers: LogOpeners): void {
  describe('filters', () => {
    test('by category, by type, by partition, and all of them together', async () => {
      const log = await openMixed(openers);
      const all = await readAll(log);
      const partition = all[0]!.partition;
      const cases = [
        [{ categories: ['even'] }, (e: StoredEvent) => e.stream.startsWith('even-')],
        [{ categories: ['even', 'odd'] }, () => true],
        [{ categories: ['eve'] }, () => false],
        [{ categories: [] }, () => false],
        [{ types: ['opened'] }, (e: StoredEvent) => e.type === 'opened'],
        [{ types: ['opened', 'none'] }, (e: StoredEvent) => e.type === 'opened'],
        [{ types: [] }, () => false],
        [{ partitions: [partition] }, (e: StoredEvent) => e.partition === partition],
        [{ partitions: [9_999] }, () => false],
        [
          { categories: ['odd'], types: ['closed'], partitions: [partition] },
          (e: StoredEvent) =>
            e.stream.startsWith('odd-') && e.type === 'closed' && e.partition === partition,
        ],
      ] as const;
      for (const [filter, keeps] of cases) {
        for (const limit of [2, 1_000]) {
          const forward = await readAll(log, filter, { limit });
          expect({ filter, ids: sortedIds(forward) }).toEqual({
            filter,
            ids: sortedIds(all.filter(keeps)),
          });
          expectLogOrder(forward);
          const back = await pagesOf(log, 'end', filter, { direction: 'backward', limit });
          expect(sortedIds(back.flatMap((page) => page.events))).toEqual(sortedIds(forward));
        }
        const byType = Map.groupBy(all.filter(keeps), (event) => event.type);
        const counted = new Map([...byType].map(([type, events]) => [type, events.length]));
        expect(await log.count(filter)).toEqual(counted);
      }
    });

    test('no filter counts everything, by type, and an empty log has nothing to count', async () => {
      const empty = await openFresh(openers);
      expect(await empty.log.count()).toEqual(new Map());
      const log = await openMixed(openers);
      const counted = new Map(Object.entries({ opened: 20, closed: 20 }));
      expect(await log.count()).toEqual(counted);
      expect(await log.count({})).toEqual(counted);
    });

    test('one that matches little moves past the rest: its last checkpoint covers the head', async () => {
      const { log } = await openFresh(openers);
      const rare: string[] = [];
      for (let round = 0; round < 10; round += 1) {
        stored(await log.append(`common-${round}`, sampleEvents(300), { expected: 'any' }));
        if (round % 4 !== 0) continue;
        const event = sampleEvent({ type: 'seldom' });
        stored(await log.append('rare-1', [event], { expected: 'any' }));
        rare.push(event.id);
      }
      stored(await log.append('common-last', sampleEvents(300), { expected: 'any' }));
      for (const filter of [{ categories: ['rare'] }, { types: ['seldom'] }]) {
        const pages = await pagesOf(log, 'start', filter, { limit: 2 });
        expect(ids(pages.flatMap((page) => page.events))).toEqual(rare);
        expect(sameCheckpoint(pages.at(-1)!.checkpoint, await log.head())).toBe(true);
        const none = await log.read(pages.at(-1)!.checkpoint, filter);
        expect(none).toMatchObject({ events: [], end: true });
      }
    });

    test('by partition leaves the checkpoint of the other partitions where it was', async () => {
      const log = await openMixed(openers);
      const all = await readAll(log);
      const seen = checkpointOf(all.slice(0, 5));
      const partition = all[0]!.partition;
      const page = await log.read(seen, { partitions: [partition] });
      const head = await log.head();
      expect(page.checkpoint).toEqual({ ...seen, [partition]: head[partition] });
    });
  });
}
