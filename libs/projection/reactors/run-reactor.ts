import { idFromKey, type SubjectCipher } from '@annals/core';
import { type Checkpoint, covers, type DomainEvent, encodeCheckpoint } from '@annals/event-log';
import type { AnyRecordedEvent } from '../projection.ts';
import { type BeginOptions, begin, isAt, placeOf } from './begin.ts';
import { ContiguousWindow } from './contiguous-window.ts';
import { type OpenEffect, type ReactorEventType, settledEvent } from './events.ts';
import { ReactorJournal, ReactorSupersededError } from './journal.ts';
import type { Progress } from './progress.ts';
import type { LookedUp, Performed, Reactor } from './reactor.ts';

export interface RunReactorOptions extends BeginOptions {
  readonly reactor: Reactor;
  readonly cipher: SubjectCipher;
  readonly signal: AbortSignal;
  /** At least 0, below 1: spreads the waits between attempts, from half of each to the whole. Without it: the whole. */
  readonly random?: () => number;
  /** Told of attempts that did not settle; for logs and metrics. */
  readonly onTrouble?: (trouble: { readonly effectId: string; readonly reason: string }) => void;
}

export type ReactorEnded =
  | { readonly kind: 'stopped'; readonly checkpoint: Checkpoint }
  /**
   * `no-progress`: a log that has events, and starting would repeat effects that may have been done.
   * `copied-log`: the progress was written in another log, where events had other positions.
   */
  | {
      readonly kind: 'refused';
      readonly reason: 'no-progress' | 'copied-log';
      readonly detail: string;
    }
  | { readonly kind: 'superseded' };

/** Events read ahead of the oldest one that is not settled. */
const windowEventsMax = 1_000;
/**
 * Progress is restated after this many events, and whenever the reactor has caught up. Without intents all of them are
 * done again after a crash; with them they are read again, and each statement names all that is under way.
 */
const progressEveryEvents = { repeats: 200, intended: 1_000 } as const;
const backoffMsMin = 100;
const backoffMsMax = 60_000;

/** Runs one reactor until the signal is aborted. Rejects when the log cannot be read. */
export async function runReactor(options: RunReactorOptions): Promise<ReactorEnded> {
  const { log, reactor, cipher, clock } = options;
  const journal = new ReactorJournal(log, reactor.name, cipher, clock);
  try {
    const loaded = await journal.load();
    const copied = loaded !== undefined && !(await isAt(log, loaded.anchor));
    const usable = copied ? undefined : loaded;
    const progress = usable ?? (await begin(options, journal));
    if (!progress) return refusal(reactor, copied ? 'copied-log' : 'no-progress');
    const run = new ReactorRun(options, journal, progress, copied);
    return { kind: 'stopped', checkpoint: await run.follow() };
  } catch (error) {
    if (error instanceof ReactorSupersededError) return { kind: 'superseded' };
    throw error;
  }
}

function refusal(reactor: Reactor, reason: 'no-progress' | 'copied-log'): ReactorEnded {
  const why =
    reason === 'no-progress'
      ? 'has no progress in this log, and the log is not empty'
      : 'has its progress from another log, of which this one is a copy';
  const detail =
    `the reactor ${reactor.name} ${why}: say where to begin, --from head (do nothing for what is ` +
    'there) or --from <position> (what it did already is not done again)';
  return { kind: 'refused', reason, detail };
}

/** An effect that came to its end; `stored` settles when its stream says so. */
interface Ended {
  readonly stored: Promise<void>;
}

/** Nothing is left to be written. */
const endedBefore: Ended = { stored: Promise.resolve() };

/** One run: the events under way, each stream a lane of its own. */
class ReactorRun {
  readonly #options: RunReactorOptions;
  readonly #journal: ReactorJournal;
  readonly #window: ContiguousWindow;
  readonly #recheck: boolean;
  /** Intents of an earlier run, and what this run has under way. */
  readonly #open: Map<string, OpenEffect>;
  /** The last effect of each stream that has one under way: the next one waits for it. */
  readonly #lanes = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();
  /** Effects that came to their end, and whose end is on its way to the stream. */
  readonly #ending = new Set<Promise<void>>();
  #running = 0;
  #passedSinceProgress = 0;
  #effectSinceProgress = false;
  #failure: unknown;
  /** Who waits for an effect to end. */
  #waiting: (() => void)[] = [];

  /** `recheck`: the stream may hold effects that the progress does not name; each is looked for. */
  constructor(
    options: RunReactorOptions,
    journal: ReactorJournal,
    progress: Progress,
    recheck: boolean,
  ) {
    this.#options = options;
    this.#journal = journal;
    this.#recheck = recheck;
    this.#window = new ContiguousWindow(progress.checkpoint, progress.anchor);
    this.#open = new Map(progress.open);
  }

