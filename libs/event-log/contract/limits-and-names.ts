import { describe, expect, test } from 'vitest';
import { appendBytes, timeMax } from '../append-rules.ts';
import { limits } from '../limits.ts';
import type { AppendRefusal, EventLog, Metadata, NewEvent } from '../port.ts';
import { readAll } from './reading.ts';
import { sampleEvent, sampleEvents, stored } from './sample-events.ts';
import { type LogOpeners, openFresh } from './site.ts';

export function describeLimitsAndNames(openers: LogOpeners): void {
  describeLimits(openers);
  describeMalformedEvents(openers);
  describeNames(openers);
}

/** An event whose data has exactly `bytes` UTF-8 bytes, most of them in characters of two. */
function eventOfBytes(bytes: number): NewEvent {
  const frame = Buffer.byteLength('{"a":""}');
  const filling = 'é'.repeat(Math.floor((bytes - frame) / 2)) + 'x'.repeat((bytes - frame) % 2);
  return sampleEvent({}, { data: `{"a":"${filling}"}` });
}

/** Events that together count `bytes`, none of them near its own limit. */
function appendOfBytes(bytes: number): NewEvent[] {
  const full = Array.from({ length: 4 }, () => eventOfBytes(200_000));
  const rest = bytes - appendBytes(full) - appendBytes([eventOfBytes(1_000)]) + 1_000;
  return [...full, eventOfBytes(rest)];
}

function describeLimits(openers: LogOpeners): void {
  async function expectBoundary(
    reason: AppendRefusal,
    within: readonly NewEvent[],
    beyond: readonly NewEvent[],
  ): Promise<EventLog> {
    const { log } = await openFresh(openers);
    const refused = await log.append('sample-1', beyond, { expected: 'any' });
    expect(refused).toMatchObject({ kind: 'refused', reason });
    expect(await readAll(log)).toEqual([]);
    stored(await log.append('sample-1', within, { expected: 'no-stream' }));
    const kept = (await log.readStream('sample-1')).events;
    expect(kept.map((event) => event.data)).toEqual(within.map((event) => event.data));
    return log;
  }

  describe('limits: the last value is accepted, the next one refused by name', () => {
    test('data of one event', async () => {
      const { eventDataBytesMax } = limits;
      const beyond = [eventOfBytes(eventDataBytesMax + 1)];
      await expectBoundary('event-too-large', [eventOfBytes(eventDataBytesMax)], beyond);
    });

    test('bytes of one append', async () => {
      const within = appendOfBytes(limits.appendBytesMax);
      expect(appendBytes(within)).toBe(limits.appendBytesMax);
      await expectBoundary('append-too-large', within, appendOfBytes(limits.appendBytesMax + 1));
    });

    test('events of one append', async () => {
      const within = sampleEvents(limits.appendEventsMax);
      await expectBoundary('too-many-events', within, [...within, sampleEvent()]);
    });

    test('no events at all', async () => {
      await expectBoundary('no-events', [sampleEvent()], []);
    });

    test('name of a type', async () => {
      const type = 't'.repeat(limits.typeNameBytesMax);
      const within = [sampleEvent({ type })];
      const log = await expectBoundary('invalid-event', within, [
        sampleEvent({ type: `${type}t` }),
      ]);
      expect((await log.readStream('sample-1')).events[0]?.type).toBe(type);
    });

    test('one metadata value', async () => {
      const tenant = 'é'.repeat(limits.metadataValueBytesMax / 2);
      const within = [sampleEvent({}, { metadata: { tenant } })];
      const beyond = [sampleEvent({}, { metadata: { tenant: `${tenant}x` } })];
      const log = await expectBoundary('invalid-event', within, beyond);
      expect((await log.readStream('sample-1')).events[0]?.metadata).toEqual({ tenant });
    });

    test('times and schema versions', async () => {
      const within = [
        sampleEvent({}, { occurredAt: timeMax, recordedAt: timeMax }),
        sampleEvent({}, { occurredAt: 0, recordedAt: 0 }),
        sampleEvent({}, { schemaVersion: 1 }),
      ];
      for (const beyond of [
        { occurredAt: timeMax + 1 },
        { occurredAt: -1 },
        { recordedAt: timeMax + 1 },
        { recordedAt: -1 },
        { schemaVersion: 0 },
      ]) {
        await expectBoundary('invalid-event', within, [sampleEvent({}, beyond)]);
      }
    });
  });
}

