const bits = 1 << 24;

/**
 * Remembers keys in 2 MB whatever their number: says "surely not added" or "maybe" (a Bloom filter
 * with one hash; at a million keys it is wrongly "maybe" for about 6 %).
 */
export class KeyFilter {
  #words: Uint32Array | undefined;

  add(table: string, text: string): void {
    this.#words ??= new Uint32Array(bits / 32);
    const bit = bitOf(table, text);
    this.#words[bit >>> 5] = (this.#words[bit >>> 5] as number) | (1 << (bit & 31));
  }

  mayHold(table: string, text: string): boolean {
    if (!this.#words) return false;
    const bit = bitOf(table, text);
    return ((this.#words[bit >>> 5] as number) & (1 << (bit & 31))) !== 0;
  }

  clear(): void {
    this.#words = undefined;
  }
}

function bitOf(table: string, text: string): number {
  const hash = textHash(text, textHash(table));
  return (hash ^ (hash >>> 24)) & (bits - 1);
}

/** FNV-1a over UTF-16 code units, 32 bits: fast, and the same on every machine. */
export function textHash(text: string, seed = 0x811c9dc5): number {
  let hash = seed;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
