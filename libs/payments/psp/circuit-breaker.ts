import type { Clock } from '@annals/core';
import type { PspAnswer, PspFound, SettlementFile } from './port.ts';

/** Leaves a provider alone that has stopped answering, and tries it again from time to time. */

export interface BreakerOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** The last so many calls count. */
  readonly windowCalls?: number;
  /** Fewer calls than this say nothing. */
  readonly callsMin?: number;
  /** The circuit opens when so many of a hundred calls came to nothing. */
  readonly failuresPercentMax?: number;
  /** How long it stays open before one call is let through to try. */
  readonly openMs?: number;
}

export const breakerDefaults = {
  windowCalls: 20,
  callsMin: 5,
  failuresPercentMax: 50,
  openMs: 30_000,
} as const;

/** `half-open`: one call is let through, and decides. */
export type CircuitState = 'closed' | 'open' | 'half-open';

type AnyAnswer = PspAnswer<unknown> | PspFound<unknown> | PspAnswer<SettlementFile>;

/** Whether an answer says that the provider is not well. A decline or a refusal for a reason is a good answer. */
export function isOutage(answer: AnyAnswer): boolean {
  if (answer.kind === 'unknown') return answer.reason !== 'in_flight' && !answer.replayed;
  return answer.kind === 'refused' && answer.reason === 'unreachable';
}

export class CircuitBreaker {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #options: Required<Omit<BreakerOptions, 'clock'>>;
  /** The last calls, true for an outage; the oldest first. */
  #calls: boolean[] = [];
  #openedAt: number | undefined;
  #probing = false;

  constructor({ clock, ...options }: BreakerOptions) {
    this.#clock = clock;
    this.#options = { ...breakerDefaults, ...options };
  }

  get state(): CircuitState {
    if (this.#openedAt === undefined) return 'closed';
    const waited = this.#clock.now() - this.#openedAt;
    // A clock that was set back must not leave it open for ever.
    return waited >= this.#options.openMs || waited < 0 ? 'half-open' : 'open';
  }

  /** Whether a call may be made now. Each call that was let through is told of by `observe`. */
  admit(): boolean {
    const { state } = this;
    if (state === 'closed') return true;
    if (state === 'open' || this.#probing) return false;
    this.#probing = true;
    return true;
  }

  observe(answer: AnyAnswer): void {
    const outage = isOutage(answer);
    if (this.#openedAt !== undefined) {
      this.#probing = false;
      this.#openedAt = outage ? this.#clock.now() : undefined;
      this.#calls = [];
      return;
    }
    const { windowCalls, callsMin, failuresPercentMax } = this.#options;
    this.#calls = [...this.#calls, outage].slice(-windowCalls);
    const failures = this.#calls.filter(Boolean).length;
    const enough = this.#calls.length >= callsMin;
    if (enough && failures * 100 >= this.#calls.length * failuresPercentMax) {
      this.#openedAt = this.#clock.now();
    }
  }

  /** A call that was let through and threw: nothing is known of the provider, and the next one may try. */
  forget(): void {
    this.#probing = false;
  }
}
