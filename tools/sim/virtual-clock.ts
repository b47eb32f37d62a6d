import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '@annals/core';

interface Sleeper {
  readonly wakeAt: number;
  readonly order: number;
  readonly wake: () => void;
}

/**
 * Time that passes only when the simulation says so. Sleepers wake in the order of their times; after
 * each, everything it set going runs until only sleepers are left.
 *
 * `now()` may jump; how long a sleep lasts does not depend on it.
 */
export class VirtualClock implements Clock {
  #elapsedMs = 0;
  #offsetMs: number;
  #orders = 0;
  readonly #sleepers = new Set<Sleeper>();

  constructor(start: number) {
    this.#offsetMs = start;
  }

  now(): number {
    return this.#offsetMs + this.#elapsedMs;
  }

  /** Sets the clock of the machine forward or back. */
  jump(ms: number): void {
    this.#offsetMs += ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const order = this.#orders++;
      const sleeper = {
        wakeAt: this.#elapsedMs + Math.max(0, ms),
        order,
        wake: () => {
          signal?.removeEventListener('abort', sleeper.wake);
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      signal?.addEventListener('abort', sleeper.wake, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /** Lets `ms` pass, waking whoever is due on the way. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsedMs + ms;
    await settle();
    for (let next = this.#nextDue(end); next; next = this.#nextDue(end)) {
      this.#elapsedMs = Math.max(this.#elapsedMs, next.wakeAt);
      next.wake();
      await settle();
    }
    this.#elapsedMs = end;
  }

  #nextDue(end: number): Sleeper | undefined {
    let due: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      const { wakeAt, order } = sleeper;
      if (wakeAt > end) continue;
      if (!due || wakeAt < due.wakeAt || (wakeAt === due.wakeAt && order < due.order))
        due = sleeper;
    }
    return due;
  }
}

/** Everything in the twins is made of microtasks: they have all run when a turn of the event loop is over. */
export async function settle(): Promise<void> {
  await turn();
}
