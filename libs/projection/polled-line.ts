import type { Clock } from '@annals/core';
import { type Checkpoint, coversAll } from '@annals/event-log';
import { ElapsedTime } from './elapsed-time.ts';
import { WaitingLine } from './waiting-line.ts';

export interface PolledLineOptions {
  readonly clock: Clock;
  /** What can be read now covers this; undefined when nothing can be read yet. */
  readonly look: () => Promise<Checkpoint | 'lost' | undefined>;
  readonly waitersMax: number;
  /** Between two looks, milliseconds; a quiet store is looked at less and less often. */
  readonly pollMsMin: number;
  readonly pollMsMax: number;
  /** Looks without a change after which the poller slows down by a millisecond. */
  readonly quietLooksInStep: number;
}

/** Those who wait for a checkpoint of a store that does not tell: one poller asks for all of them. */
export class PolledLine {
  readonly #options: PolledLineOptions;
  readonly #line = new WaitingLine();
  readonly #elapsed: ElapsedTime;
  #polling = false;
  #closed = false;

  constructor(options: PolledLineOptions) {
    this.#options = options;
    this.#elapsed = new ElapsedTime(options.clock);
  }

  /** Waits until what can be read covers `checkpoint`. An aborted wait is a `timeout`, and so is one too many. */
  async waitFor(
    checkpoint: Checkpoint,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<'reached' | 'timeout' | 'lost'> {
    const looked = await this.#options.look();
    if (looked === 'lost') return 'lost';
    if (looked !== undefined && coversAll(looked, checkpoint)) return 'reached';
    const isFull = this.#line.size >= this.#options.waitersMax;
    if (this.#closed || timeoutMs <= 0 || signal?.aborted || isFull) return 'timeout';
    const deadline = this.#elapsed.ms() + timeoutMs;
    const waited = this.#line.wait({ checkpoint, deadline }, looked ?? {}, signal);
    if (!this.#polling) void this.#poll();
    return waited;
  }

  /** Whoever waits is told `timeout`. */
  close(): void {
    this.#closed = true;
    this.#line.settleAll('timeout');
  }

  /** The one poller that serves all runs only while somebody waits. */
  async #poll(): Promise<void> {
    this.#polling = true;
    const { clock, look, pollMsMin, pollMsMax, quietLooksInStep } = this.#options;
    let seen = '';
    let quiet = 0;
    while (!this.#closed && this.#line.size > 0) {
      try {
        const looked = await look();
        if (looked === 'lost') this.#line.settleAll('lost');
        else if (looked) this.#line.advance(looked);
        const state = JSON.stringify(looked);
        quiet = state === seen ? quiet + 1 : 0;
        seen = state;
      } catch (error) {
        this.#line.failAll(error);
      }
      this.#line.expire(this.#elapsed.ms());
      await clock.sleep(Math.min(pollMsMax, pollMsMin + Math.floor(quiet / quietLooksInStep)));
    }
    this.#polling = false;
  }
}
