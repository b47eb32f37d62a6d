import { crc32 } from 'node:zlib';
import { storedMetadata } from '@annals/event-log/append-rules';
import type { Expected, Metadata, NewEvent } from '@annals/event-log/port';
import type { ReplicaEvent } from '@annals/event-log-sqlite/replica';
import { foundingPartitions, type LogRecord, type Witness } from './record.ts';

/**
 * Record format 1. Big-endian; a number that may be large is an IEEE double, exact up to 2^53.
 *
 *     0  magic a1 1a     2  format 01     3  kind     4  CRC-32 of all other bytes
 *     8  append id (16)  24 witness: offset (double), hash (8)
 *     append:  40 stampedAt (double)  48 expected (double; -1 any, -2 no-stream, -3 exists)
 *              56 events (u16), each: id (16), content hash (32), schema version (double),
 *                 occurredAt (double), recordedAt (double, -1 none), type (u8 length, bytes),
 *                 four metadata values (u16 length, bytes; length ffff: absent), data (u32 length, bytes)
 *     void:    40 append id (16)
 *     barrier: nothing more; its key may say `partitions=N`
 *
 * The bytes are never changed: a change is format 2.
 */
export const format1 = 1;

export const magic = 0xa11a;
export const headBytes = 40;
const kinds = ['append', 'void', 'barrier'] as const;
const expectedNames = ['any', 'no-stream', 'exists'] as const;
const metadataMembers = ['correlationId', 'causationId', 'actor', 'tenant'] as const;
const absent = 0xffff;
/** Of an event without its texts: id, hash, three doubles, the lengths. */
const eventFrameBytes = 16 + 32 + 24 + 1 + 8 + 4;

export interface AppendToEncode {
  readonly kind: 'append';
  readonly appendId: string;
  readonly witness: Witness;
  readonly expected: Expected;
  readonly stampedAt: number;
  readonly events: readonly NewEvent[];
}

export type RecordToEncode =
  | AppendToEncode
  | {
      readonly kind: 'void';
      readonly appendId: string;
      readonly witness: Witness;
      readonly voids: string;
    }
  | { readonly kind: 'barrier'; readonly appendId: string; readonly witness: Witness };

/** The value of a Kafka record. Its key is the stream of an append. */
export function encodeFormat1(record: RecordToEncode): Buffer {
  const bytes = Buffer.allocUnsafe(sizeOf(record));
  bytes.writeUInt16BE(magic, 0);
  bytes[2] = format1;
  bytes[3] = kinds.indexOf(record.kind);
  bytes.write(record.appendId, 8, 'hex');
  bytes.writeDoubleBE(record.witness.offset, 24);
  bytes.writeUInt32BE(record.witness.hash.high, 32);
  bytes.writeUInt32BE(record.witness.hash.low, 36);
  if (record.kind === 'append') writeAppend(bytes, record);
  if (record.kind === 'void') bytes.write(record.voids, headBytes, 'hex');
  bytes.writeUInt32BE(checksum(bytes), 4);
  return bytes;
}

/**
 * What `value` says, or undefined when it is not a whole record of format 1. `value` begins with magic
 * and format. The checksum is why nothing of an event is checked again: the process that wrote it did.
 */
export function decodeFormat1(value: Buffer, key: Buffer | null): LogRecord | undefined {
  if (value.length < headBytes || value.readUInt32BE(4) !== checksum(value)) {
    return undefined;
  }
  const kind = kinds[value[3] as number];
  const said = {
    format: format1,
    appendId: value.toString('hex', 8, 24),
    witness: {
      offset: value.readDoubleBE(24),
      hash: { high: value.readUInt32BE(32), low: value.readUInt32BE(36) },
    },
  };
  if (kind === 'barrier') {
    const partitions = foundingPartitions(key);
    return { ...said, kind, ...(partitions === undefined ? {} : { partitions }) };
  }
  if (kind === 'void')
    return { ...said, kind, voids: value.toString('hex', headBytes, headBytes + 16) };
  if (kind === undefined || key === null || value.readUInt16BE(56) === 0) return undefined;
  return {
    ...said,
    kind,
    stream: key.toString(),
    stampedAt: value.readDoubleBE(40),
    expected: expectedOf(value.readDoubleBE(48)),
    events: eventsIn(value),
  };
}

