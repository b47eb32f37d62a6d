import type { Clock } from '@annals/core';
import type { VirtualClock } from '@annals/projection/testing';

/** What is slept at least this long is a look at whether something is to do, and not a part of doing it. */
const lookMs = 1_000;
/** After this much time whoever can take over from a process that was killed has done so. */
const handOverMs = 6_000;
/** So many times longer is waited between two looks once that is over. */
const slowness = 60;

/**
 * The clock of those who look once a second whether something is to do, for hours. It goes slower than the one it is
 * driven by when time passes in which nothing begins: who shares it agrees about time, as holders of leases must, and
 * looks less often. Work that is begun takes no longer for it.
 */
export class PacedClock implements Clock {
  readonly #clock: VirtualClock;
  #slowness = 1;
  #sinceMs: number;
  #baseMs: number;
  #hurry = new AbortController();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
    this.#sinceMs = this.#baseMs = clock.now();
  }

  now(): number {
    return this.#baseMs + (this.#clock.now() - this.#sinceMs) / this.#slowness;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms < lookMs || this.#slowness === 1) return this.#clock.sleep(ms, signal);
    const hurry = this.#hurry.signal;
    const woken = signal ? AbortSignal.any([signal, hurry]) : hurry;
    return this.#clock.sleep(ms * this.#slowness, woken);
  }

  /** Lets time pass on the clock this one is driven by: at first as fast, and then slower. */
  async pass(ms: number): Promise<void> {
    const first = Math.min(ms, handOverMs);
    await this.#clock.advance(first);
    if (ms === first) return;
    const before = this.#slowness;
    this.slowDown();
    await this.#clock.advance(ms - first);
    if (before !== 1) return;
    this.#turn(1);
    // Who would sleep for long now looks at once.
    this.#hurry.abort('hurry');
    this.#hurry = new AbortController();
  }

  /** From now on it goes slower: nothing is killed any more. */
  slowDown(): void {
    this.#turn(slowness);
  }

  #turn(slower: number): void {
    this.#baseMs = this.now();
    this.#sinceMs = this.#clock.now();
    this.#slowness = slower;
  }
}
