import type { Clock, JsonObject, SubjectCipher } from '@annals/core';
import type { StoredEvent } from '@annals/event-log';
import type {
  AnyRecordedEvent,
  EffectCall,
  LookedUp,
  Performed,
  Reactor,
} from '@annals/projection';
import { mayRetry, type Psp, type PspUnknown } from '../psp/port.ts';
import { type Sent, sendIntent } from './psp-calls.ts';
import {
  type CallContext,
  contextTriesMax,
  type DeadLetterReason,
  type PspIntent,
  type PspOutcome,
  type Try,
} from './psp-intent.ts';
import { type Looked, lookIntent } from './psp-look.ts';

/**
 * Carries out what was decided: each intent is one call, and its outcome one record in the domain's stream. A
 * reactor: its progress is in the log, a rebuild does nothing of this, and what may have been done is looked up.
 */
export interface PspExecutorOptions {
  /** Lower-case words joined by `-`: the stream of its progress is named after it. */
  readonly name: string;
  readonly categories: readonly string[];
  /** Of the events that `intentOf` finds a call in; all are looked at unless told. */
  readonly types?: readonly string[];
  readonly clock: Clock;
  /** The provider that an intent names; every call of an attempt goes there. */
  readonly psp: (name: string) => Psp | undefined;
  readonly decode: (
    events: readonly StoredEvent[],
    cipher: SubjectCipher,
  ) => Promise<readonly AnyRecordedEvent[]>;
  /** The call that an event asks for; undefined for all other events. Pure. */
  readonly intentOf: (event: AnyRecordedEvent) => PspIntent | undefined;
  /**
   * Whether the intent still stands: a webhook may have brought its outcome, or somebody may have taken it back, before
   * anything was sent. Asked right before a call.
   */
  readonly stands: (intent: PspIntent, event: AnyRecordedEvent) => Promise<boolean>;
  /** Writes the outcome, once: it may be asked to write the same one again. Throws when it can't. */
  readonly record: (
    intent: PspIntent,
    outcome: PspOutcome,
    event: AnyRecordedEvent,
  ) => Promise<void>;
  /** The intent with what it only names, read right before a call; as it is unless told. Throws where it can't be read. */
  readonly complete?: (intent: PspIntent) => Promise<PspIntent>;
  /** Whether the call was given up before, so that it is looked for before anything is sent. Pure. */
  readonly looksFirst?: (event: AnyRecordedEvent) => boolean;
  /** Told when nobody knows (yet) what became of a call, so that the domain can say so. Once for each intent. */
  readonly doubt: (intent: PspIntent, detail: string, event: AnyRecordedEvent) => Promise<void>;
  readonly limits?: Partial<Record<keyof typeof executorLimits, number>>;
}

export const executorLimits = {
  /** Calls under way at once. One that waits for a look keeps its place. */
  concurrencyMax: 256,
  /** How long after its intent a call may still be started by who wrote it. */
  callWithinMs: 30_000,
  /** An outcome that is not known after so long is for a person to find out. */
  patienceMs: 24 * 60 * 60 * 1_000,
  /** Faults of our own around one call, in one process, before a person has to look. */
  faultsMax: 5,
} as const;

/** Thrown where the runtime has to look before it does anything else. */
export class OutcomeUnknownError extends Error {
  readonly code = 'outcome-unknown';
  constructor(detail: string) {
    super(detail);
    this.name = 'OutcomeUnknownError';
  }
}

/** An outcome is known, and the domain could not write it. */
class NotRecordedError extends Error {
  readonly code = 'not-recorded';
  constructor(detail: string, options: ErrorOptions) {
    super(detail, options);
    this.name = 'NotRecordedError';
  }
}

export function pspExecutor(options: PspExecutorOptions): Reactor {
  const limits = { ...executorLimits, ...options.limits };
  const executor = new Executor(options, limits);
  return {
    name: options.name,
    categories: options.categories,
    ...(options.types ? { types: options.types } : {}),
    concurrencyMax: limits.concurrencyMax,
    callWithinMs: limits.callWithinMs,
    decode: options.decode,
    wants: (event) => options.intentOf(event) !== undefined,
    perform: (call) => executor.perform(call),
    lookUp: (call) => executor.lookUp(call),
  };
}

type ExecutorLimits = Record<'patienceMs' | 'faultsMax', number>;

