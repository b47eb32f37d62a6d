import { type Clock, idFromKey, type SubjectCipher } from '@annals/core';
import type { Checkpoint, EventLog, PassingRefusal } from '@annals/event-log';
import { changeStream, type Loaded, loadStream, type StreamKind } from '../change.ts';
import { decided, type Refused, refused } from '../outcome.ts';
import {
  type BeginDecision,
  decideBegin,
  decidePrune,
  type InFlight,
  requestIdOf,
} from './decide.ts';
import {
  type IdempotencyEvent,
  type IdempotencyEventType,
  idempotencyCategory,
  idempotencyEvents,
  idempotencyStream,
} from './events.ts';
import { idempotencyLimits as limits } from './limits.ts';
import { evolveKey, type KeyState, newKey } from './state.ts';

export interface IdempotencyMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream' | 'read' | 'head'>;
  readonly cipher: SubjectCipher;
  readonly clock: Pick<Clock, 'now'>;
  /** This process, by a name that no other has, now or ever: a process that starts again is another. */
  readonly holder: string;
  readonly holdMs?: number;
}

/** What is sent under a key. */
export interface KeyedRequest {
  readonly caller: string;
  readonly key: string;
  /** Whom the request is about (`buyer:…`): the stored answer is sealed with this subject's key. */
  readonly subject: string;
  /**
   * The answer holds nothing of that person: where they were erased before the request came first, it is sealed for the
   * caller. Else such a request is refused.
   */
  readonly outlivesSubject?: boolean;
  /** All that makes two requests the same: method, path and body. */
  readonly content: string;
}

/** What the operation of a request works with: the same each time it is run, so that its events are the same. */
export interface RequestIdentity {
  readonly requestId: string;
  /** Milliseconds since 1970. */
  readonly begunAt: number;
}

export interface KeptAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export type Ran<T> =
  /** From now on this is the answer. */
  | { readonly kind: 'answer'; readonly answer: KeptAnswer }
  /** Not kept. `effect`: whether anything may have been done. */
  | { readonly kind: 'not-kept'; readonly effect: 'none' | 'unknown'; readonly value: T };

export type Once<T> =
  | { readonly kind: 'answer'; readonly answer: KeptAnswer; readonly replayed: boolean }
  | { readonly kind: 'not-kept'; readonly value: T }
  | InFlight
  | Refused<'key-reused' | 'subject-erased' | 'invalid-key' | PassingRefusal>
  /** Sent again, it is answered or goes on. */
  | { readonly kind: 'unknown'; readonly detail: string };

/** A key with the time at which its newest event was recorded. */
interface KeyFold {
  readonly key: KeyState;
  readonly lastRecordedAt: number;
}

const newFold: KeyFold = { key: newKey, lastRecordedAt: 0 };

const keyStreams: StreamKind<KeyFold, IdempotencyEventType> = {
  types: idempotencyEvents,
  evolve: ({ key } = newFold, event) => ({
    key: evolveKey(key, event),
    lastRecordedAt: event.recordedAt,
  }),
};

/**
 * Requests that have one effect and one answer. The log is the only memory: any process, also one that starts
 * after a crash, gives the stored answer or goes on where another was cut off.
 */
export class IdempotencyStore {
  readonly #means: IdempotencyMeans & { readonly holdMs: number };
  #begun = 0;

  constructor(means: IdempotencyMeans) {
    this.#means = { holdMs: limits.holdMsDefault, ...means };
  }

  /**
   * Runs `operation` unless the key has an answer. The operation may be run again after a crash, here or elsewhere:
   * what it stores must follow from the identity it is given. What it throws passes through, and the key stays held until
   * its time is over.
   */
  async once<T>(
    request: KeyedRequest,
    operation: (identity: RequestIdentity) => Promise<Ran<T>>,
  ): Promise<Once<T>> {
    const problem = keyProblem(request);
    if (problem) return refused('invalid-key', problem);
    const stream = idempotencyStream(request.caller, request.key);
    const begun = await this.#begin(stream, request);
    if (begun.kind === 'replay') return { kind: 'answer', answer: begun.answer, replayed: true };
    if (begun.kind !== 'run') return begun;
    const { state, begunAt } = begun;
    const ran = await operation({ requestId: requestIdOf(stream, state), begunAt });
    return this.#finish(stream, state, request, ran);
  }

