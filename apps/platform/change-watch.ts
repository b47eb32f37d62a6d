import type { Clock } from '@annals/core';

/** Between two looks while somebody listens. */
const lookMs = 100;

/**
 * Notices changes of something that does not tell of them: looks at it while somebody listens, however many
 * do, and calls them when what `look` says is another text than before. What cannot be looked at is not
 * taken for a change.
 */
export class ChangeWatch {
  readonly #look: () => Promise<string>;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  #looking = false;
  #seen: string | undefined;

  constructor(look: () => Promise<string>, clock: Clock) {
    this.#look = look;
    this.#clock = clock;
  }

  /** Gives the function that ends it. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (!this.#looking) void this.#run();
    return () => void this.#listeners.delete(listener);
  }

  /** Nobody is called any more. */
  close(): void {
    this.#stop.abort();
    this.#listeners.clear();
  }

  async #run(): Promise<void> {
    this.#looking = true;
    while (this.#listeners.size > 0) {
      const seen = await this.#look().catch(() => this.#seen);
      if (seen !== this.#seen) {
        this.#seen = seen;
        for (const listener of this.#listeners) listener();
      }
      await this.#clock.sleep(lookMs, this.#stop.signal);
    }
    this.#looking = false;
  }
}
