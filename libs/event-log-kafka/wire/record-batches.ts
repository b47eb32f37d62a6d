import type { TopicRecord } from '../partition-follower.ts';
import type { FetchedPartition } from './fetch.ts';
import { uncompressed } from './uncompressed.ts';

/**
 * A batch as brokers store it, since Kafka 0.11. Big-endian.
 *
 *     0  first offset (8)   8  length of the rest (4)   16  magic 02   21  attributes (2)
 *    23  last offset - first offset (4)   57  records (4)   61  records
 *
 * A record, its numbers of as many bytes as they need: length, attributes, time, offset - first offset,
 * key, value (each a length, -1 for null, and bytes), headers.
 */
const lengthAt = 8;
const frameBytes = 12;
const headBytes = 61;
const magic = 2;
const compressionMask = 0x07;
const transactionBit = 0x10;
const controlBit = 0x20;

interface Batch {
  readonly firstOffset: number;
  readonly attributes: number;
  readonly count: number;
  readonly bytes: Buffer;
}

/** The offset behind the last whole batch; undefined when there is none. */
export function nextOffsetOf({ batches }: FetchedPartition): number | undefined {
  let next: number | undefined;
  for (let at = 0; at + headBytes <= batches.length; ) {
    const end = at + frameBytes + batches.readInt32BE(at + lengthAt);
    if (end > batches.length) break;
    next = Number(batches.readBigInt64BE(at)) + batches.readInt32BE(at + 23) + 1;
    at = end;
  }
  return next;
}

/**
 * The records from `from` on, without Kafka's own. Of a transaction nobody knows yet whether it counts: its records say
 * so. Throws for bytes that are no batches.
 */
export function recordsOf({ batches }: FetchedPartition, from: number): TopicRecord[] {
  const records: TopicRecord[] = [];
  for (const batch of batchesIn(batches)) {
    if (!(batch.attributes & controlBit)) readRecords(batch, from, records);
  }
  return records;
}

function* batchesIn(bytes: Buffer): Iterable<Batch> {
  for (let at = 0; at + headBytes <= bytes.length; ) {
    const end = at + frameBytes + bytes.readInt32BE(at + lengthAt);
    if (end > bytes.length) return;
    if (bytes[at + 16] !== magic)
      throw new Error(`records of format ${bytes[at + 16]} are not read`);
    yield {
      firstOffset: Number(bytes.readBigInt64BE(at)),
      attributes: bytes.readInt16BE(at + 21),
      count: bytes.readInt32BE(at + 57),
      bytes: bytes.subarray(at + headBytes, end),
    };
    at = end;
  }
}

function readRecords(batch: Batch, from: number, records: TopicRecord[]): void {
  const bytes = uncompressed(batch.attributes & compressionMask, batch.bytes);
  const isInTransaction = (batch.attributes & transactionBit) !== 0;
  const cursor = { at: 0 };
  for (let left = batch.count; left > 0; left -= 1) {
    const length = signed(bytes, cursor);
    const end = cursor.at + length;
    if (end > bytes.length) throw new RangeError('a record is longer than its batch');
    cursor.at += 1;
    skipNumber(bytes, cursor);
    const offset = batch.firstOffset + signed(bytes, cursor);
    const key = blob(bytes, cursor);
    const value = blob(bytes, cursor);
    if (offset >= from) {
      records.push(
        isInTransaction ? { offset, key, value, isInTransaction } : { offset, key, value },
      );
    }
    cursor.at = end;
  }
}

function blob(bytes: Buffer, cursor: { at: number }): Buffer | null {
  const length = signed(bytes, cursor);
  if (length < 0) return null;
  const start = cursor.at;
  cursor.at += length;
  return bytes.subarray(start, cursor.at);
}

/** A number of 32 bits in zigzag order. */
function signed(bytes: Buffer, cursor: { at: number }): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[cursor.at] as number;
    cursor.at += 1;
    value |= (byte & 0x7f) << shift;
    if (!(byte >= 0x80)) break;
  }
  return (value >>> 1) ^ -(value & 1);
}

function skipNumber(bytes: Buffer, cursor: { at: number }): void {
  while ((bytes[cursor.at] as number) >= 0x80) cursor.at += 1;
  cursor.at += 1;
}
