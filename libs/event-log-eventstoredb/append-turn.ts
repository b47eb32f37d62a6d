import type { AppendResult, PassingRefusal } from '@annals/event-log/port';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';

/**
 * One append, from its call to its answer. It has so much time in all, whatever it spends it on, and nothing of it is
 * sent after its answer.
 */
export class AppendTurn {
  readonly #endsAt = performance.now() + limits.appendMsMax;
  readonly #isServed: () => boolean;
  #doubt: string | undefined;
  #isOver = false;

  /** `isServed`: whether the server takes appends of this process. */
  constructor(isServed: () => boolean) {
    this.#isServed = isServed;
  }

  get msLeft(): number {
    return Math.max(this.#endsAt - performance.now(), 0);
  }

  get isOver(): boolean {
    return this.#isOver || this.msLeft === 0;
  }

  /** From here on it may be stored: said before it goes to the server. */
  mayBeStored(detail: string): void {
    this.#doubt = detail;
  }

  /** The server has said that nothing of it is stored, nor will be. */
  isNotStored(): void {
    this.#doubt = undefined;
  }

  /** What is to be said when nothing more is done for it, because others are in its way, or the server. */
  unanswered(
    detail: string,
    reason: PassingRefusal = this.#isServed() ? 'overloaded' : 'unreachable',
  ): AppendResult {
    this.#isOver = true;
    return this.#doubt === undefined
      ? { kind: 'refused', reason, detail: `${detail}: nothing was stored` }
      : { kind: 'unknown', detail: this.#doubt };
  }

  late(): AppendResult {
    return this.unanswered(`it could not be sent within ${limits.appendMsMax} ms`);
  }
}
