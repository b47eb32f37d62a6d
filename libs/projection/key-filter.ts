const bits = 1 << 24;

/**
 * Remembers keys in 2 MB whatever their number: says "surely not added" or "maybe" (a Bloom filter
 * with one hash; at a million keys it is wrongly "maybe" for about 6 %).
 */
export class KeyFilter {
  #words: Uint32Array | undefined;

  /** By a hash of 32 bits, of which all tell keys apart. */
  add(hash: number): void {
    this.#words ??= new Uint32Array(bits / 32);
    const bit = bitOf(hash);
    this.#words[bit >>> 5] = (this.#words[bit >>> 5] as number) | (1 << (bit & 31));
  }

  mayHold(hash: number): boolean {
    if (!this.#words) return false;
    const bit = bitOf(hash);
    return ((this.#words[bit >>> 5] as number) & (1 << (bit & 31))) !== 0;
  }

  clear(): void {
    this.#words = undefined;
  }
}

function bitOf(hash: number): number {
  return (hash ^ (hash >>> 24)) & (bits - 1);
}

/** A hash of 32 bits, signed, of a cell behind what `seed` is the hash of. */
export function cellHash(cell: string | number | null, seed: number): number {
  if (typeof cell === 'string') return textHash(cell, seed) | 0;
  const value = cell ?? 0;
  const low = Math.imul(seed ^ (value | 0), 0x01000193);
  return Math.imul(low ^ Math.floor(value / 2 ** 32), 0x01000193);
}

/** FNV-1a over UTF-16 code units, 32 bits: fast, and the same on every machine. */
export function textHash(text: string, seed = 0x811c9dc5): number {
  let hash = seed;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
