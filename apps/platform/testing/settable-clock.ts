import { type Clock, systemClock } from '@annals/core';

/** A clock that runs as fast as the system's, from whatever time it was set to. */
export class SettableClock implements Clock {
  #ahead = 0;

  constructor(time: string) {
    this.set(time);
  }

  set(time: string): void {
    this.#ahead = Date.parse(time) - systemClock.now();
  }

  now(): number {
    return systemClock.now() + this.#ahead;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal);
  }
}
