import type { Clock } from '@annals/core';
import { type Checkpoint, coversAll } from '@annals/event-log';
import { ElapsedTime } from './elapsed-time.ts';
import { WaitingLine } from './waiting-line.ts';

export interface PolledLineOptions {
  readonly clock: Clock;
  /** What can be read now covers this; undefined when nothing can be read yet. */
  readonly look: () => Promise<Looked>;
  readonly waitersMax: number;
  /** Between two looks, milliseconds; a quiet store is looked at less and less often. */
  readonly pollMsMin: number;
  readonly pollMsMax: number;
  /** Looks without a change after which the poller slows down by a millisecond. */
  readonly quietLooksInStep: number;
}

type Looked = Checkpoint | 'lost' | undefined;

/** A look that has not been answered yet. */
interface UnderWay {
  readonly isWaitedFor: () => boolean;
  readonly letGo: () => void;
}

/** How soon after its limit somebody is let go whom a store that hangs would keep. */
const sliceMs = 50;
/** So long may the look take that tells somebody what is there who does not want to wait. */
const askingMsMax = 1_000;

/** Those who wait for a checkpoint of a store that does not tell: one poller asks for all of them. */
export class PolledLine {
  readonly #options: PolledLineOptions;
  readonly #line = new WaitingLine();
  readonly #elapsed: ElapsedTime;
  readonly #looks = new Set<UnderWay>();
  #polling = false;
  #slicing = false;
  #closed = false;

  constructor(options: PolledLineOptions) {
    this.#options = options;
    this.#elapsed = new ElapsedTime(options.clock);
  }

  /**
   * Waits until what can be read covers `checkpoint`, and not longer, whatever the store does. An aborted wait is a
   * `timeout`, and so is one too many.
   */
  async waitFor(
    checkpoint: Checkpoint,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<'reached' | 'timeout' | 'lost'> {
    const begun = this.#elapsed.ms();
    const deadline = begun + timeoutMs;
    const lookedUntil = timeoutMs > 0 ? deadline : begun + askingMsMax;
    const isGivenUp = () => this.#closed || signal?.aborted === true;
    const looked = await this.#look(() => !isGivenUp() && this.#elapsed.ms() < lookedUntil);
    if (looked === 'hangs') return 'timeout';
    if (looked === 'lost') return 'lost';
    if (looked !== undefined && coversAll(looked, checkpoint)) return 'reached';
    const isFull = this.#line.size >= this.#options.waitersMax;
    if (isGivenUp() || isFull || deadline <= this.#elapsed.ms()) return 'timeout';
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
    const { clock, pollMsMin, pollMsMax, quietLooksInStep } = this.#options;
    let seen = '';
    let quiet = 0;
    while (!this.#closed && this.#line.size > 0) {
      try {
        const looked = await this.#look(() => {
          this.#line.expire(this.#elapsed.ms());
          return !this.#closed && this.#line.size > 0;
        });
        if (looked === 'hangs') break;
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

  /** What a look finds; `hangs` soon after nobody waits for it any more. */
  #look(isWaitedFor: () => boolean): Promise<Looked | 'hangs'> {
    return new Promise((resolve, reject) => {
      const looking = this.#options.look();
      const look = { isWaitedFor, letGo: () => resolve('hangs') };
      this.#looks.add(look);
      // What comes of a look that was let go is told to nobody.
      looking.then(
        (looked) => {
          this.#looks.delete(look);
          resolve(looked);
        },
        (error: unknown) => {
          this.#looks.delete(look);
          reject(error);
        },
      );
      if (!this.#slicing) void this.#slice();
    });
  }

  /** The one timer of all looks under way: one for each would cost more than most looks do. */
  async #slice(): Promise<void> {
    this.#slicing = true;
    while (this.#looks.size > 0) {
      await this.#options.clock.sleep(sliceMs);
      for (const look of this.#looks) {
        if (look.isWaitedFor()) continue;
        this.#looks.delete(look);
        look.letGo();
      }
    }
    this.#slicing = false;
  }
}