  /** The answer that a request has already, if any: stores nothing. */
  async peek(request: KeyedRequest): Promise<KeptAnswer | undefined> {
    if (keyProblem(request)) return undefined;
    const stream = idempotencyStream(request.caller, request.key);
    const { state: fold = newFold } = await loadStream(this.#means, keyStreams, stream);
    const state = fold.key;
    if (state.kind !== 'answered' || state.answer.body === undefined) return undefined;
    const fingerprint = await this.#fingerprint(state.subject, request.content, false);
    const { status, contentType, body } = state.answer;
    return fingerprint === state.fingerprint ? { status, contentType, body } : undefined;
  }

  /**
   * Forgets the keys whose newest event was recorded 30 days ago or earlier. Reads on from where the last
   * walk ended (`from`), and says how many were forgotten and where the next one begins.
   */
  async prune(
    from: Checkpoint = {},
  ): Promise<{ readonly pruned: number; readonly checkpoint: Checkpoint }> {
    const { log, clock } = this.#means;
    const now = clock.now();
    const keptUntil = now - limits.keptMsMin;
    let pruned = 0;
    const checkpoint: Record<number, string> = { ...from };
    for (const partition of Object.keys(await log.head()).map(Number)) {
      for (let end = false; !end; ) {
        const at = checkpoint[partition];
        const filter = { categories: [idempotencyCategory], partitions: [partition] };
        const start: Checkpoint = at === undefined ? {} : { [partition]: at };
        const page = await log.read(start, filter, { limit: limits.prunePageEvents });
        const young = page.events.findIndex(({ recordedAt }) => recordedAt >= keptUntil);
        const old = young < 0 ? page.events : page.events.slice(0, young);
        const outcomes = [];
        for (const stream of new Set(old.map((event) => event.stream))) {
          outcomes.push(await this.#pruneOne(stream, keptUntil, now));
        }
        pruned += outcomes.filter((outcome) => outcome === 'pruned').length;
        // The next walk comes by again where the log did not take a pruning.
        if (outcomes.includes('not-stored')) break;
        const reached = young < 0 ? page.checkpoint[partition] : old.at(-1)?.position;
        if (reached !== undefined) checkpoint[partition] = reached;
        end = page.end || young >= 0;
      }
    }
    return { pruned, checkpoint };
  }

  async #begin(
    stream: string,
    request: KeyedRequest,
  ): Promise<
    | Exclude<BeginDecision, { kind: 'run' }>
    | { readonly kind: 'run'; readonly state: KeyState; readonly begunAt: number }
    | Refused<PassingRefusal>
    | { readonly kind: 'unknown'; readonly detail: string }
  > {
    const { clock, holder, holdMs } = this.#means;
    // Two requests of one process are two holders: else the log would take the second for the first sent again.
    this.#begun += 1;
    const begin = this.#begun;
    let run: { readonly state: KeyState; readonly begunAt: number } | undefined;
    const done = await changeStream(this.#means, keyStreams, stream, async ({ state }) => {
      const { key } = state ?? newFold;
      const { subject, fingerprint } = await this.#sealing(key, request);
      const now = clock.now();
      const asked = { stream, subject, fingerprint, holder: `${holder}/${begin}`, holdMs, now };
      const decision = decideBegin(key, asked);
      if (decision.kind !== 'run') return decision;
      run = { state: evolveKey(key, decision.event), begunAt: decision.begunAt };
      return decided(decision.event);
    });
    if (done.kind === 'overloaded' || done.kind === 'unreachable') {
      return refused(done.kind, done.detail);
    }
    if (done.kind !== 'carried') return bookless(done);
    if (!run) throw new Error(`${stream}: begun without a decision`);
    return { kind: 'run', ...run };
  }

