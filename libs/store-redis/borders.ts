import { hashOf } from './table-layout.ts';

/**
 * Where the places of one group are cut: the nth shard has the scores above the border before it, up to the
 * nth border; the last has the rest. Scores are as the sets sort them. A group that is not cut lies whole
 * in one shard: its borders are all at one end or the other.
 */
export type Borders = readonly number[];

/** A small group stays whole, in a shard that its key chooses, so that many of them are spread evenly. */
export function homeBorders(key: string, shards: number): Borders {
  const home = hashOf(key) % shards;
  return Array.from({ length: shards - 1 }, (_, n) => (n < home ? -Infinity : Infinity));
}

/** The shard of a score. */
export function rangeOf(borders: Borders, score: number): number {
  let low = 0;
  let high = borders.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (score > (borders[middle] as number)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The border before a shard: its scores are above it. */
export function lowOf(borders: Borders, shard: number): number {
  return shard === 0 ? -Infinity : (borders[shard - 1] as number);
}

export function highOf(borders: Borders, shard: number): number {
  return borders[shard] ?? Infinity;
}

/** As Redis writes the bounds of scores. */
export function scoreText(score: number): string {
  if (score === Infinity) return '+inf';
  return score === -Infinity ? '-inf' : String(score);
}

export function writeBorders(borders: Borders): string {
  return borders.map(scoreText).join(',');
}

/** Throws for what `writeBorders` did not write for as many shards. */
export function readBorders(text: string, shards: number): Borders {
  const borders = text.split(',').map((one) => {
    if (one === '+inf') return Infinity;
    return one === '-inf' ? -Infinity : Number(one);
  });
  const isSorted = borders.every((border, n) => n === 0 || border >= (borders[n - 1] as number));
  if (borders.length === shards - 1 && isSorted) return borders;
  throw new Error(`the store holds no borders of ${shards} shards: ${text}`);
}

/** Cuts scores of which these are a sample into as many in each shard. */
export function bordersOfSample(sample: readonly number[], shards: number): Borders {
  const sorted = sample.toSorted((a, b) => a - b);
  return Array.from({ length: shards - 1 }, (_, n) => {
    const at = Math.ceil(((n + 1) * sorted.length) / shards) - 1;
    return sorted[Math.max(0, at)] ?? Infinity;
  });
}

/** A border that should move: some places of one shard belong into its neighbour. */
export interface BorderShift {
  readonly border: number;
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/**
 * The border that lies furthest from where it would leave as many on either side as its place says, if that is
 * further than `slack` of a shard's fair part. Undefined where all are near enough.
 */
export function furthestBorder(sizes: readonly number[], slack: number): BorderShift | undefined {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const fair = total / sizes.length;
  let furthest: BorderShift | undefined;
  let before = 0;
  for (let border = 0; border < sizes.length - 1; border += 1) {
    before += sizes[border] as number;
    const excess = before - fair * (border + 1);
    const [from, to] = excess > 0 ? [border, border + 1] : [border + 1, border];
    const count = Math.min(Math.floor(Math.abs(excess)), sizes[from] as number);
    if (Math.abs(excess) <= fair * slack || count === 0) continue;
    if (count > (furthest?.count ?? 0)) furthest = { border, from, to, count };
  }
  return furthest;
}

/** Borders of groups as one version has them, for whoever asks again. */
export class KeptBorders {
  /** As the states of the shards have it; empty before the first. */
  #version = '';
  readonly #byKey = new Map<string, Borders>();

  get version(): string {
    return this.#version;
  }

  get(key: string): Borders | undefined {
    return this.#byKey.get(key);
  }

  put(version: string, key: string, borders: Borders): void {
    this.seen(version);
    if (this.#byKey.size >= keptMax) this.#byKey.clear();
    this.#byKey.set(key, borders);
  }

  /** Forgets those of another version. */
  seen(version: string): void {
    if (version === this.#version) return;
    this.#version = version;
    this.#byKey.clear();
  }
}

const keptMax = 10_000;
