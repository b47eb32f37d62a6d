/** Poll interval just after something happened, and the one it grows to while nothing does. */
const pollMsMin = 1;
const pollMsMax = 20;
/** Growth of the interval with each poll that finds nothing. */
const pollGrowth = 1.25;

interface Waiter {
  readonly seen: number;
  wake(): void;
}

/**
 * Tells readers that the log has grown. Appends of this process wake them at once; those of other
 * processes are found by asking for the head, one cheap query for all who wait. Nothing is polled,
 * and no timer runs, while nobody waits.
 */
export class HeadWatch {
  readonly #head: () => number;
  readonly #waiters = new Set<Waiter>();
  #timer: NodeJS.Timeout | undefined;
  #wakes = 0;
  #pollMs = pollMsMin;

  constructor(head: () => number) {
    this.#head = head;
  }

  /** How often `wakeAll` was called. */
  get wakes(): number {
    return this.#wakes;
  }

  /**
   * Resolves once the head may be beyond `seen`, and when `signal` is aborted or `wakeAll` called, be it since there were
   * `wakes` of it.
   */
  wait(seen: number, signal: AbortSignal | undefined, wakes = this.#wakes): Promise<void> {
    if (wakes !== this.#wakes || signal?.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = {
      seen,
      wake: () => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', waiter.wake);
        if (this.#waiters.size === 0) this.#stop();
        resolve();
      },
    };
    signal?.addEventListener('abort', waiter.wake);
    this.#waiters.add(waiter);
    this.#timer ??= setTimeout(() => this.#poll(), this.#pollMs);
    return promise;
  }

  /** Something was stored here, or the log is being closed: whoever waits looks now. */
  wakeAll(): void {
    this.#wakes += 1;
    this.#pollMs = pollMsMin;
    for (const waiter of [...this.#waiters]) waiter.wake();
  }

  #poll(): void {
    this.#timer = undefined;
    let head = Number.POSITIVE_INFINITY;
    try {
      head = this.#head();
    } catch {
      // Those who wait meet the same error when they read, and can tell their callers.
    }
    let grown = false;
    for (const waiter of [...this.#waiters]) {
      if (waiter.seen >= head) continue;
      grown = true;
      waiter.wake();
    }
    this.#pollMs = grown ? pollMsMin : Math.min(pollMsMax, this.#pollMs * pollGrowth);
    if (this.#waiters.size > 0) this.#timer ??= setTimeout(() => this.#poll(), this.#pollMs);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
