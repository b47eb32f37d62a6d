/** Takes what an engine's client has to say. */
export type TellReport = (level: 'error' | 'warn' | 'info', message: string) => void;

const heldReportsMax = 100;

/** What a client reports while it tries to connect is told when it has: else the error that it throws says it all. */
export class HeldReports {
  readonly #tell: TellReport | undefined;
  readonly #held: Parameters<TellReport>[] = [];
  #isHolding = true;

  constructor(tell: TellReport | undefined) {
    this.#tell = tell;
  }

  readonly report: TellReport = (...report) => {
    if (!this.#isHolding) this.#tell?.(...report);
    else if (this.#held.length < heldReportsMax) this.#held.push(report);
  };

  release(): void {
    this.#isHolding = false;
    for (const report of this.#held) this.#tell?.(...report);
  }
}
