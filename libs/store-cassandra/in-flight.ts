import { storeError } from './errors.ts';

/** Lets a bounded number run at once, in the order they come; the others wait. */
export class InFlight {
  readonly #max: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #next = 0;

  constructor(max: number, waitingMax: number) {
    this.#max = max;
    this.#waitingMax = waitingMax;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#max) await this.#turn();
    else this.#running += 1;
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length - this.#next >= this.#waitingMax) {
      throw storeError('overloaded', `${this.#waitingMax} wait`);
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Whoever leaves gives his place to the first in the line. */
  #leave(): void {
    const first = this.#waiting[this.#next];
    if (!first) {
      this.#running -= 1;
      return;
    }
    this.#next += 1;
    // The line is cut from time to time, not at every turn: shifting a long one is slow.
    if (this.#next === this.#waiting.length || this.#next >= 10_000) {
      this.#waiting.splice(0, this.#next);
      this.#next = 0;
    }
    first();
  }
}

/** Maps with a bounded number of calls at once; the first failure ends it. Results in the order of the items. */
export async function mapBounded<T, R>(
  items: readonly T[],
  max: number,
  map: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const runner = async () => {
    while (next < items.length) {
      const index = next;
      next += 1;
      results[index] = await map(items[index] as T, index);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(max, items.length) }, runner));
  } catch (error) {
    next = items.length;
    throw error;
  }
  return results;
}
