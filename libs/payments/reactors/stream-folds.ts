import type { SubjectCipher } from '@annals/core';
import type { EventLog, Revision } from '@annals/event-log';
import { type CheckoutEvent, checkoutEvents, type SellerEvent, sellerEvents } from '../events.ts';
import type { Decided, Refused } from '../outcome.ts';
import { evolveSeller, type Seller } from '../seller-state.ts';
import { type Checkout, evolve } from '../state.ts';

export const foldLimits = {
  /** Streams whose fold is kept, so that the next look reads only what is new. */
  streamsMax: 1_000,
  pageEventsMax: 500,
  /** How often a decision is taken anew because somebody else has appended meanwhile. */
  conflictsMax: 50,
} as const;

/** What an append to a stream came to. */
export type Applied = { readonly kind: 'appended' | 'unchanged' } | Refused;

/** The stream is not in a state to be written at present: the same may be tried again. */
export class NotAppendedError extends Error {
  readonly code = 'not-appended';
  constructor(stream: string, why: string) {
    super(`${stream}: ${why}`);
    this.name = 'NotAppendedError';
  }
}

interface Fold<State> {
  readonly state: State | undefined;
  readonly head: Revision | 'no-stream';
}

interface Kind<State, Event> {
  readonly read: (
    state: State | undefined,
    events: Awaited<ReturnType<EventLog['readStream']>>['events'],
  ) => Promise<State | undefined>;
  readonly encode: (events: readonly Event[]) => ReturnType<typeof checkoutEvents.encode>;
}

/** Folds of streams, read from where they were left, and decisions appended at the revision they were taken on. */
class Folds<State, Event> {
  readonly #log: EventLog;
  readonly #kind: Kind<State, Event>;
  readonly #folds = new Map<string, Fold<State>>();

  constructor(log: EventLog, kind: Kind<State, Event>) {
    this.#log = log;
    this.#kind = kind;
  }

  async load(stream: string): Promise<Fold<State>> {
    let fold: Fold<State> = this.#folds.get(stream) ?? { state: undefined, head: 'no-stream' };
    for (;;) {
      const from = fold.head === 'no-stream' ? 0 : fold.head + 1;
      const { pageEventsMax: limit } = foldLimits;
      const page = await this.#log.readStream(stream, { from, limit });
      const last = page.events.at(-1);
      if (!last) break;
      fold = { state: await this.#kind.read(fold.state, page.events), head: last.revision };
    }
    this.#folds.delete(stream);
    this.#folds.set(stream, fold);
    const [oldest] = this.#folds.keys();
    if (this.#folds.size > foldLimits.streamsMax && oldest !== undefined)
      this.#folds.delete(oldest);
    return fold;
  }

  /** Decides on the stream as it is, and appends; anew where somebody else was faster. Throws NotAppendedError. */
  async decide(
    stream: string,
    decide: (state: State | undefined) => Decided<Event> | Refused,
  ): Promise<Applied> {
    for (let conflicts = 0; conflicts < foldLimits.conflictsMax; conflicts += 1) {
      const { state, head } = await this.load(stream);
      const decided = decide(state);
      if (decided.kind === 'refused') return decided;
      if (decided.events.length === 0) return { kind: 'unchanged' };
      const encoded = await this.#kind.encode(decided.events);
      if (encoded.kind !== 'encoded') {
        return { kind: 'refused', reason: 'subject-erased', detail: encoded.subject };
      }
      const result = await this.#log.append(stream, encoded.events, { expected: head });
      if (result.kind === 'stored') return { kind: result.duplicate ? 'unchanged' : 'appended' };
      // All three say that somebody else was faster: one of the events is there, with another time in it.
      const late = ['conflict', 'content-mismatch', 'partial-duplicate'].includes(result.kind);
      if (!late) throw new NotAppendedError(stream, result.kind);
    }
    throw new NotAppendedError(stream, 'others write it all the time');
  }
}

export interface PaymentsFolds {
  readonly checkouts: Folds<Checkout, CheckoutEvent>;
  readonly sellers: Folds<Seller, SellerEvent>;
}

export function paymentsFolds(log: EventLog, cipher: SubjectCipher): PaymentsFolds {
  return {
    checkouts: new Folds<Checkout, CheckoutEvent>(log, {
      read: async (state, stored) => {
        const events = await checkoutEvents.decode(stored, cipher);
        return events.reduce((one, event) => evolve(one, event as never), state);
      },
      encode: (events) => checkoutEvents.encode(events, cipher),
    }),
    sellers: new Folds<Seller, SellerEvent>(log, {
      read: async (state, stored) => {
        const events = await sellerEvents.decode(stored, cipher);
        return events.reduce((one, event) => evolveSeller(one, event as never), state);
      },
      encode: (events) => sellerEvents.encode(events, cipher),
    }),
  };
}
