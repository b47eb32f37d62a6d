import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '@annals/core';

interface Sleeper {
  readonly wakeAt: number;
  readonly wake: () => void;
}

/**
 * Time that passes only when a test says so. Sleepers wake in the order of their times, and of their
 * calls; after each, everything it set going runs until only sleepers are left. The twins are made of
 * microtasks, so the same calls give the same run.
 */
export class VirtualClock implements Clock {
  #elapsedMs = 0;
  #offsetMs: number;
  #sleepers: Sleeper[] = [];

  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#offsetMs = start;
  }

  now(): number {
    return this.#offsetMs + this.#elapsedMs;
  }

  /** How much time has passed since the beginning, whatever the clock was set to. */
  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** Sets the clock of the machine forward or back; how long sleeps last does not depend on it. */
  jump(ms: number): void {
    this.#offsetMs += ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
        resolve();
      };
      const sleeper = { wakeAt: this.#elapsedMs + Math.max(0, ms), wake };
      signal?.addEventListener('abort', wake, { once: true });
      const place = this.#sleepers.findIndex((one) => one.wakeAt > sleeper.wakeAt);
      this.#sleepers.splice(place < 0 ? this.#sleepers.length : place, 0, sleeper);
    });
  }

  /** Lets `ms` pass, waking whoever is due on the way. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsedMs + ms;
    await turn();
    for (let next = this.#sleepers[0]; next && next.wakeAt <= end; next = this.#sleepers[0]) {
      this.#elapsedMs = Math.max(this.#elapsedMs, next.wakeAt);
      next.wake();
      await turn();
    }
    this.#elapsedMs = end;
  }

  /** Lets time pass until `promise` has settled, and returns what it came to. Throws after `limitMs`. */
  async until<T>(promise: Promise<T>, limitMs = 600_000): Promise<T> {
    let settled = false;
    const settle = () => {
      settled = true;
    };
    promise.then(settle, settle);
    await turn();
    for (let passed = 0; !settled; passed += 10) {
      if (passed > limitMs) throw new Error(`nothing came of it within ${limitMs} virtual ms`);
      await this.advance(10);
    }
    return promise;
  }
}