/** What this process remembers of a call; after a crash it is found out again. */
interface Memory {
  readonly tries: Try[];
  /** The last moment at which a call may have been sent. */
  sentBy: number | undefined;
  /** The provider keeps a fault of its own for the key. */
  spent: boolean;
  /** The provider said that the object is in no state for the call; an earlier call may have brought it there. */
  wrongState: string | undefined;
  doubted: boolean;
  faults: number;
}

class Executor {
  readonly #options: PspExecutorOptions;
  readonly #limits: ExecutorLimits;
  readonly #memories = new Map<string, Memory>();

  constructor(options: PspExecutorOptions, limits: ExecutorLimits) {
    this.#options = options;
    this.#limits = limits;
  }

  async perform({ event, signal }: EffectCall): Promise<Performed> {
    const intent = this.#intentOf(event);
    const memory = this.#memoryOf(intent);
    return this.#guarded(intent, event, memory, async () => {
      const psp = this.#options.psp(intent.psp);
      if (!psp) return this.#bury(intent, event, 'unknown_provider', `${intent.psp} is not set up`);
      if (!(await this.#options.stands(intent, event))) return this.#close(intent, 'overtaken');
      if (this.#options.looksFirst?.(event) && !memory.tries.some(({ what }) => what === 'look')) {
        throw new OutcomeUnknownError('it was given up before: it is looked for first');
      }
      const whole = (await this.#options.complete?.(intent)) ?? intent;
      // From here on it may be sent. The call may wait for a connection as long as the terms say.
      memory.sentBy = this.#options.clock.now() + psp.terms.callMsMax;
      const sent = await sendIntent(psp, whole, signal);
      memory.faults = 0;
      this.#remember(memory, 'call', sent);
      if (sent.kind === 'outcome') return this.#settle(intent, event, sent.outcome);
      if (sent.kind === 'unknown') {
        memory.spent ||= sent.replayed ?? false;
        await this.#doubt(intent, event, memory, sent);
        throw new OutcomeUnknownError(`${sent.reason}: ${sent.detail}`);
      }
      if (mayRetry(sent) && sent.reason !== 'balance_insufficient') {
        const late = await this.#tooLong(intent, event);
        return late ?? { kind: 'retry', reason: `${sent.reason}: ${sent.detail}` };
      }
      if (sent.reason === 'key_reused') return this.#bury(intent, event, 'fault', sent.detail);
      if (sent.reason === 'wrong_state') {
        memory.wrongState = sent.detail;
        throw new OutcomeUnknownError(sent.detail);
      }
      return this.#settle(intent, event, sent);
    });
  }

  async lookUp({ event, signal }: EffectCall): Promise<LookedUp> {
    const intent = this.#intentOf(event);
    const memory = this.#memoryOf(intent);
    const { clock } = this.#options;
    const looked = await this.#guarded(intent, event, memory, async () => {
      const psp = this.#options.psp(intent.psp);
      if (!psp) return this.#bury(intent, event, 'unknown_provider', `${intent.psp} is not set up`);
      const now = clock.now();
      // Another process may have sent it until a moment ago, and its call may still wait for a connection.
      memory.sentBy ??= now + psp.terms.callMsMax;
      const { sentBy, spent } = memory;
      const looked = await lookIntent({ psp, now, sentBy, spent, signal }, intent);
      this.#remember(memory, 'look', looked);
      return this.#afterLook(intent, event, memory, looked);
    });
    return looked.kind === 'failed' || looked.kind === 'retry'
      ? { kind: 'done', result: { came: looked.reason } }
      : looked;
  }

  async #afterLook(
    intent: PspIntent,
    event: AnyRecordedEvent,
    memory: Memory,
    looked: Looked,
  ): Promise<Performed | LookedUp> {
    switch (looked.kind) {
      case 'outcome':
        return this.#settle(intent, event, looked.outcome);
      case 'ambiguous':
        return this.#bury(intent, event, 'ambiguous', looked.detail);
      case 'unclear': {
        const late = await this.#tooLong(intent, event);
        return late ?? { kind: 'unclear', reason: looked.detail };
      }
      case 'not_done': {
        const { wrongState } = memory;
        if (wrongState !== undefined) {
          const refused = { kind: 'refused', reason: 'wrong_state', detail: wrongState } as const;
          return this.#settle(intent, event, refused);
        }
        if (!memory.spent) return { kind: 'not-done' };
        const detail = 'the provider keeps a fault of its own for this key, and nothing was done';
        return this.#settle(intent, event, { kind: 'refused', reason: 'key_spent', detail });
      }
    }
  }

  /** A courtesy: what can't be written now is not in the way of finding out. */
  async #doubt(
    intent: PspIntent,
    event: AnyRecordedEvent,
    memory: Memory,
    { reason, detail }: PspUnknown,
  ): Promise<void> {
    if (memory.doubted) return;
    memory.doubted = true;
    try {
      await this.#options.doubt(intent, `${reason}: ${detail}`, event);
    } catch (error) {
      this.#remember(memory, 'call', { kind: 'fault', detail: `doubt not written: ${error}` });
    }
  }

  /** Faults of our own are told of, and after a few of them a person has to look. */
  async #guarded<T>(
    intent: PspIntent,
    event: AnyRecordedEvent,
    memory: Memory,
    work: () => Promise<T>,
  ): Promise<T | Performed> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof OutcomeUnknownError) throw error;
      if (error instanceof NotRecordedError) {
        // The log may be away, and the outcome is known: it is written as soon as that is possible.
        const late = await this.#tooLong(intent, event);
        if (late) return late;
        throw error;
      }
      memory.faults += 1;
      const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      this.#remember(memory, 'call', { kind: 'fault', detail });
      if (memory.faults < this.#limits.faultsMax) throw error;
      return this.#bury(intent, event, 'fault', detail);
    }
  }

  async #settle(
    intent: PspIntent,
    event: AnyRecordedEvent,
    outcome: PspOutcome,
  ): Promise<{ readonly kind: 'done'; readonly result: JsonObject }> {
    try {
      await this.#options.record(intent, outcome, event);
    } catch (cause) {
      const came = `${outcome.kind}, and it could not be written: ${String(cause)}`;
      this.#remember(this.#memoryOf(intent), 'call', { kind: 'fault', detail: came });
      throw new NotRecordedError(came, { cause });
    }
    return this.#close(intent, outcome.kind);
  }

  #close(intent: PspIntent, came: string): { readonly kind: 'done'; readonly result: JsonObject } {
    this.#memories.delete(intent.key);
    return { kind: 'done', result: { call: intent.call, came } };
  }

  async #tooLong(
    intent: PspIntent,
    event: AnyRecordedEvent,
  ): Promise<{ readonly kind: 'done'; readonly result: JsonObject } | undefined> {
    // Somebody who asks for one more try gets as long as it had at first: else the first look would be the last.
    const since = Math.max(intent.intendedAt, event.recordedAt);
    const waited = this.#options.clock.now() - since;
    if (waited < this.#limits.patienceMs) return undefined;
    return this.#bury(intent, event, 'too_long', `no outcome after ${waited} ms`);
  }

  async #bury(
    intent: PspIntent,
    event: AnyRecordedEvent,
    reason: DeadLetterReason,
    detail: string,
  ) {
    const { call, psp, key, intendedAt } = intent;
    const tries = [...this.#memoryOf(intent).tries];
    const context: CallContext = { call, psp, key, intendedAt, detail, tries };
    return this.#settle(intent, event, { kind: 'dead_letter', reason, context });
  }

  #remember(
    memory: Memory,
    what: Try['what'],
    came: Sent | Looked | { readonly kind: 'fault'; readonly detail: string },
  ): void {
    const said = 'detail' in came ? `${came.kind}: ${came.detail}` : came.kind;
    memory.tries.push({ at: this.#options.clock.now(), what, came: said });
    if (memory.tries.length > contextTriesMax) memory.tries.shift();
  }

  #memoryOf({ key }: PspIntent): Memory {
    const known = this.#memories.get(key);
    if (known) return known;
    const memory: Memory = {
      tries: [],
      sentBy: undefined,
      spent: false,
      wrongState: undefined,
      doubted: false,
      faults: 0,
    };
    this.#memories.set(key, memory);
    return memory;
  }

  #intentOf(event: AnyRecordedEvent): PspIntent {
    const intent = this.#options.intentOf(event);
    if (!intent) throw new TypeError(`${event.type} asks for no call`);
    return intent;
  }
}
