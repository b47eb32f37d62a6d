import { crc32 } from 'node:zlib';
import type { DecideAppend } from '../decide-append.ts';
import { decodeFormat1, encodeFormat1, format1 } from '../record-format-1.ts';
import { formatsOf, recordFormats as known, type RecordFormat } from '../record-formats.ts';

/**
 * A format that exists for tests only: the bytes of format 1 under another number, and a rule of its
 * own, by which `any` does not begin a stream.
 */
const format2 = 2;

function withVersion(value: Buffer, version: number): Buffer {
  const bytes = Buffer.from(value);
  bytes[2] = version;
  bytes.writeUInt32BE(crc32(bytes.subarray(8), crc32(bytes.subarray(0, 4))), 4);
  return bytes;
}

const decide: DecideAppend = (view, record) => {
  const isNew = view.head === 'no-stream' && !view.settled(record.appendId);
  if (record.expected === 'any' && isNew) {
    return { kind: 'conflict', expected: 'any', actual: 'no-stream' };
  }
  const old = known.get(format1)?.decide;
  if (!old) throw new Error('the rules of format 1 are gone');
  return old(view, record);
};

const second: RecordFormat = {
  version: format2,
  encode: (record) => withVersion(encodeFormat1(record), format2),
  decode: (value, key) => {
    const sum = crc32(value.subarray(8), crc32(value.subarray(0, 4)));
    if (value.readUInt32BE(4) !== sum) return undefined;
    const record = decodeFormat1(withVersion(value, format1), key);
    return record && { ...record, format: format2 };
  },
  decide,
};

/** What a program knows that can read both. */
export const recordFormats = formatsOf([...known.values(), second]);
