import type { Cell } from '@annals/projection';

const placesMin = 1 << 12;

/**
 * The newest sequence under which each key was put aside: 24 bytes a key in flat arrays, which the
 * garbage collector has nothing to do with. Keys are told apart by 64 bits of hash, so whoever finds
 * a sequence compares the key of the row that is there.
 */
export class StagedIndex {
  #places = placesMin;
  #high = new Uint32Array(placesMin);
  #low = new Uint32Array(placesMin);
  /** 0 where a place is free. */
  #sequences = new Uint32Array(placesMin);
  #size = 0;

  set(key: readonly Cell[], sequence: number): void {
    if (this.#size * 2 >= this.#places) this.#grow();
    hashKey(key);
    this.#put(hashed.high, hashed.low, sequence);
  }

  /** 0 when nothing was put aside for this key. */
  get(key: readonly Cell[]): number {
    hashKey(key);
    return this.#sequences[this.#placeOf(hashed.high, hashed.low)] as number;
  }

  clear(): void {
    this.#allocate(placesMin);
  }

  #put(high: number, low: number, sequence: number): void {
    const place = this.#placeOf(high, low);
    if (this.#sequences[place] === 0) {
      this.#high[place] = high;
      this.#low[place] = low;
      this.#size += 1;
    }
    this.#sequences[place] = sequence;
  }

  /** Where these bits are, or the free place where they would go: half of all places are free. */
  #placeOf(high: number, low: number): number {
    const mask = this.#places - 1;
    for (let place = low & mask; ; place = (place + 1) & mask) {
      if (this.#sequences[place] === 0) return place;
      if (this.#high[place] === high && this.#low[place] === low) return place;
    }
  }

  #grow(): void {
    const [places, highs, lows] = [this.#places, this.#high, this.#low];
    const sequences = this.#sequences;
    this.#allocate(places * 2);
    for (let place = 0; place < places; place += 1) {
      const sequence = sequences[place] as number;
      if (sequence > 0) this.#put(highs[place] as number, lows[place] as number, sequence);
    }
  }

  #allocate(places: number): void {
    this.#places = places;
    this.#high = new Uint32Array(places);
    this.#low = new Uint32Array(places);
    this.#sequences = new Uint32Array(places);
    this.#size = 0;
  }
}

/** What `hashKey` found: two halves, kept here so that nothing is allocated for each key. */
const hashed = { high: 0, low: 0 };

/** Two 32-bit hashes of different multipliers side by side, mixed at the end. */
function hashKey(key: readonly Cell[]): void {
  let high = 0x9e3779b9;
  let low = 0x7f4a7c15;
  for (const cell of key) {
    if (typeof cell === 'string') {
      for (let n = 0; n < cell.length; n += 1) {
        const unit = cell.charCodeAt(n);
        high = Math.imul(high ^ unit, 0x85ebca6b);
        low = Math.imul(low ^ unit, 0xc2b2ae35);
      }
    } else if (typeof cell === 'number') {
      const upper = Math.floor(cell / 2 ** 32);
      high = Math.imul(Math.imul(high ^ cell, 0x85ebca6b) ^ upper, 0x27d4eb2f);
      low = Math.imul(Math.imul(low ^ upper, 0xc2b2ae35) ^ cell, 0x165667b1);
    } else {
      for (const byte of cell ?? []) {
        high = Math.imul(high ^ byte, 0x85ebca6b);
        low = Math.imul(low ^ byte, 0xc2b2ae35);
      }
    }
    // Ends the cell, so that cells do not run into each other.
    high = Math.imul(high ^ (high >>> 15), 0x2c1b3c6d);
    low = Math.imul(low ^ (low >>> 13), 0x297a2d39);
  }
  high = Math.imul(high ^ (high >>> 16) ^ low, 0x85ebca6b);
  low = Math.imul(low ^ (low >>> 15) ^ high, 0xc2b2ae35);
  hashed.high = (high ^ (high >>> 13)) >>> 0;
  hashed.low = (low ^ (low >>> 16)) >>> 0;
}
