interface Waiter {
  readonly revision: number;
  readonly resolve: (value: true) => void;
  readonly reject: (error: Error) => void;
}

/** Who waits for an event of a stream to come into the index. */
export class Arrivals {
  readonly #waiters = new Map<string, Set<Waiter>>();

  wait(stream: string, revision: number): Promise<true> {
    const { promise, resolve, reject } = Promise.withResolvers<true>();
    // Whoever has given up waiting does not hear of a failure.
    promise.catch(() => undefined);
    const waiters = this.#waiters.get(stream) ?? new Set();
    waiters.add({ revision, resolve, reject });
    this.#waiters.set(stream, waiters);
    return promise;
  }

  arrived(events: readonly (readonly [stream: string, revision: number])[]): void {
    if (this.#waiters.size === 0) return;
    for (const [stream, revision] of events) {
      const waiters = this.#waiters.get(stream);
      if (!waiters) continue;
      for (const waiter of waiters) {
        if (waiter.revision > revision) continue;
        waiter.resolve(true);
        waiters.delete(waiter);
      }
      if (waiters.size === 0) this.#waiters.delete(stream);
    }
  }

  /** Nothing arrives any more. */
  fail(error: Error): void {
    for (const waiters of this.#waiters.values()) {
      for (const { reject } of waiters) reject(error);
    }
    this.#waiters.clear();
  }
}
