import { describe, expect, test } from 'vitest';
import type { Expected, NewEvent, Revision } from '../port.ts';
import { readAll, readWholeStream } from './reading.ts';
import { sampleEvent, sampleEvents, stored } from './sample-events.ts';
import { type LogOpeners, openFresh } from './site.ts';

export function describeAppends(openers: LogOpeners): void {
  describeExpected(openers);
  describeStorage(openers);
}

function describeExpected(openers: LogOpeners): void {
  describe('expected', () => {
    const onEmpty: [Expected, boolean][] = [
      ['any', true],
      ['no-stream', true],
      ['exists', false],
      [0, false],
      [1, false],
    ];
    test.each(onEmpty)('%s on a stream without events: accepted %s', async (expected, accepted) => {
      const { log } = await openFresh(openers);
      const result = await log.append('sample-1', [sampleEvent()], { expected });
      if (accepted) expect(result).toMatchObject({ kind: 'stored', revision: 0, duplicate: false });
      else expect(result).toEqual({ kind: 'conflict', expected, actual: 'no-stream' });
      const page = await log.readStream('sample-1');
      expect(page.head).toBe(accepted ? 0 : 'no-stream');
      expect(page.events.length).toBe(accepted ? 1 : 0);
    });

    const onTwoEvents: [Expected, boolean][] = [
      ['any', true],
      ['no-stream', false],
      ['exists', true],
      [0, false],
      [1, true],
      [2, false],
    ];
    test.each(onTwoEvents)(
      '%s on a stream at revision 1: accepted %s',
      async (expected, accepted) => {
        const { log } = await openFresh(openers);
        stored(await log.append('sample-1', sampleEvents(2), { expected: 'no-stream' }));
        const result = await log.append('sample-1', [sampleEvent()], { expected });
        if (accepted)
          expect(result).toMatchObject({ kind: 'stored', revision: 2, duplicate: false });
        else expect(result).toEqual({ kind: 'conflict', expected, actual: 1 });
        expect((await log.readStream('sample-1')).head).toBe(accepted ? 2 : 1);
      },
    );

    test('a conflict names what the writer expected and what is there, and stores nothing', async () => {
      const { log } = await openFresh(openers);
      stored(await log.append('sample-1', sampleEvents(5), { expected: 'any' }));
      const conflict = await log.append('sample-1', sampleEvents(2), { expected: 3 });
      expect(conflict).toEqual({ kind: 'conflict', expected: 3, actual: 4 });
      expect(await readAll(log)).toHaveLength(5);
    });

    test('other streams do not matter', async () => {
      const { log } = await openFresh(openers);
      stored(await log.append('sample-1', sampleEvents(2), { expected: 'any' }));
      const result = await log.append('sample-2', [sampleEvent()], { expected: 'no-stream' });
      expect(result).toMatchObject({ kind: 'stored', revision: 0 });
    });
  });
}

function describeStorage(openers: LogOpeners): void {
  describe('what is stored', () => {
    test('all events of an append are stored side by side, and the answer is that of the last', async () => {
      const { log } = await openFresh(openers);
      const first = sampleEvents(3);
      const second = sampleEvents(2);
      stored(await log.append('sample-1', first, { expected: 'no-stream' }));
      const result = stored(await log.append('sample-1', second, { expected: 2 }));
      const events = await readWholeStream(log, 'sample-1');
      expect(events.map((event) => [event.id, event.revision])).toEqual(
        [...first, ...second].map((event, revision) => [event.id, revision]),
      );
      const { revision, partition, position, recordedAt } = events.at(-1)!;
      expect(result).toEqual({
        kind: 'stored',
        duplicate: false,
        revision,
        partition,
        position,
        recordedAt,
      });
    });

    test('an append that is refused in its last event stores none of it', async () => {
      const { log } = await openFresh(openers);
      const events = [...sampleEvents(3), sampleEvent({}, { id: 'not-an-id' })];
      const result = await log.append('sample-1', events, { expected: 'any' });
      expect(result).toMatchObject({ kind: 'refused', reason: 'invalid-event' });
      expect(await readAll(log)).toEqual([]);
      expect((await log.readStream('sample-1')).head).toBe('no-stream');
    });

    test('every field comes back as it was given, data byte for byte', async () => {
      const { log } = await openFresh(openers);
      const event: NewEvent = sampleEvent(
        { type: 'Sample.taken_v2-x' },
        {
          schemaVersion: 7,
          data: '{ "b" : 1.0e2,\n\t"a":"\\u00e9 é 💥 \\ud83d", "a": null ,"__proto__":{"x":[]} }',
          occurredAt: 0,
          recordedAt: 253_402_300_799_999,
          metadata: { correlationId: 'c-1', causationId: '', actor: 'Zoë "x"\n', tenant: '日本' },
        },
      );
      const result = stored(await log.append('sample-1', [event], { expected: 'any' }));
      const { revision, partition, position } = result;
      const place = { stream: 'sample-1', revision, partition, position };
      expect((await log.readStream('sample-1')).events).toEqual([{ ...event, ...place }]);
      expect(await readAll(log)).toEqual([{ ...event, ...place }]);
    });

    test('absent metadata comes back as an empty object', async () => {
      const { log } = await openFresh(openers);
      stored(await log.append('sample-1', [sampleEvent()], { expected: 'any' }));
      stored(
        await log.append('sample-1', [sampleEvent({}, { metadata: {} })], { expected: 'any' }),
      );
      const events = await readAll(log);
      expect(events.map((event) => event.metadata)).toEqual([{}, {}]);
    });

    test('recordedAt is stamped once: a resend answers with the first stamp', async () => {
      const { log } = await openFresh(openers);
      const event = sampleEvent();
      const first = stored(await log.append('sample-1', [event], { expected: 'any' }));
      expect(Number.isSafeInteger(first.recordedAt) && first.recordedAt > 0).toBe(true);
      const second = stored(
        await log.append('sample-1', [{ ...event, recordedAt: 5 }], { expected: 'any' }),
      );
      expect(second.recordedAt).toBe(first.recordedAt);
      expect((await readAll(log)).map((one) => one.recordedAt)).toEqual([first.recordedAt]);
    });

    test('recordedAt is carried unchanged when it is given, for each event on its own', async () => {
      const { log } = await openFresh(openers);
      const events = [10, 5, 20].map((recordedAt) => sampleEvent({}, { recordedAt }));
      const result = stored(await log.append('sample-1', events, { expected: 'any' }));
      expect(result.recordedAt).toBe(20);
      expect((await readAll(log)).map((event) => event.recordedAt)).toEqual([10, 5, 20]);
    });

    test('revisions have no gaps after conflicts, refusals and duplicates', async () => {
      const { log } = await openFresh(openers);
      const kept: NewEvent[] = [];
      for (let round = 0; round < 10; round += 1) {
        const event = sampleEvent();
        const head: Revision | 'no-stream' = round === 0 ? 'no-stream' : round - 1;
        await log.append('sample-1', [sampleEvent()], { expected: 99 });
        await log.append('sample-1', [sampleEvent({}, { data: '[]' })], { expected: 'any' });
        await log.append('sample-1', [event], { expected: head });
        await log.append('sample-1', [event], { expected: head });
        kept.push(event);
      }
      const events = await readWholeStream(log, 'sample-1');
      expect(events.map((event) => [event.id, event.revision])).toEqual(
        kept.map((event, revision) => [event.id, revision]),
      );
    });
  });
}
