import { isId } from '@annals/core';
import { EncodedEvent } from './encoded-event.ts';
import { limits } from './limits.ts';
import type { AppendResult, Expected, Metadata, NewEvent, Revision } from './port.ts';
import { streamNameProblem } from './stream-name.ts';

/**
 * The rules of append that every engine keeps, as pure functions: `checkAppend` looks at the append
 * alone, `judgeAppend` at what its stream already holds. An adapter adds storage, and nothing else.
 */

export type Refused = Extract<AppendResult, { kind: 'refused' }>;

/** What is known of an event that is already in the stream. */
export interface KnownEvent {
  readonly revision: Revision;
  readonly contentHash: string;
}

/** A stream as `judgeAppend` needs it. Both answers come from one state of the stream. */
export interface StreamView {
  readonly head: Revision | 'no-stream';
  known(id: string): KnownEvent | undefined;
}

export type Verdict =
  /** Store all of them, the first at `firstRevision`, the others behind it without gaps. */
  | { readonly kind: 'accept'; readonly firstRevision: Revision }
  /** Stored before, side by side and in this order: answer with the event at `lastRevision`. */
  | { readonly kind: 'duplicate'; readonly lastRevision: Revision }
  | Extract<AppendResult, { kind: 'conflict' | 'content-mismatch' | 'partial-duplicate' }>;

/** 9999-12-31T23:59:59.999Z: the last time that has an ISO 8601 text of four digits for the year. */
export const timeMax = 253_402_300_799_999;

/** Bytes counted for an event beside its data, type and metadata: id, hash, times and framing. */
export const envelopeBytes = 160;

const typePattern = /^[A-Za-z][A-Za-z0-9._-]*$/;
const hashPattern = /^[0-9a-f]{64}$/;
const metadataMembers = ['correlationId', 'causationId', 'actor', 'tenant'] as const;

/** An append that a log may judge, and its bytes as `limits.appendBytesMax` counts them. */
export interface Checked {
  readonly kind: 'checked';
  readonly bytes: number;
}

/** Refuses what no log may store, whatever it holds. */
export function checkAppend(stream: string, events: readonly NewEvent[]): Checked | Refused {
  const nameProblem = streamNameProblem(stream);
  if (nameProblem !== undefined) return refused('invalid-stream-name', nameProblem);
  if (events.length === 0) return refused('no-events', 'an append holds at least one event');
  if (events.length > limits.appendEventsMax) {
    const detail = `the append has ${events.length} events, more than ${limits.appendEventsMax}`;
    return refused('too-many-events', detail);
  }
  const ids = new Set<string>();
  let bytes = 0;
  for (let index = 0; index < events.length; index += 1) {
    const event = events[index] as NewEvent;
    const problem = eventProblem(event) ?? (ids.has(event.id) ? 'its id comes twice' : undefined);
    if (problem !== undefined) return refused('invalid-event', `event ${index}: ${problem}`);
    const dataBytes = Buffer.byteLength(event.data);
    if (dataBytes > limits.eventDataBytesMax) {
      const detail = `event ${index}: its data has ${dataBytes} bytes, more than ${limits.eventDataBytesMax}`;
      return refused('event-too-large', detail);
    }
    ids.add(event.id);
    bytes += dataBytes + envelopeBytesOf(event);
  }
  if (bytes <= limits.appendBytesMax) return { kind: 'checked', bytes };
  const detail = `the append has ${bytes} bytes, more than ${limits.appendBytesMax}`;
  return refused('append-too-large', detail);
}

/**
 * What becomes of an append that `checkAppend` let through. The duplicate check comes first, so
 * that a resend gets its first answer however the stream has moved on and whatever it expects now. Records that are stored
 * in Kafka are judged by this again whenever somebody reads them: it never changes (a recorded history there tells).
 */
