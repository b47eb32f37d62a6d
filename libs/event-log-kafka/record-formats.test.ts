import { limits, type NewEvent, storedMetadata } from '@annals/event-log';
import { sampleEvent, sampleEvents } from '@annals/event-log/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { kafkaLimits } from './kafka-limits.ts';
import { encodeFormat1, type RecordToEncode } from './record-format-1.ts';
import { readRecord, recordFormats } from './record-formats.ts';
import { freshAppendId, unwitnessed } from './testing/sample-records.ts';

const texts = fc.string({ unit: 'grapheme', maxLength: 40 });
const metadata = fc.record(
  { correlationId: texts, causationId: texts, actor: texts, tenant: texts },
  { requiredKeys: [] },
);
const events: fc.Arbitrary<NewEvent> = fc
  .record({ value: texts, metadata, occurredAt: fc.nat(), recordedAt: fc.option(fc.nat()) })
  .map(({ value, recordedAt, ...rest }) =>
    sampleEvent({ data: { value } }, { ...rest, ...(recordedAt === null ? {} : { recordedAt }) }),
  );

const witness = { offset: 2 ** 40 + 3, hash: { high: 0xffff_ffff, low: 7 } };

function decoded(record: RecordToEncode, stream = 'sample-Zoë 💥') {
  return readRecord(recordFormats, encodeFormat1(record), Buffer.from(stream));
}

describe('record format 1', () => {
  test('an append comes back as it was', () => {
    const expectedForms = fc.oneof(
      fc.constantFrom<'any' | 'no-stream' | 'exists'>('any', 'no-stream', 'exists'),
      fc.maxSafeNat(),
    );
    const appends = fc.array(events, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(appends, expectedForms, fc.nat(), (given, expected, stampedAt) => {
        const appendId = freshAppendId();
        const record = { appendId, witness, expected, stampedAt, events: given };
        const written = given.map((event) => {
          const kept = JSON.stringify(storedMetadata(event.metadata));
          const recordedAt = event.recordedAt ?? null;
          return { ...event, metadata: kept === '{}' ? null : kept, recordedAt };
        });
        expect(decoded({ kind: 'append', ...record })).toEqual({
          kind: 'record',
          record: {
            ...record,
            kind: 'append',
            format: 1,
            stream: 'sample-Zoë 💥',
            events: written,
          },
        });
      }),
    );
  });

  test('voids and barriers come back as they were', () => {
    const said = { appendId: freshAppendId(), witness };
    const voids = freshAppendId();
    expect(decoded({ kind: 'void', ...said, voids })).toEqual({
      kind: 'record',
      record: { ...said, kind: 'void', format: 1, voids },
    });
    expect(decoded({ kind: 'barrier', ...said })).toEqual({
      kind: 'record',
      record: { ...said, kind: 'barrier', format: 1 },
    });
  });

  test('these are its bytes, for ever', () => {
    const id = '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b';
    const event = sampleEvent({}, { id, occurredAt: 1, metadata: { actor: 'a' } });
    const value = encodeFormat1({
      ...{ kind: 'append', appendId: '11'.repeat(16), witness: unwitnessed },
      ...{ expected: 'no-stream', stampedAt: 2, events: [event] },
    });
    expect(value.toString('hex')).toBe(
      [
        'a11a0100eb33f7a511111111111111111111111111111111bff00000000000000000000000000000',
        '4000000000000000c00000000000000000010190a1b2c3d47e5f8a9b0c1d2e3f4a5bb388de4ca9c6',
        '86b56ab89763c9bfba2cc903e1d04acf02e75ff508106f6b7b1c3ff00000000000003ff000000000',
        '0000bff00000000000000773616d706c6564ffffffff000161ffff0000000c7b22706f696e747322',
        '3a317d',
      ].join(''),
    );
  });

  test('the largest append the port lets through fits into one batch', () => {
    const members = ['correlationId', 'causationId', 'actor', 'tenant'] as const;
    const full = Object.fromEntries(
      members.map((member) => [member, '\u0001'.repeat(limits.metadataValueBytesMax)]),
    );
    const many = sampleEvents(700).map((event) => ({ ...event, metadata: full }));
    const value = encodeFormat1({
      ...{ kind: 'append', appendId: freshAppendId(), witness, expected: 'any', stampedAt: 0 },
      events: many,
    });
    expect(value.length).toBeLessThan(kafkaLimits.batchBytesMax);
  });
});

describe('what is no record of ours', () => {
  const whole = encodeFormat1({ kind: 'barrier', appendId: freshAppendId(), witness });

  test.each<[string, Buffer | null]>([
    ['a tombstone', null],
    ['empty', Buffer.alloc(0)],
    ['JSON of somebody', Buffer.from('{"hello":"world"}')],
    ['our first two bytes alone', Buffer.from([0xa1, 0x1a])],
    ['format 0', Buffer.from([0xa1, 0x1a, 0, 0, 0, 0])],
    ['cut short', whole.subarray(0, whole.length - 1)],
    ['our head alone', whole.subarray(0, 8)],
  ])('%s is foreign', (_, value) => {
    expect(readRecord(recordFormats, value, null)).toEqual({ kind: 'foreign' });
  });

  test('an append without a key is foreign', () => {
    const said = { appendId: freshAppendId(), witness, expected: 'any', stampedAt: 0 } as const;
    const value = encodeFormat1({ kind: 'append', ...said, events: [sampleEvent()] });
    expect(readRecord(recordFormats, value, null)).toEqual({ kind: 'foreign' });
    const empty = encodeFormat1({ kind: 'append', ...said, events: [] });
    expect(readRecord(recordFormats, empty, Buffer.from('a-1'))).toEqual({ kind: 'foreign' });
  });

  test('a flipped bit anywhere makes it foreign or newer, never another record', () => {
    const said = { appendId: freshAppendId(), witness, expected: 4, stampedAt: 9 } as const;
    const value = encodeFormat1({ kind: 'append', ...said, events: [sampleEvent()] });
    for (let bit = 0; bit < value.length * 8; bit += 1) {
      const flipped = Buffer.from(value);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const { kind } = readRecord(recordFormats, flipped, Buffer.from('a-1'));
      expect({ bit, kind }).toEqual({
        bit,
        kind: bit >> 3 === 2 && bit !== 16 ? 'newer' : 'foreign',
      });
    }
  });

  test('random bytes are foreign, also behind our magic', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const key = Buffer.from('a-1');
        expect(readRecord(recordFormats, Buffer.from(bytes), key).kind).toBe('foreign');
        const value = Buffer.concat([Buffer.from([0xa1, 0x1a, 1]), bytes]);
        expect(readRecord(recordFormats, value, key).kind).toBe('foreign');
      }),
    );
  });

  test('a newer format is said to be newer', () => {
    expect(readRecord(recordFormats, Buffer.from([0xa1, 0x1a, 2, 0]), null)).toEqual({
      kind: 'newer',
      format: 2,
    });
  });
});
