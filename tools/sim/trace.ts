import { createHash } from 'node:crypto';

/** What happened, in order: the same seed gives the same trace, byte for byte. */
export class Trace {
  readonly #hash = createHash('sha256');
  readonly #kept: string[] = [];
  readonly #keptMax: number;
  #lines = 0;

  /** Keeps the last `keptMax` lines to show when something breaks; hashes all. */
  constructor(keptMax: number) {
    this.#keptMax = keptMax;
  }

  say(line: string): void {
    this.#lines += 1;
    this.#hash.update(`${line}\n`);
    this.#kept.push(line);
    if (this.#kept.length > this.#keptMax) this.#kept.shift();
  }

  get lines(): number {
    return this.#lines;
  }

  get kept(): readonly string[] {
    return this.#kept;
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}

/** A promise of the product that does not hold. */
export class InvariantError extends Error {
  readonly invariant: string;
  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`);
    this.name = 'InvariantError';
    this.invariant = invariant;
  }
}
