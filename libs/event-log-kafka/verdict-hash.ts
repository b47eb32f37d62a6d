/**
 * The running hash of all verdicts of one partition: two processes that judged one record differently
 * never agree again, whatever comes after. It finds differences between honest programs, so it is two
 * lanes of 32 bits (mixed as MurmurHash3 does) and no cryptography: it is computed for each record.
 */
export interface VerdictHash {
  readonly high: number;
  readonly low: number;
}

export const noVerdicts: VerdictHash = { high: 0, low: 0 };

export function sameHash(a: VerdictHash, b: VerdictHash): boolean {
  return a.high === b.high && a.low === b.low;
}

/** `hash` with the verdict on the record at `offset`: its kind, and the numbers that belong to it. */
export function foldVerdict(
  hash: VerdictHash,
  offset: number,
  kind: number,
  revision: number,
  stamp: number,
): VerdictHash {
  let high = hash.high;
  let low = hash.low;
  const mix = (word: number) => {
    low = Math.imul(low ^ word, 0x85ebca6b);
    low ^= low >>> 13;
    high = Math.imul(high ^ low ^ ((word << 16) | (word >>> 16)), 0xc2b2ae35);
    high ^= high >>> 16;
  };
  mix(offset >>> 0);
  mix(Math.floor(offset / 0x1_0000_0000));
  mix(kind);
  mix(revision >>> 0);
  mix(stamp >>> 0);
  mix(Math.floor(stamp / 0x1_0000_0000));
  return { high: high >>> 0, low: low >>> 0 };
}

export function verdictHashText({ high, low }: VerdictHash): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
