import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';

/**
 * Places for calls on the client's one stream of appends. A call that was given up still stands in that stream, until the
 * client says what became of it; where the stream broke it may never say so. So it keeps its place until then, or until a later call is
 * answered, which that stream has then come through. A few more are sent meanwhile, to find that out.
 */
export class WirePlaces {
  /** In the order they were sent; true: given up. */
  readonly #calls = new Map<number, boolean>();
  readonly #waiting: ((call: number) => void)[] = [];
  #lastCall = 0;

  /** Runs `send` when it has a place. It says when the client has answered; undefined: nothing was sent. */
  async run<T>(send: (answered: () => void) => Promise<T> | undefined): Promise<T | undefined> {
    const call = this.#hasRoom() ? this.#take() : await this.#turn();
    const sent = send(() => this.#answered(call));
    if (!sent) {
      this.#calls.delete(call);
      this.#handOn();
      return undefined;
    }
    try {
      return await sent;
    } finally {
      this.#left(call);
    }
  }

  #turn(): Promise<number> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #take(): number {
    this.#lastCall += 1;
    this.#calls.set(this.#lastCall, false);
    return this.#lastCall;
  }

  #hasRoom(): boolean {
    let underWay = 0;
    for (const isGivenUp of this.#calls.values()) if (!isGivenUp) underWay += 1;
    return underWay < limits.appendsInFlightMax && this.#calls.size < limits.appendsOnTheWireMax;
  }

  #answered(call: number): void {
    for (const [earlier, isGivenUp] of this.#calls) {
      if (earlier <= call && (isGivenUp || earlier === call)) this.#calls.delete(earlier);
    }
    this.#handOn();
  }

  /** Nobody waits for it any more. */
  #left(call: number): void {
    if (!this.#calls.has(call)) return;
    this.#calls.set(call, true);
    setTimeout(() => {
      if (this.#calls.delete(call)) this.#handOn();
    }, limits.givenUpMsMax).unref();
    this.#handOn();
  }

  /** A place is handed on, so that nobody who comes just now takes it first. */
  #handOn(): void {
    while (this.#waiting.length > 0 && this.#hasRoom()) this.#waiting.shift()?.(this.#take());
  }
}