  async follow(): Promise<Checkpoint> {
    const { log, reactor, cipher, signal } = this.#options;
    const stop = AbortSignal.any([signal, this.#stop.signal]);
    const { categories, types } = reactor;
    const filter = types ? { categories, types } : { categories };
    const start = this.#window.checkpoint;
    const everyEvents = progressEveryEvents[reactor.lookUp === 'repeats' ? 'repeats' : 'intended'];
    for await (const delivery of log.subscribe(start, filter, { signal: stop })) {
      if (delivery.kind === 'events') {
        for (const event of await reactor.decode(delivery.events, cipher)) {
          await this.#room(windowEventsMax - 1);
          if (stop.aborted) break;
          this.#take(event, stop);
        }
      } else if (this.#window.size === 0) {
        this.#window.skipTo(delivery.checkpoint);
      }
      // While effects are under way there is more to say soon, and each statement costs an append that others wait for.
      const isQuiet = this.#running === 0 && this.#ending.size === 0 && this.#effectSinceProgress;
      const idle = delivery.kind === 'caught-up' && isQuiet;
      if (idle || this.#passedSinceProgress >= everyEvents) await this.#writeProgress();
    }
    await Promise.all(this.#lanes.values());
    this.#journal.hurry();
    await Promise.all(this.#ending);
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#effectSinceProgress) await this.#writeProgress();
    return this.#window.checkpoint;
  }

  /** Enters one event; its effect, if it wants one, waits for the earlier ones of its stream. */
  #take(event: AnyRecordedEvent, signal: AbortSignal): void {
    const settle = this.#window.add(event);
    this.#passedSinceProgress += 1;
    if (!this.#options.reactor.wants(event)) {
      settle();
      return;
    }
    const before = this.#lanes.get(event.stream) ?? Promise.resolve();
    const lane = before
      .then(() => this.#effect(event, signal))
      .then((ended) => {
        if (ended) this.#settleAfter(ended, settle);
        else this.#effectSinceProgress = true;
      })
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        if (this.#lanes.get(event.stream) === lane) this.#lanes.delete(event.stream);
        this.#wake();
      });
    this.#lanes.set(event.stream, lane);
  }

  /**
   * The next effect of the stream need not wait until the end of this one is stored: its intent is written after it, or
   * together with it.
   */
  #settleAfter({ stored }: Ended, settle: () => void): void {
    const ending = stored
      .then(() => {
        settle();
        this.#effectSinceProgress = true;
      })
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#ending.delete(ending);
        this.#wake();
      });
    this.#ending.add(ending);
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#stop.abort();
  }

  /** Brings one effect to its end; undefined when the run stopped first. */
  async #effect(event: AnyRecordedEvent, signal: AbortSignal): Promise<Ended | undefined> {
    const { reactor } = this.#options;
    const effectId = idFromKey('effect', reactor.name, event.id);
    const recheck = this.#recheck && reactor.lookUp !== 'repeats';
    const known =
      this.#open.get(effectId) ?? (recheck ? await this.#recall(event, effectId) : undefined);
    if (known?.state === 'settled') return endedBefore;
    while (this.#running >= reactor.concurrencyMax) await this.#freed();
    if (signal.aborted) return undefined;
    this.#running += 1;
    try {
      return await this.#settle(event, effectId, known, signal);
    } finally {
      this.#running -= 1;
      this.#wake();
    }
  }

  /** What the stream says of an effect that the progress does not name. */
  async #recall(event: AnyRecordedEvent, effectId: string): Promise<OpenEffect | undefined> {
    const { clock } = this.#options;
    const open = { ...this.#openEffect(event, effectId), state: 'intended' } as const;
    const envelope = { occurredAt: clock.now() };
    const { state: _, ...data } = open;
    const intended = await this.#journal.revisionOf({
      ...envelope,
      type: 'effect-intended',
      id: idFromKey('effect-intended', effectId),
      data: { ...data, run: this.#options.runId },
    });
    if (intended === undefined) return undefined;
    const settled = await this.#journal.revisionOf({
      ...envelope,
      type: 'effect-failed',
      id: idFromKey('effect-settled', effectId),
      data: { effect_id: effectId, reason: 'looked for' },
    });
    const recalled = settled === undefined ? open : ({ ...open, state: 'settled' } as const);
    this.#open.set(effectId, recalled);
    return recalled;
  }

  #openEffect(event: AnyRecordedEvent, effectId: string) {
    const { clock, reactor } = this.#options;
    return {
      effect_id: effectId,
      ...placeOf(event),
      call_before: clock.now() + reactor.callWithinMs,
    };
  }

  async #settle(
    event: AnyRecordedEvent,
    effectId: string,
    known: OpenEffect | undefined,
    signal: AbortSignal,
  ): Promise<Ended | undefined> {
    const { clock, reactor } = this.#options;
    if (reactor.lookUp === 'repeats') return this.#repeat(event, effectId, signal);
    // An intent that is already there may have been carried out: look first, and only after the
    // process that wrote it may no longer start the call.
    let mayBeDone = known !== undefined;
    if (known) await clock.sleep(Math.max(0, known.call_before - clock.now()), signal);
    else await this.#intend(event, effectId);
    for (let backoffMs = backoffMsMin; !signal.aborted; backoffMs = nextBackoff(backoffMs)) {
      const outcome = await this.#attempt(event, effectId, mayBeDone, signal);
      if (outcome.kind === 'done' || outcome.kind === 'failed') {
        return { stored: this.#record(effectId, outcome) };
      }
      if (outcome.kind !== 'not-done') {
        mayBeDone = outcome.kind !== 'retry';
        this.#options.onTrouble?.({ effectId, reason: outcome.reason });
        await clock.sleep(this.#spread(backoffMs), signal);
      } else mayBeDone = false;
    }
    return undefined;
  }

  /** An effect that may be done again needs no intent, and what it comes to is what it has written itself. */
  async #repeat(
    event: AnyRecordedEvent,
    effectId: string,
    signal: AbortSignal,
  ): Promise<Ended | undefined> {
    for (let backoffMs = backoffMsMin; !signal.aborted; backoffMs = nextBackoff(backoffMs)) {
      const outcome = await this.#attempt(event, effectId, false, signal);
      if (outcome.kind === 'done') return endedBefore;
      if (outcome.kind === 'failed') return { stored: this.#record(effectId, outcome) };
      const reason = outcome.kind === 'not-done' ? outcome.kind : outcome.reason;
      this.#options.onTrouble?.({ effectId, reason });
      await this.#options.clock.sleep(this.#spread(backoffMs), signal);
    }
    return undefined;
  }

  /** Many effects that failed together do not come again together. */
  #spread(backoffMs: number): number {
    const { random } = this.#options;
    return random ? Math.ceil((backoffMs * (1 + random())) / 2) : backoffMs;
  }

  /** One call to the other side: a look-up when the effect may have been done, else the effect itself. */
  async #attempt(
    event: AnyRecordedEvent,
    effectId: string,
    mayBeDone: boolean,
    signal: AbortSignal,
  ): Promise<Performed | LookedUp> {
    const { reactor, clock } = this.#options;
    const call = { effectId, event, signal };
    try {
      if (mayBeDone && reactor.lookUp !== 'repeats') return await reactor.lookUp(call);
      const open = this.#open.get(effectId);
      // The time to start is over: another process may have looked it up by now. Renew the claim first.
      if (open && clock.now() >= open.call_before) await this.#restateWith(effectId);
      return await reactor.perform(call);
    } catch (error) {
      if (error instanceof ReactorSupersededError) throw error;
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      return { kind: 'unclear', reason };
    }
  }

  async #intend(event: AnyRecordedEvent, effectId: string): Promise<void> {
    const { clock } = this.#options;
    const data = this.#openEffect(event, effectId);
    const intended: DomainEvent<ReactorEventType> = {
      type: 'effect-intended',
      id: idFromKey('effect-intended', effectId),
      occurredAt: clock.now(),
      metadata: { causationId: event.id },
      data: { ...data, run: this.#options.runId },
    };
    await this.#journal.record([intended], () => {
      this.#open.set(effectId, { ...data, state: 'intended' });
    });
  }

  async #record(
    effectId: string,
    outcome: Extract<Performed, { kind: 'done' | 'failed' }>,
  ): Promise<void> {
    const settled = settledEvent(effectId, outcome, this.#options.clock.now());
    // What repeats may have failed in the same way before, and said so.
    const repeats = this.#options.reactor.lookUp === 'repeats';
    if (repeats && (await this.#journal.revisionOf(settled)) !== undefined) return;
    const stored = () => {
      const open = this.#open.get(effectId);
      if (open) this.#open.set(effectId, { ...open, state: 'settled' });
    };
    // While others are under way there is an intent to write soon; the end goes with it.
    await this.#journal.record([settled], stored, { mayWait: this.#running > 1 });
  }

  /** Claims an effect anew: a durable statement of progress with a later `call_before`. */
  async #restateWith(effectId: string): Promise<void> {
    const { clock, reactor } = this.#options;
    const open = this.#open.get(effectId);
    if (open) {
      this.#open.set(effectId, { ...open, call_before: clock.now() + reactor.callWithinMs });
    }
    await this.#writeProgress();
  }

  async #writeProgress(): Promise<void> {
    this.#passedSinceProgress = 0;
    this.#effectSinceProgress = false;
    await this.#journal.restate((at) => {
      const { checkpoint } = this.#window;
      for (const [id, effect] of this.#open) {
        if (covers(checkpoint, effect.partition, effect.position)) this.#open.delete(id);
      }
      return [
        {
          type: 'reactor-progressed',
          id: idFromKey('reactor-progressed', this.#options.reactor.name, at),
          occurredAt: this.#options.clock.now(),
          data: {
            checkpoint: encodeCheckpoint(checkpoint),
            open: [...this.#open.values()],
            anchor: this.#window.last,
            run: this.#options.runId,
          },
        },
      ];
    });
  }

  async #room(sizeMax: number): Promise<void> {
    while (this.#window.size > sizeMax && this.#failure === undefined) await this.#freed();
  }

  /** Resolves when an effect ended. Several may wait: each looks again for itself. */
  #freed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function nextBackoff(backoffMs: number): number {
  return Math.min(backoffMs * 2, backoffMsMax);
}
