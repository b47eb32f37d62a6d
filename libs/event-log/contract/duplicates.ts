import { describe, expect, test } from 'vitest';
import type { EventLog, NewEvent } from '../port.ts';
import { ids, readAll } from './reading.ts';
import { type Stored, sampleEvent, sampleEvents, stored } from './sample-events.ts';
import { type LogOpeners, openFresh } from './site.ts';

interface Sent {
  readonly log: EventLog;
  readonly events: NewEvent[];
  readonly first: Stored;
}

/** A log where `sample-1` holds three events of one append, and one more behind them. */
async function sendOnce(openers: LogOpeners): Promise<Sent> {
  const { log } = await openFresh(openers);
  const events = [1, 2, 3].map((points) => sampleEvent({ data: { points }, nonce: 'one' }));
  const first = stored(await log.append('sample-1', events, { expected: 'no-stream' }));
  stored(await log.append('sample-1', [sampleEvent()], { expected: 2 }));
  return { log, events, first };
}

export function describeDuplicates(openers: LogOpeners): void {
  describeSameContent(openers);
  describeRefusedResends(openers);
}

function describeSameContent(openers: LogOpeners): void {
  describe('the same ids with the same content', () => {
    test('give the first result, marked as a duplicate, and add nothing', async () => {
      const { log, events, first } = await sendOnce(openers);
      expect(first.duplicate).toBe(false);
      const again = await log.append('sample-1', events, { expected: 'no-stream' });
      expect(again).toEqual({ ...first, duplicate: true });
      expect(await readAll(log)).toHaveLength(4);
    });

    test.each(['any', 'no-stream', 'exists', 0, 3, 99] as const)(
      'are a duplicate before `expected` %s is looked at',
      async (expected) => {
        const { log, events, first } = await sendOnce(openers);
        const again = await log.append('sample-1', events, { expected });
        expect(again).toEqual({ ...first, duplicate: true });
        expect(await readAll(log)).toHaveLength(4);
      },
    );

    test('are a duplicate when their data was encrypted with another nonce, and the first bytes stay', async () => {
      const { log, events, first } = await sendOnce(openers);
      const resealed = events.map((event) => ({
        ...event,
        data: event.data.replace('"one"', '"two"'),
        occurredAt: event.occurredAt + 1,
        metadata: { actor: 'another' },
      }));
      expect(resealed[0]?.data).not.toBe(events[0]?.data);
      const again = await log.append('sample-1', resealed, { expected: 'any' });
      expect(again).toEqual({ ...first, duplicate: true });
      const kept = (await log.readStream('sample-1', { limit: 3 })).events;
      expect(kept.map((event) => event.data)).toEqual(events.map((event) => event.data));
      expect(kept.map((event) => event.metadata)).toEqual([{}, {}, {}]);
    });

    test('are a duplicate after thousands of other events, in this stream and in others', async () => {
      const { log, events, first } = await sendOnce(openers);
      for (let round = 0; round < 4; round += 1) {
        stored(await log.append('sample-1', sampleEvents(500), { expected: 'exists' }));
        stored(await log.append(`sample-x${round}`, sampleEvents(500), { expected: 'any' }));
      }
      const again = await log.append('sample-1', events, { expected: 'no-stream' });
      expect(again).toEqual({ ...first, duplicate: true });
      expect((await log.readStream('sample-1', { limit: 1 })).head).toBe(2003);
    });

    test('side by side in two appends before, are a duplicate of the later', async () => {
      const { log } = await openFresh(openers);
      const [a, b] = [sampleEvent(), sampleEvent()];
      stored(await log.append('sample-1', [a], { expected: 'any' }));
      const second = stored(await log.append('sample-1', [b], { expected: 'any' }));
      const both = await log.append('sample-1', [a, b], { expected: 'any' });
      expect(both).toEqual({ ...second, duplicate: true });
    });

    test('a part of an earlier append, side by side in it, is a duplicate', async () => {
      const { log, events } = await sendOnce(openers);
      const kept = (await log.readStream('sample-1')).events[1]!;
      const part = stored(await log.append('sample-1', events.slice(0, 2), { expected: 'any' }));
      expect(part).toMatchObject({ duplicate: true, revision: 1, position: kept.position });
    });

    test('are new events in another stream', async () => {
      const { log, events } = await sendOnce(openers);
      const other = await log.append('sample-2', events, { expected: 'no-stream' });
      expect(other).toMatchObject({ kind: 'stored', revision: 2, duplicate: false });
      expect(ids((await log.readStream('sample-2')).events)).toEqual(ids(events));
    });
  });
}

function describeRefusedResends(openers: LogOpeners): void {
  describe('ids that are known', () => {
    test('with other content are a content mismatch that names the id and its revision', async () => {
      const { log, events } = await sendOnce(openers);
      const [a, b, c] = events as [NewEvent, NewEvent, NewEvent];
      const changed = sampleEvent({ data: { points: 20 } }, { id: b.id });
      const mismatch = { kind: 'content-mismatch', id: b.id, revision: 1 };
      expect(await log.append('sample-1', [a, changed, c], { expected: 'any' })).toEqual(mismatch);
      expect(await log.append('sample-1', [changed], { expected: 'no-stream' })).toEqual(mismatch);
      const withNew = [sampleEvent(), changed];
      expect(await log.append('sample-1', withNew, { expected: 'any' })).toEqual(mismatch);
      expect(await readAll(log)).toHaveLength(4);
    });

    test('together with new ones are a partial duplicate: the known are named, nothing is stored', async () => {
      const { log, events } = await sendOnce(openers);
      const [a, b, c] = events as [NewEvent, NewEvent, NewEvent];
      const partial = { kind: 'partial-duplicate', known: [b.id, c.id] };
      for (const expected of ['any', 3, 99] as const) {
        const mixed = [sampleEvent(), b, sampleEvent(), c];
        expect(await log.append('sample-1', mixed, { expected })).toEqual(partial);
      }
      const longer = await log.append('sample-1', [a, b, c, sampleEvent()], { expected: 'any' });
      expect(longer).toMatchObject({ kind: 'partial-duplicate', known: ids(events) });
      expect(await readAll(log)).toHaveLength(4);
    });

    test('in another order, or with a gap between them, are a partial duplicate', async () => {
      const { log, events } = await sendOnce(openers);
      const [a, b, c] = events as [NewEvent, NewEvent, NewEvent];
      for (const resent of [
        [b, a, c],
        [c, b, a],
        [a, c],
      ]) {
        const result = await log.append('sample-1', resent, { expected: 'any' });
        expect(result).toEqual({ kind: 'partial-duplicate', known: ids(resent) });
      }
      expect(await readAll(log)).toHaveLength(4);
    });

    test('that come twice in one append are refused, known or not', async () => {
      const { log, events } = await sendOnce(openers);
      const fresh = sampleEvent();
      for (const twice of [
        [fresh, fresh],
        [events[0]!, events[0]!],
      ]) {
        const result = await log.append('sample-1', twice, { expected: 'any' });
        expect(result).toMatchObject({ kind: 'refused', reason: 'invalid-event' });
      }
      expect(await readAll(log)).toHaveLength(4);
    });

    test('only from a conflict or a refusal are not known: nothing of those is remembered', async () => {
      const { log } = await openFresh(openers);
      const event = sampleEvent();
      await log.append('sample-1', [event], { expected: 7 });
      await log.append('sample-1', [event, event], { expected: 'any' });
      const result = await log.append('sample-1', [event], { expected: 'no-stream' });
      expect(result).toMatchObject({ kind: 'stored', revision: 0, duplicate: false });
    });
  });
}
