import type { Clock } from '@annals/core';
import { type Checkpoint, coversAll } from '@annals/event-log';
import { ElapsedTime, type GenerationSpec, StoreLostError, WaitingLine } from '@annals/projection';
import { SqliteStoreError } from './errors.ts';
import { type GenerationReader, openGenerationReader } from './reader.ts';

export const liveReaderLimits = {
  /** How old the knowledge may be that the file is still the one that was opened. */
  presenceMsMax: 200,
  /** Between two looks while somebody waits: soon after a commit, and when nothing happens for long. */
  waitingPollMsMin: 1,
  waitingPollMsMax: 8,
  /** Between two looks while somebody only listens. */
  listeningPollMs: 25,
  /** Between two calls of a listener. */
  listenerMsMin: 100,
  /** How long the reader of a former generation stays open for those who still hold it. */
  retiredMs: 10_000,
  /** Waiters at a time; more are told `timeout` at once. */
  waitersMax: 20_000,
} as const;

/** What can be read now. Ask anew for each request, and do not keep the reader over an `await`. */
export type Live =
  | { readonly kind: 'ready'; readonly reader: GenerationReader; readonly generation: number }
  /** The live generation's file is missing, or is another one, or of another log: an operator must rebuild. */
  | { readonly kind: 'lost'; readonly generation: number }
  /** No generation is live yet, or the live one is filled for the first time. */
  | { readonly kind: 'building' };

export interface LiveReader {
  /** Flips as a whole when another generation becomes live. Takes microseconds. */
  current(): Live;
  /** Waits until what can be read covers `checkpoint`. An aborted wait is a `timeout`. */
  waitFor(
    checkpoint: Checkpoint,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<'reached' | 'timeout' | 'lost'>;
  /**
   * Calls `listener` after what can be read has changed, at most every `listenerMsMin`. Gives the
   * function that ends it.
   */
  onChange(listener: () => void): () => void;
  /** Lets go of the file; whoever waits is told `timeout`. Idempotent. */
  close(): void;
}

export interface LiveReaderOptions {
  readonly folder: string;
  readonly projection: string;
  /** The generation that is live now, from the projection's own events; asked each time, so it must be cheap. */
  readonly liveGeneration: () => Pick<GenerationSpec, 'generation' | 'id'> | undefined;
  readonly clock: Clock;
  /** Ids of generations that must not be read although their files are there: they are lost. None unless told. */
  readonly diverged?: ReadonlySet<string>;
}

/** A read model for a thread that serves requests: follows the live generation, and knows when it is lost. */
export function liveReader(options: LiveReaderOptions): LiveReader {
  return new SqliteLiveReader(options);
}

const building: Live = { kind: 'building' };

class SqliteLiveReader implements LiveReader {
  readonly #options: LiveReaderOptions;
  readonly #clock: Clock;
  #live: Live = building;
  #liveId: string | undefined;
  /** When the file was last looked at; undefined when that must be done now. */
  #checkedAt: number | undefined;
  #retired: { readonly reader: GenerationReader; readonly at: number }[] = [];
  readonly #line = new WaitingLine();
  readonly #listeners = new Set<() => void>();
  /** Readers opened so far: a version number belongs to one of them. */
  #opened = 0;
  /** What the line was last let go for. */
  #advancedAt = '';
  #polling = false;
  #quietLooks = 0;
  #wake: AbortController | undefined;
  readonly #elapsed: ElapsedTime;
  #closed = false;

  constructor(options: LiveReaderOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#elapsed = new ElapsedTime(options.clock);
  }

