import { describe, expect, it } from 'vitest';
import { clusterViewOf } from './metadata.ts';

/** An answer to a Metadata request, version 1, of two brokers, one of them without a rack. */
const body = Buffer.concat([
  int32(1),
  int32(2),
  ...[int32(1), text('127.0.0.1'), int32(20_001), int16(-1)],
  ...[int32(2), text('localhost'), int32(20_002), text('rack-a')],
  int32(2),
  int32(0),
]);
const answer = Buffer.concat([int32(body.length), body]);

describe('what a broker says of its cluster', () => {
  it('is how many brokers there are, and which one is the controller', () => {
    expect(clusterViewOf(answer)).toEqual({ brokers: 2, controller: 2 });
  });

  it('is nothing while a byte of it is missing', () => {
    for (let bytes = 0; bytes < answer.length; bytes += 1) {
      expect(clusterViewOf(answer.subarray(0, bytes))).toBeUndefined();
    }
  });
});

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([int16(value.length), Buffer.from(value)]);
}
