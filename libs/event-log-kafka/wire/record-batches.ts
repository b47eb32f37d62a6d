import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { TopicRecord } from '../partition-follower.ts';
import type { AbortedTransaction, FetchedPartition } from './fetch.ts';

/**
 * A batch as brokers store it, since Kafka 0.11. Big-endian.
 *
 *     0  first offset (8)   8  length of the rest (4)   16  magic 02   21  attributes (2)
 *    23  last offset - first offset (4)   43  producer id (8)   57  records (4)   61  records
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
const abortMarker = 0;

interface Batch {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly attributes: number;
  readonly producerId: bigint;
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
 * The records from `from` on that count: none of Kafka's own, and none of a transaction that was
 * broken off. Throws for bytes that are no batches, or compressed in a way that is not known here.
 */
export function recordsOf(fetched: FetchedPartition, from: number): TopicRecord[] {
  const records: TopicRecord[] = [];
  const aborted = [...fetched.aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const broken = new Set<bigint>();
  for (const batch of batchesIn(fetched.batches)) {
    enterAborted(aborted, batch, broken);
    if (batch.attributes & controlBit) {
      if (isAbort(batch)) broken.delete(batch.producerId);
    } else if (!(batch.attributes & transactionBit) || !broken.has(batch.producerId)) {
      readRecords(batch, from, records);
    }
  }
  return records;
}

function* batchesIn(bytes: Buffer): Iterable<Batch> {
  for (let at = 0; at + headBytes <= bytes.length; ) {
    const end = at + frameBytes + bytes.readInt32BE(at + lengthAt);
    if (end > bytes.length) return;
    if (bytes[at + 16] !== magic)
      throw new Error(`records of format ${bytes[at + 16]} are not read`);
    const firstOffset = Number(bytes.readBigInt64BE(at));
    yield {
      firstOffset,
      lastOffset: firstOffset + bytes.readInt32BE(at + 23),
      attributes: bytes.readInt16BE(at + 21),
      producerId: bytes.readBigInt64BE(at + 43),
      count: bytes.readInt32BE(at + 57),
      bytes: bytes.subarray(at + headBytes, end),
    };
    at = end;
  }
}

function enterAborted(aborted: AbortedTransaction[], batch: Batch, broken: Set<bigint>): void {
  for (;;) {
    const [next] = aborted;
    if (!next || next.firstOffset > batch.lastOffset) return;
    broken.add(next.producerId);
    aborted.shift();
  }
}

function isAbort(batch: Batch): boolean {
  const markers: TopicRecord[] = [];
  readRecords(batch, 0, markers);
  // Its key is a version and a kind.
  return markers.some(({ key }) => key?.readInt16BE(2) === abortMarker);
}

function readRecords(batch: Batch, from: number, records: TopicRecord[]): void {
  const bytes = uncompressed(batch);
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
    if (offset >= from) records.push({ offset, key, value });
    cursor.at = end;
  }
}

function uncompressed({ attributes, bytes }: Batch): Buffer {
  const kind = attributes & compressionMask;
  if (kind === 0) return bytes;
  if (kind === 1) return gunzipSync(bytes);
  if (kind === 4) return zstdDecompressSync(bytes);
  throw new Error(
    'records compressed by snappy or lz4 are not read: see compression.type of the topic',
  );
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
