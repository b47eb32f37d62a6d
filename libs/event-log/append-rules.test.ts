import { describe, expect, test } from 'vitest';
import {
  appendBytes,
  checkAppend,
  envelopeBytes,
  judgeAppend,
  type KnownEvent,
  type Refused,
  type StreamView,
  storedMetadata,
} from './append-rules.ts';
import { sampleEvent, sampleEvents } from './contract/index.ts';
import { EncodedEvent } from './encoded-event.ts';

const [a, b, c] = [sampleEvent(), sampleEvent(), sampleEvent()];
const other = 'f'.repeat(64);

function view(head: StreamView['head'], known: Record<string, number> = {}): StreamView {
  return {
    head,
    known: (id): KnownEvent | undefined =>
      known[id] === undefined ? undefined : { revision: known[id], contentHash: a.contentHash },
  };
}

function refusal(checked: ReturnType<typeof checkAppend>): Refused | undefined {
  return checked.kind === 'refused' ? checked : undefined;
}

describe('judgeAppend', () => {
  test('accepts behind the head', () => {
    expect(judgeAppend(view('no-stream'), [a], 'any')).toEqual({
      kind: 'accept',
      firstRevision: 0,
    });
    expect(judgeAppend(view(6), [a], 6)).toEqual({ kind: 'accept', firstRevision: 7 });
  });

  test('takes revision 0 and an empty stream for different things', () => {
    expect(judgeAppend(view('no-stream'), [a], 0)).toMatchObject({ kind: 'conflict' });
    expect(judgeAppend(view(0), [a], 'no-stream')).toMatchObject({ kind: 'conflict', actual: 0 });
  });

  test('names the last revision of a duplicate, which need not be the head', () => {
    const verdict = judgeAppend(view(9, { [a.id]: 3, [b.id]: 4 }), [a, b], 'no-stream');
    expect(verdict).toEqual({ kind: 'duplicate', lastRevision: 4 });
  });

  test('puts other content before a partial duplicate, and both before a conflict', () => {
    const known = view(9, { [a.id]: 3, [b.id]: 4 });
    const changed = { ...b, contentHash: other };
    expect(judgeAppend(known, [c, changed], 'no-stream')).toEqual({
      kind: 'content-mismatch',
      id: b.id,
      revision: 4,
    });
    expect(judgeAppend(known, [a, c], 'no-stream')).toEqual({
      kind: 'partial-duplicate',
      known: [a.id],
    });
    expect(judgeAppend(known, [b, a], 'any')).toMatchObject({ kind: 'partial-duplicate' });
  });

  test('a revision that is none never matches', () => {
    for (const expected of [-1, Number.NaN, 0.5]) {
      expect(judgeAppend(view(0), [a], expected)).toMatchObject({ kind: 'conflict', expected });
    }
  });
});

describe('checkAppend', () => {
  test('lets a good append through', () => {
    const events = sampleEvents(3);
    expect(checkAppend('sample-1', events)).toEqual({
      kind: 'checked',
      bytes: appendBytes(events),
    });
  });

  test('says which event is wrong and why', () => {
    const detail = (wrong: object) =>
      refusal(checkAppend('sample-1', [a, sampleEvent({}, wrong)]))?.detail ?? '';
    expect(detail({ id: 'X' })).toBe('event 1: its id is not a lower-case UUID');
    expect(detail({ data: '[]' })).toBe('event 1: its data is not a JSON object');
    expect(detail({ data: '{' })).toBe('event 1: its data is not JSON');
    expect(detail({ id: a.id })).toBe('event 1: its id comes twice');
    expect(detail({ metadata: { x: '1' } })).toMatch(/"x"/);
    expect(detail({ type: 't'.repeat(129) })).toMatch(/129 bytes, more than 128/);
  });

  test('never parses data beyond the limit, and refuses it for its size', () => {
    const checked = checkAppend('sample-1', [sampleEvent({}, { data: '{'.repeat(300_000) })]);
    expect(refusal(checked)?.reason).toBe('event-too-large');
  });

  test('does not parse again what the codec wrote, and parses every copy of it', () => {
    const { type, schemaVersion, occurredAt, contentHash } = a;
    const event = new EncodedEvent({ id: a.id, type, schemaVersion, occurredAt }, {}, contentHash);
    const broken = Object.assign(event, { data: '{' });
    expect(checkAppend('sample-1', [broken]).kind).toBe('checked');
    const copy = refusal(checkAppend('sample-1', [{ ...broken }]));
    expect(copy?.detail).toBe('event 0: its data is not JSON');
  });
});

test('appendBytes counts UTF-8 bytes of data, type and metadata, and the envelope', () => {
  const event = sampleEvent({ type: 'abc' }, { data: '{"é":1}', metadata: { actor: 'é' } });
  expect(appendBytes([event, event])).toBe(2 * (8 + 3 + 'actor'.length + 2 + envelopeBytes));
});

test('storedMetadata keeps what has a value, in one order', () => {
  const metadata = { tenant: 't', actor: undefined, correlationId: 'c' } as object;
  expect(JSON.stringify(storedMetadata(metadata))).toBe('{"correlationId":"c","tenant":"t"}');
  expect(storedMetadata(undefined)).toEqual({});
});
