import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { decompress as decompressLz4 } from 'lz4js';
import { uncompress as uncompressSnappy } from 'snappyjs';

/** What Java's snappy streams begin with, before two versions of four bytes; then come blocks, each behind its length. */
const snappyStream = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const snappyHeadBytes = 16;

/**
 * The records of a batch. `kind`: the lowest three bits of its attributes. Nothing here writes but gzip or
 * nothing; brokers and others may use any of what Kafka knows. Throws for what it does not know.
 */
export function uncompressed(kind: number, bytes: Buffer): Buffer {
  switch (kind) {
    case 0:
      return bytes;
    case 1:
      return gunzipSync(bytes);
    case 2:
      return fromSnappy(bytes);
    case 3:
      return bufferOn(decompressLz4(bytes));
    case 4:
      return zstdDecompressSync(bytes);
    default:
      throw new Error(`records compressed in way ${kind} are not read: see compression.type`);
  }
}

function fromSnappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, snappyStream.length).equals(snappyStream)) return snappyBlock(bytes);
  const blocks: Buffer[] = [];
  for (let at = snappyHeadBytes; at < bytes.length; ) {
    const start = at + 4;
    at = start + bytes.readInt32BE(at);
    blocks.push(snappyBlock(bytes.subarray(start, at)));
  }
  return Buffer.concat(blocks);
}

function snappyBlock(bytes: Buffer): Buffer {
  return bufferOn(uncompressSnappy(bytes));
}

function bufferOn({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