function checksum(value: Buffer): number {
  return crc32(value.subarray(8), crc32(value.subarray(0, 4)));
}

function sizeOf(record: RecordToEncode): number {
  if (record.kind === 'barrier') return headBytes;
  if (record.kind === 'void') return headBytes + 16;
  let bytes = headBytes + 18;
  for (const event of record.events) {
    bytes += eventFrameBytes + event.type.length + Buffer.byteLength(event.data);
    if (event.metadata) {
      for (const member of metadataMembers) {
        bytes += Buffer.byteLength(event.metadata[member] ?? '');
      }
    }
  }
  return bytes;
}

function writeAppend(bytes: Buffer, { stampedAt, expected, events }: AppendToEncode): void {
  bytes.writeDoubleBE(stampedAt, 40);
  bytes.writeDoubleBE(
    typeof expected === 'number' ? expected : -1 - expectedNames.indexOf(expected),
    48,
  );
  let at = bytes.writeUInt16BE(events.length, 56);
  for (const event of events) at = writeEvent(bytes, at, event);
}

function writeEvent(bytes: Buffer, start: number, event: NewEvent): number {
  bytes.write(event.id.replaceAll('-', ''), start, 'hex');
  bytes.write(event.contentHash, start + 16, 'hex');
  bytes.writeDoubleBE(event.schemaVersion, start + 48);
  bytes.writeDoubleBE(event.occurredAt, start + 56);
  bytes.writeDoubleBE(event.recordedAt ?? -1, start + 64);
  let at = bytes.writeUInt8(event.type.length, start + 72);
  at += bytes.write(event.type, at, 'latin1');
  for (const member of metadataMembers) {
    const text = event.metadata?.[member];
    if (text === undefined) {
      at = bytes.writeUInt16BE(absent, at);
      continue;
    }
    const length = bytes.write(text, at + 2);
    bytes.writeUInt16BE(length, at);
    at += 2 + length;
  }
  const length = bytes.write(event.data, at + 4);
  bytes.writeUInt32BE(length, at);
  return at + 4 + length;
}

function expectedOf(number: number): Expected {
  return number >= 0 ? number : (expectedNames[-1 - number] ?? 'any');
}

function eventsIn(value: Buffer): ReplicaEvent[] {
  const events: ReplicaEvent[] = [];
  let at = 58;
  for (let left = value.readUInt16BE(56); left > 0; left -= 1) {
    const start = at;
    const typeEnd = start + 73 + (value[start + 72] as number);
    const { metadata, end } = metadataAt(value, typeEnd);
    const dataEnd = end + 4 + value.readUInt32BE(end);
    const recordedAt = value.readDoubleBE(start + 64);
    events.push({
      id: uuidOf(value.toString('hex', start, start + 16)),
      contentHash: value.toString('hex', start + 16, start + 48),
      schemaVersion: value.readDoubleBE(start + 48),
      occurredAt: value.readDoubleBE(start + 56),
      recordedAt: recordedAt < 0 ? null : recordedAt,
      type: value.toString('latin1', start + 73, typeEnd),
      metadata,
      data: value.toString('utf8', end + 4, dataEnd),
    });
    at = dataEnd;
  }
  return events;
}

/** Metadata as the replica keeps it: JSON text, null for none. */
function metadataAt(value: Buffer, start: number): { metadata: string | null; end: number } {
  let found: { -readonly [member in keyof Metadata]: string } | undefined;
  let at = start;
  for (const member of metadataMembers) {
    const length = value.readUInt16BE(at);
    at += 2;
    if (length === absent) continue;
    found ??= {};
    found[member] = value.toString('utf8', at, at + length);
    at += length;
  }
  return { metadata: found ? JSON.stringify(storedMetadata(found)) : null, end: at };
}

function uuidOf(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
