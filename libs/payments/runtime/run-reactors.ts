import { type Clock, newId, type SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { type Reactor, reactorStream, runReactor } from '@annals/projection';
import { isUntouched } from './begin-reactors.ts';

/**
 * Keeps reactors running: starts one again that failed, leaves the work to another process that does it, and waits
 * for a person where a reactor refuses. That of two processes only one does the work is for the reactors' streams
 * to decide; here it is only avoided that both try.
 */
export interface RunReactorsOptions {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly reactors: readonly Reactor[];
  /** Whether this process should do the work now: a lease, or whatever stands for one. Asked again and again. */
  readonly mayWork?: () => boolean;
  readonly random?: () => number;
  readonly onTrouble: (reactor: string, detail: string) => void;
}

export const runReactorsLimits = {
  /** Between two looks at whether this process may work. */
  leaseMs: 250,
  /** After a failure, doubled with each further one. */
  retryMsMin: 500,
  retryMsMax: 60_000,
  /** Between two tries of a reactor that refuses: somebody may have told it where to begin. */
  refusedMs: 5_000,
  /** For so long the reactor's stream has to stand still before this process takes over from another one. */
  standbyMs: 30_000,
  /** The same where a lease says that the other one should have stopped. */
  standbyWithLeaseMs: 2_000,
} as const;

/**
 * `running`; `waiting` until this process may work; `standby` while another process does the work; `refused` until a
 * person says where to begin; `failing` until it is tried again.
 */
export type ReactorState = 'running' | 'waiting' | 'standby' | 'refused' | 'failing' | 'stopped';

export interface ReactorStatus {
  readonly reactor: string;
  readonly state: ReactorState;
  /** What the state is due to; undefined while all is well. */
  readonly detail: string | undefined;
  /** Attempts that did not settle, and failures, since the start of this process. */
  readonly troubles: number;
}

export interface RunningReactors {
  status(): readonly ReactorStatus[];
  /** Whether this process does the work now. */
  isWorking(): boolean;
  /** Settles when all have come to rest after the signal was aborted. Never rejects. */
  readonly done: Promise<void>;
}

export function runReactors(options: RunReactorsOptions): RunningReactors {
  const kept = options.reactors.map((reactor) => new KeptReactor(options, reactor));
  return {
    status: () => kept.map((one) => one.status()),
    isWorking: () => kept.every((one) => one.status().state === 'running'),
    done: Promise.all(kept.map((one) => one.keep())).then(() => undefined),
  };
}

class KeptReactor {
  readonly #options: RunReactorsOptions;
  readonly #reactor: Reactor;
  #state: ReactorState = 'waiting';
  #detail: string | undefined;
  #troubles = 0;
  #failures = 0;
  #refusal: string | undefined;

  constructor(options: RunReactorsOptions, reactor: Reactor) {
    this.#options = options;
    this.#reactor = reactor;
  }

  status(): ReactorStatus {
    const { name: reactor } = this.#reactor;
    return { reactor, state: this.#state, detail: this.#detail, troubles: this.#troubles };
  }

  async keep(): Promise<void> {
    const { signal, clock } = this.#options;
    while (!signal.aborted) {
      if (!this.#mayWork()) {
        this.#set('waiting');
        await clock.sleep(runReactorsLimits.leaseMs, signal);
        continue;
      }
      await this.#runOnce().catch((error: unknown) => this.#failed(error));
    }
    this.#set('stopped');
  }

  #mayWork(): boolean {
    return this.#options.mayWork?.() ?? true;
  }

  async #runOnce(): Promise<void> {
    const { log, cipher, clock, random, signal } = this.#options;
    const over = new AbortController();
    const watching = this.#watchLease(over);
    try {
      const from = await this.#from();
      this.#set('running');
      const ended = await runReactor({
        ...{ log, cipher, clock, reactor: this.#reactor, runId: newId() },
        signal: AbortSignal.any([signal, over.signal]),
        onTrouble: ({ effectId, reason }) => this.#tell(`effect ${effectId}: ${reason}`),
        ...(from === undefined ? {} : { from }),
        ...(random ? { random } : {}),
      });
      this.#failures = 0;
      if (ended.kind === 'superseded') await this.#standBy();
      if (ended.kind === 'refused') await this.#refused(ended.detail);
    } finally {
      over.abort();
      await watching;
    }
  }

  /** Ends the run when another process is to do the work. */
  async #watchLease(over: AbortController): Promise<void> {
    const { clock, signal } = this.#options;
    const stop = AbortSignal.any([signal, over.signal]);
    while (!stop.aborted) {
      await clock.sleep(runReactorsLimits.leaseMs, stop);
      if (!this.#mayWork()) over.abort();
    }
  }

  /** The beginning, where nothing would be repeated. */
  async #from(): Promise<Record<string, never> | undefined> {
    return (await isUntouched(this.#options.log, this.#reactor)) ? {} : undefined;
  }

  /** Another process works. It is left alone as long as its progress goes on. */
  async #standBy(): Promise<void> {
    const { clock, signal, mayWork } = this.#options;
    const { standbyMs, standbyWithLeaseMs } = runReactorsLimits;
    this.#set('standby');
    for (let head = await this.#head(); !signal.aborted; ) {
      await clock.sleep(mayWork ? standbyWithLeaseMs : standbyMs, signal);
      const now = await this.#head();
      if (now === head) return;
      head = now;
    }
  }

  async #head() {
    const stream = reactorStream(this.#reactor.name);
    return (await this.#options.log.readStream(stream, { direction: 'backward', limit: 1 })).head;
  }

  async #refused(detail: string): Promise<void> {
    // It is asked every few seconds, and told once.
    if (this.#refusal !== detail) this.#tell(detail);
    this.#refusal = detail;
    this.#set('refused', detail);
    const { clock, signal } = this.#options;
    await clock.sleep(runReactorsLimits.refusedMs, signal);
  }

  async #failed(error: unknown): Promise<void> {
    const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    this.#tell(detail);
    this.#set('failing', detail);
    const { retryMsMin, retryMsMax } = runReactorsLimits;
    const wait = Math.min(retryMsMin * 2 ** Math.min(this.#failures, 10), retryMsMax);
    this.#failures += 1;
    const { clock, signal } = this.#options;
    await clock.sleep(wait, signal);
  }

  #tell(detail: string): void {
    this.#troubles += 1;
    this.#options.onTrouble(this.#reactor.name, detail);
  }

  #set(state: ReactorState, detail?: string): void {
    this.#state = state;
    this.#detail = detail;
  }
}