  current(): Live {
    if (this.#closed) throw new SqliteStoreError('closed', 'the live reader is closed');
    const generation = this.#options.liveGeneration();
    const now = this.#clock.now();
    if (generation?.id !== this.#liveId) {
      this.#liveId = generation?.id;
      this.#set(building, now);
    } else if (this.#isFresh(now)) {
      return this.#live;
    }
    this.#checkedAt = now;
    this.#closeRetired(now);
    if (generation === undefined) return this.#live;
    if (this.#live.kind === 'ready' && this.#live.reader.isSameFile()) return this.#live;
    try {
      this.#set(this.#look(generation), now);
    } catch (error) {
      this.#checkedAt = undefined;
      throw error;
    }
    return this.#live;
  }

  #isFresh(now: number): boolean {
    if (this.#checkedAt === undefined) return false;
    const age = now - this.#checkedAt;
    return age >= 0 && age < liveReaderLimits.presenceMsMax;
  }

  #look({ generation, id }: Pick<GenerationSpec, 'generation' | 'id'>): Live {
    const { folder, projection } = this.#options;
    try {
      const reader = openGenerationReader(folder, projection, generation);
      if (reader.spec.id !== id || this.#options.diverged?.has(id)) {
        reader.close();
        return { kind: 'lost', generation };
      }
      if (!reader.isBuilt()) {
        reader.close();
        return building;
      }
      this.#opened += 1;
      return { kind: 'ready', reader, generation };
    } catch (error) {
      if (error instanceof StoreLostError) return { kind: 'lost', generation };
      if (error instanceof SqliteStoreError && error.code === 'corrupt') {
        return { kind: 'lost', generation };
      }
      throw error;
    }
  }

  #set(live: Live, now: number): void {
    if (this.#live.kind === 'ready') this.#retired.push({ reader: this.#live.reader, at: now });
    this.#live = live;
  }

  #closeRetired(now: number): void {
    const over = ({ at }: { at: number }) => Math.abs(now - at) >= liveReaderLimits.retiredMs;
    for (const { reader } of this.#retired.filter(over)) reader.close();
    this.#retired = this.#retired.filter((retired) => !over(retired));
  }

  async waitFor(
    checkpoint: Checkpoint,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<'reached' | 'timeout' | 'lost'> {
    const live = this.current();
    if (live.kind === 'lost') return 'lost';
    // Whoever has just written comes too soon as a rule: a look of one's own is left to the poller.
    const reached =
      live.kind === 'ready' ? live.reader.readInTurn((tx) => tx.checkpoint()) : nothing;
    if (live.kind === 'ready' && coversAll(reached, checkpoint)) return 'reached';
    const { timeoutMs, signal } = options;
    if (timeoutMs <= 0 || signal?.aborted) return 'timeout';
    if (this.#line.size >= liveReaderLimits.waitersMax) return 'timeout';
    const deadline = this.#elapsed.ms() + timeoutMs;
    const waited = this.#line.wait({ checkpoint, deadline }, reached, signal);
    this.#startPolling();
    return waited;
  }

  onChange(listener: () => void): () => void {
    // Each registration is one of its own, also when the function is the same.
    const own = () => listener();
    this.#listeners.add(own);
    this.#startPolling();
    return () => this.#listeners.delete(own);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#line.settleAll('timeout');
    this.#listeners.clear();
    this.#wake?.abort();
    if (this.#live.kind === 'ready') this.#live.reader.close();
    for (const { reader } of this.#retired) reader.close();
  }

  /** The one poller that serves all runs only while somebody waits or listens. */
  #startPolling(): void {
    this.#quietLooks = 0;
    // Without a reason an abort makes an error of its own, with its stack.
    if (this.#polling) this.#wake?.abort(woken);
    else void this.#poll();
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    let seen: string | undefined;
    let calledAt = Number.NEGATIVE_INFINITY;
    let owed = false;
    while (!this.#closed && (this.#line.size > 0 || this.#listeners.size > 0)) {
      const state = this.#lookForWaiters();
      this.#quietLooks = state === seen ? this.#quietLooks + 1 : 0;
      owed ||= seen !== undefined && state !== seen;
      seen = state;
      const now = this.#elapsed.ms();
      this.#line.expire(now);
      if (owed && now - calledAt >= liveReaderLimits.listenerMsMin) {
        owed = false;
        calledAt = now;
        // What a listener throws is the listener's bug and must not end the poller.
        for (const listener of this.#listeners) queueMicrotask(listener);
      }
      await this.#nap();
    }
    this.#polling = false;
  }

  /** Looks once, lets those go who have waited for it, and names what is to be seen now. */
  #lookForWaiters(): string {
    try {
      const live = this.current();
      if (live.kind === 'lost') this.#line.settleAll('lost');
      if (live.kind !== 'ready') return `${live.kind} ${this.#liveId}`;
      const state = `${this.#opened} ${live.reader.dataVersion()}`;
      if (this.#line.size > 0 && state !== this.#advancedAt) {
        this.#line.advance(live.reader.read((tx) => tx.checkpoint()));
        this.#advancedAt = state;
      }
      return state;
    } catch (error) {
      if (error instanceof StoreLostError) this.#line.settleAll('lost');
      else this.#line.failAll(error);
      this.#checkedAt = undefined;
      return 'failed';
    }
  }

  /** Only a long nap is worth waking from when somebody new comes to wait. */
  async #nap(): Promise<void> {
    const { waitingPollMsMin, waitingPollMsMax, listeningPollMs } = liveReaderLimits;
    const steps = Math.floor(this.#quietLooks / quietLooksInStep);
    const waitingMs = Math.min(waitingPollMsMax, waitingPollMsMin + steps);
    const ms = this.#line.size === 0 ? listeningPollMs : waitingMs;
    if (ms > waitingPollMsMin) this.#wake = new AbortController();
    await this.#clock.sleep(ms, this.#wake?.signal);
    this.#wake = undefined;
  }
}

const nothing: Checkpoint = {};
const woken = 'somebody waits';

/** Looks without a change after which the poller slows down by a millisecond. */
const quietLooksInStep = 50;
