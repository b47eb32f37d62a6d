import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** All chance of the demo: the same seed plays the same month. */
export class Chance {
  readonly #generator: ReturnType<typeof xoroshiro128plus>;

  constructor(seed: number) {
    this.#generator = xoroshiro128plus(seed);
  }

  /** A real number from 0 to below 1. */
  share(): number {
    return uniformFloat64(this.#generator);
  }

  /** An integer from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.share() * count);
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('there is nothing to pick from');
    return items[this.below(items.length)] as T;
  }

  /** Log-normal around 1: most are near it, a few far above. Box and Muller, 1958. */
  logNormal(sigma: number): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.share()));
    return Math.exp(sigma * radius * Math.cos(2 * Math.PI * this.share()));
  }

  /** The items in random order. Fisher and Yates. */
  shuffled<T>(items: readonly T[]): T[] {
    const order = [...items];
    for (let last = order.length - 1; last > 0; last -= 1) {
      const other = this.below(last + 1);
      [order[last], order[other]] = [order[other] as T, order[last] as T];
    }
    return order;
  }
}

/** Draws indexes, each as often as its weight says, in O(log n). Weights are above 0. */
export function weightedIndex(weights: readonly number[]): (chance: Chance) => number {
  let total = 0;
  const upTo = weights.map((weight) => {
    total += weight;
    return total;
  });
  return (chance) => {
    const drawn = chance.share() * total;
    let low = 0;
    let high = upTo.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] as number) <= drawn) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
