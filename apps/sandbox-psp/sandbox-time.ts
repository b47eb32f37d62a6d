import type { Clock } from '@annals/core';
import type { Storage } from './core/storage.ts';

/** The machine's time, and how far the sandbox was set ahead of it. Kept in the books: no kill sets it back. */
export class SandboxTime {
  readonly #clock: Clock;
  readonly #storage: Storage;
  #aheadMs: number;

  constructor(clock: Clock, storage: Storage) {
    this.#clock = clock;
    this.#storage = storage;
    this.#aheadMs = storage.setting('ahead_ms');
  }

  now(): number {
    return this.#clock.now() + this.#aheadMs;
  }

  /** Only forward: an earlier time changes nothing. */
  set(now: number): void {
    const aheadMs = now - this.#clock.now();
    if (aheadMs <= this.#aheadMs) return;
    this.#aheadMs = aheadMs;
    this.#storage.setSetting('ahead_ms', aheadMs);
  }
}