  /** Whoever comes first to this gives the answer: a slow holder that was taken over gives the other's. */
  async #finish<T>(
    stream: string,
    state: KeyState,
    request: KeyedRequest,
    ran: Ran<T>,
  ): Promise<Once<T>> {
    const id = idFromKey('idempotency', stream, String(state.events));
    const occurredAt = this.#means.clock.now();
    if (ran.kind === 'not-kept') {
      const data = { effect: ran.effect };
      const event = { type: 'request-released', id, occurredAt, data } as const;
      // Where this is not stored the key is free once its time is over.
      await this.#append(stream, state, event);
      return { kind: 'not-kept', value: ran.value };
    }
    const { status, contentType: content_type, body } = ran.answer;
    if (Buffer.byteLength(body) > limits.answerBytesMax) {
      throw new RangeError(`an answer has more than ${limits.answerBytesMax} bytes`);
    }
    const subject = state.kind === 'held' ? state.subject : request.subject;
    const data = { subject, status, content_type, body };
    const event = { type: 'request-answered', id, occurredAt, data } as const;
    const stored = await this.#append(stream, state, event);
    if (stored.kind === 'carried') return { kind: 'answer', answer: ran.answer, replayed: false };
    if (stored.kind === 'overloaded' || stored.kind === 'unreachable') {
      return refused(stored.kind, stored.detail);
    }
    if (stored.kind !== 'other') return bookless(stored);
    const now = await this.#begin(stream, request);
    if (now.kind === 'replay') return { kind: 'answer', answer: now.answer, replayed: true };
    if (now.kind !== 'run') return now;
    return this.#finish(stream, now.state, request, ran);
  }

  async #pruneOne(stream: string, keptUntil: number, now: number) {
    const done = await changeStream(this.#means, keyStreams, stream, ({ state = newFold }) => {
      const event = decidePrune(state.key, stream, state.lastRecordedAt, keptUntil, now);
      return event === undefined ? decided<IdempotencyEvent>() : decided(event);
    });
    if (done.kind !== 'carried') return 'not-stored';
    return done.events.length === 0 ? 'kept' : 'pruned';
  }

  /** A key stays bound to the subject it was first used with. */
  async #sealing(key: KeyState, { caller, subject, outlivesSubject, content }: KeyedRequest) {
    if (key.kind !== 'free') {
      const fingerprint = await this.#fingerprint(key.subject, content, false);
      return { subject: key.subject, fingerprint };
    }
    const fingerprint = await this.#fingerprint(subject, content, true);
    if (fingerprint !== undefined || !outlivesSubject) return { subject, fingerprint };
    const own = callerSubject(caller);
    return { subject: own, fingerprint: await this.#fingerprint(own, content, true) };
  }

  async #fingerprint(subject: string, content: string, create: boolean) {
    const keyring = await this.#means.cipher.keyring([subject], { create });
    const keyState = keyring.state(subject);
    return keyState === 'erased' ? undefined : keyring.fingerprint(subject, content);
  }

  /** Appends one event if the key is where it was; `other`: it is not. */
  #append(stream: string, key: KeyState, event: IdempotencyEvent) {
    const known = { state: { key, lastRecordedAt: 0 }, revision: key.events - 1, checkpoint: {} };
    const decide = ({ revision }: Loaded<KeyFold>) =>
      revision === known.revision ? decided(event) : ({ kind: 'other' } as const);
    return changeStream(this.#means, keyStreams, stream, decide, { known });
  }
}

/** Nothing is booked for a key. */
function bookless<Done extends { readonly kind: string }>(
  done: Done | Refused<'unbalanced-entry'>,
): Done {
  if (done.kind === 'refused' && 'reason' in done && done.reason === 'unbalanced-entry') {
    throw new TypeError('an event of a key has an entry');
  }
  return done as Done;
}

/** An API key is nobody: what is sealed for it is not erased with anybody. */
function callerSubject(caller: string): string {
  return `api_key:${caller}`;
}

function keyProblem({ caller, key }: KeyedRequest): string | undefined {
  if (caller.length === 0 || caller.length > limits.callerCharsMax) {
    return `a caller has 1 to ${limits.callerCharsMax} characters`;
  }
  if (!/^[\x21-\x7e]+$/.test(key) || key.length > limits.keyCharsMax) {
    return `an idempotency key has 1 to ${limits.keyCharsMax} visible ASCII characters`;
  }
  return undefined;
}
