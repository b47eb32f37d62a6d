import type { Clock } from '@annals/core';

/** A longer step of the clock is a jump, not time that passed. */
const clockStepMsMax = 1_000;

/** Time that only goes forward, whatever the clock does; as long as it is asked about once a second. */
export class ElapsedTime {
  readonly #clock: Pick<Clock, 'now'>;
  #lastNow: number | undefined;
  #elapsed = 0;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** Milliseconds since it was asked first. */
  ms(): number {
    const now = this.#clock.now();
    const step = now - (this.#lastNow ?? now);
    this.#lastNow = now;
    if (step > 0) this.#elapsed += Math.min(step, clockStepMsMax);
    return this.#elapsed;
  }
}