function describeMalformedEvents(openers: LogOpeners): void {
  const id = sampleEvent().id;
  const malformed: [string, Partial<NewEvent>][] = [
    ['id is empty', { id: '' }],
    ['id is upper case', { id: id.toUpperCase() }],
    ['id has no hyphens', { id: id.replaceAll('-', '') }],
    ['type is empty', { type: '' }],
    ['type has a space', { type: 'a b' }],
    ['type begins with $', { type: '$system' }],
    ['schema version is a fraction', { schemaVersion: 1.5 }],
    ['schema version is NaN', { schemaVersion: Number.NaN }],
    ['data is not JSON', { data: '{"a":}' }],
    ['data is empty', { data: '' }],
    ['data is an array', { data: '[1]' }],
    ['data is null', { data: 'null' }],
    ['data is a number', { data: '1' }],
    ['data holds half a character', { data: '{"a":"\ud800"}' }],
    ['content hash is empty', { contentHash: '' }],
    ['content hash is upper case', { contentHash: 'A'.repeat(64) }],
    ['content hash is short', { contentHash: 'a'.repeat(63) }],
    ['occurredAt is NaN', { occurredAt: Number.NaN }],
    ['occurredAt is a fraction', { occurredAt: 0.5 }],
    ['recordedAt is infinite', { recordedAt: Number.POSITIVE_INFINITY }],
    ['metadata has an unknown member', { metadata: { color: 'red' } as Metadata }],
    ['metadata has a number', { metadata: { actor: 5 } as unknown as Metadata }],
    ['metadata holds half a character', { metadata: { actor: '\udc00' } }],
  ];
  test('malformed events are refused as invalid, and nothing is stored', async () => {
    const { log } = await openFresh(openers);
    for (const [what, wrong] of malformed) {
      const events = [sampleEvent(), sampleEvent({}, wrong)];
      const result = await log.append('sample-1', events, { expected: 'any' });
      expect({ what, ...result }).toMatchObject({ what, kind: 'refused', reason: 'invalid-event' });
    }
    expect(await readAll(log)).toEqual([]);
    expect(await log.head()).toEqual({});
  });
}

function describeNames(openers: LogOpeners): void {
  const longest = `sample-${'é'.repeat((limits.streamNameBytesMax - 8) / 2)}x`;
  const names = [
    'sample-1',
    's-1',
    'sample_2x-a-b--c-',
    'sample--',
    'sample-Zoë 日本 💥 \u202e',
    'sample-é',
    'sample-e\u0301',
    'sample-%2f/../..\\\'";--$[]{}*?',
    'sample-SAMPLE',
    'sample-sample',
    'samplex-1',
    longest,
  ];
  test('names with unicode and further separators are streams of their own', async () => {
    const { log } = await openFresh(openers);
    expect(Buffer.byteLength(longest)).toBe(limits.streamNameBytesMax);
    for (const name of names) {
      stored(await log.append(name, [sampleEvent({ data: { name } })], { expected: 'no-stream' }));
    }
    for (const name of names) {
      const { events, head } = await log.readStream(name);
      expect(head).toBe(0);
      expect(events.map((event) => [event.stream, event.data])).toEqual([
        [name, JSON.stringify({ name })],
      ]);
    }
    expect((await readAll(log)).map((event) => event.stream).sort()).toEqual([...names].sort());
    const inCategory = await readAll(log, { categories: ['sample', 'sample_2x'] });
    expect(inCategory.map((event) => event.stream).sort()).toEqual(
      names.filter((name) => !['s-1', 'samplex-1'].includes(name)).sort(),
    );
  });

  test('invalid names are refused, and reading them finds no stream', async () => {
    const { log } = await openFresh(openers);
    for (const name of [
      '',
      'sample',
      'sample-',
      '-1',
      'Sample-1',
      '1sample-1',
      '$sample-1',
      'sam ple-1',
      'sample-\n',
      'sample-\u0000',
      'sample-\u007f',
      'sample-\ud800',
      `${longest}x`,
    ]) {
      const result = await log.append(name, [sampleEvent()], { expected: 'any' });
      expect({ name, ...result }).toMatchObject({ name, reason: 'invalid-stream-name' });
      expect(await log.readStream(name)).toEqual({ events: [], head: 'no-stream' });
    }
    expect(await readAll(log)).toEqual([]);
  });
}