export function judgeAppend(
  view: StreamView,
  events: readonly Pick<NewEvent, 'id' | 'contentHash'>[],
  expected: Expected,
): Verdict {
  const known: KnownEvent[] = [];
  const knownIds: string[] = [];
  for (const { id, contentHash } of events) {
    const earlier = view.known(id);
    if (!earlier) continue;
    if (earlier.contentHash !== contentHash) {
      return { kind: 'content-mismatch', id, revision: earlier.revision };
    }
    known.push(earlier);
    knownIds.push(id);
  }
  const first = known[0];
  if (first) {
    const sideBySide = known.every((event, index) => event.revision === first.revision + index);
    return known.length === events.length && sideBySide
      ? { kind: 'duplicate', lastRevision: first.revision + known.length - 1 }
      : { kind: 'partial-duplicate', known: knownIds };
  }
  if (!meets(expected, view.head)) return { kind: 'conflict', expected, actual: view.head };
  return { kind: 'accept', firstRevision: view.head === 'no-stream' ? 0 : view.head + 1 };
}

/** Bytes of one append as `limits.appendBytesMax` counts them. */
export function appendBytes(events: readonly NewEvent[]): number {
  return events.reduce(
    (sum, event) => sum + Buffer.byteLength(event.data) + envelopeBytesOf(event),
    0,
  );
}

/** Metadata as it is stored: the known members that have a value, always in the same order. */
export function storedMetadata(metadata: Metadata | undefined): Metadata {
  const stored: { -readonly [member in keyof Metadata]: string } = {};
  for (const member of metadataMembers) {
    const value = metadata?.[member];
    if (value !== undefined) stored[member] = value;
  }
  return stored;
}

function refused(reason: Refused['reason'], detail: string): Refused {
  return { kind: 'refused', reason, detail };
}

function meets(expected: Expected, head: Revision | 'no-stream'): boolean {
  if (expected === 'any') return true;
  if (expected === 'exists') return head !== 'no-stream';
  return expected === head;
}

function envelopeBytesOf(event: NewEvent): number {
  let bytes = envelopeBytes + event.type.length;
  if (event.metadata) {
    for (const member of metadataMembers) {
      const value = event.metadata[member];
      if (value !== undefined) bytes += member.length + Buffer.byteLength(value);
    }
  }
  return bytes;
}

function eventProblem(event: NewEvent): string | undefined {
  if (!isId(event.id)) return 'its id is not a lower-case UUID';
  if (!typePattern.test(event.type)) {
    return 'its type is not a letter followed by letters, digits, ".", "_" and "-"';
  }
  if (event.type.length > limits.typeNameBytesMax) {
    return `its type has ${event.type.length} bytes, more than ${limits.typeNameBytesMax}`;
  }
  if (!Number.isSafeInteger(event.schemaVersion) || event.schemaVersion < 1) {
    return 'its schema version is not 1 or more';
  }
  if (!hashPattern.test(event.contentHash)) return 'its content hash is not 64 hex digits';
  if (!isTime(event.occurredAt)) return 'occurredAt is not a time in milliseconds since 1970';
  if (event.recordedAt !== undefined && !isTime(event.recordedAt)) {
    return 'recordedAt is not a time in milliseconds since 1970';
  }
  return (
    metadataProblem(event.metadata) ??
    (EncodedEvent.is(event) ? undefined : dataProblem(event.data))
  );
}

function isTime(time: number): boolean {
  return Number.isSafeInteger(time) && time >= 0 && time <= timeMax;
}

function metadataProblem(metadata: Metadata | undefined): string | undefined {
  if (metadata === undefined) return undefined;
  for (const [member, value] of Object.entries(metadata) as [string, unknown][]) {
    if (!(metadataMembers as readonly string[]).includes(member)) {
      return `its metadata may not have the member ${JSON.stringify(member.slice(0, 64))}`;
    }
    if (value === undefined) continue;
    if (typeof value !== 'string' || !value.isWellFormed()) return `${member} is not text`;
    const bytes = Buffer.byteLength(value);
    if (bytes > limits.metadataValueBytesMax) {
      return `${member} has ${bytes} bytes, more than ${limits.metadataValueBytesMax}`;
    }
  }
  return undefined;
}

function dataProblem(data: string): string | undefined {
  // Text beyond the limit is refused for its size: no need to parse it first.
  if (data.length > limits.eventDataBytesMax) return undefined;
  if (!data.isWellFormed()) return 'its data is not well-formed Unicode';
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return undefined;
  } catch {
    return 'its data is not JSON';
  }
  return 'its data is not a JSON object';
}
