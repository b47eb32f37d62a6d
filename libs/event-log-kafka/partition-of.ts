/**
 * The partition a stream lives in: FNV-1a (draft-eastlake-fnv-17 §2) over its UTF-8 bytes. Part of what
 * is stored, for ever: another function would give a stream a second home.
 */
export function partitionOf(stream: string | Uint8Array, partitions: number): number {
  const bytes = typeof stream === 'string' ? Buffer.from(stream) : stream;
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  // The lowest bits of FNV-1a are its weakest: the upper half is folded in before the remainder.
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions;
}
