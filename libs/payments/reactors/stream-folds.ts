import type { SubjectCipher } from '@annals/core';
import type { DomainEvent, EventLog, EventTypes, StoredEvent } from '@annals/event-log';
import {
  type ChangeMeans,
  changeStream,
  KeptFolds,
  type Loaded,
  type StreamEventType,
  type StreamKind,
} from '../change.ts';
import type { checkoutEventTypes } from '../checkout-events.ts';
import { checkoutEvents, sellerEvents } from '../events.ts';
import type { Decided, Refused } from '../outcome.ts';
import type { sellerEventTypes } from '../seller-events.ts';
import { evolveSeller, type Seller } from '../seller-state.ts';
import { type Checkout, evolve } from '../state.ts';

/** What a decision about a stream came to. */
export type Applied = { readonly kind: 'appended' | 'unchanged' } | Refused;

/** The stream is not in a state to be written at present: the same may be tried again. */
export class NotAppendedError extends Error {
  readonly code = 'not-appended';
  constructor(stream: string, why: string) {
    super(`${stream}: ${why}`);
    this.name = 'NotAppendedError';
  }
}

/** How a stream goes on: on types and data alone, so that what was decided is folded as what was read. */
type Fact = { readonly type: string; readonly data: unknown };
type Evolve<State> = (state: State | undefined, event: never) => State | undefined;

/** Decided on what is kept, and nothing came of it: the stream may be further. */
const look = { kind: 'look' } as const;

/** Streams of one kind as reactors know them: without what is sealed, and kept between looks. */
class Folds<State, T extends StreamEventType> {
  readonly #means: ChangeMeans;
  readonly #kind: StreamKind<State, T>;
  readonly #evolve: (state: State | undefined, event: Fact) => State | undefined;
  readonly #kept = new KeptFolds<State>();

  constructor(means: ChangeMeans, types: EventTypes<T>, evolve: Evolve<State>) {
    this.#means = means;
    this.#evolve = evolve as (state: State | undefined, event: Fact) => State | undefined;
    this.#kind = { types, evolve: (state, event) => this.#evolve(state, event as Fact) };
  }

  load(stream: string): Promise<Loaded<State>> {
    return this.#kept.load(this.#means, this.#kind, stream);
  }

  /** The stream as this process has seen it last: it may be further by now. */
  kept(stream: string): Loaded<State> | undefined {
    return this.#kept.kept(stream);
  }

  /** An event that was read elsewhere; the first one of a stream need not be read again. */
  seen(event: Fact & Pick<StoredEvent, 'stream' | 'revision' | 'partition' | 'position'>): void {
    const { stream, revision, partition, position } = event;
    if (revision !== 0 || this.#kept.kept(stream)) return;
    const state = this.#evolve(undefined, event);
    this.#kept.keep(stream, { state, revision, checkpoint: { [partition]: position } });
  }

  /**
   * Decides on the stream, and appends. First on what is kept: events that are decided on that are stored only where the
   * stream is so still; that nothing is to be done is believed only after a look. Throws NotAppendedError.
   */
  async decide(
    stream: string,
    decide: (state: State | undefined) => Decided<DomainEvent<T>> | Refused,
  ): Promise<Applied> {
    const kept = this.#kept.kept(stream);
    const onKept = kept && (await this.#decideOn(stream, decide, kept));
    const done =
      onKept && onKept.kind !== 'look' ? onKept : await this.#decideOn(stream, decide, undefined);
    if (done.kind === 'refused') return done;
    if (done.kind === 'look') throw new TypeError(`${stream} was looked at`);
    if (done.kind !== 'carried') throw new NotAppendedError(stream, done.detail);
    return { kind: done.events.length === 0 || done.duplicate ? 'unchanged' : 'appended' };
  }

  async #decideOn(
    stream: string,
    decide: (state: State | undefined) => Decided<DomainEvent<T>> | Refused,
    known: Loaded<State> | undefined,
  ) {
    const onState = (loaded: Loaded<State>) => {
      const made = decide(loaded.state);
      const isNothing = made.kind !== 'decided' || made.events.length === 0;
      return isNothing && loaded === known ? look : made;
    };
    const done = await changeStream(this.#means, this.#kind, stream, onState, {
      folds: this.#kept,
      ...(known ? { known } : {}),
    });
    if (done.kind === 'carried' && done.events.length > 0 && !done.duplicate) {
      const { before, events, revision, checkpoint } = done;
      const state = events.reduce<State | undefined>(
        (at, event) => this.#evolve(at, event as Fact),
        before.state,
      );
      this.#kept.keep(stream, { state, revision, checkpoint });
    }
    return done;
  }
}

type CheckoutEventType = (typeof checkoutEventTypes)[number];
type SellerEventType = (typeof sellerEventTypes)[number];

export interface PaymentsFolds {
  readonly checkouts: Folds<Checkout, CheckoutEventType>;
  readonly sellers: Folds<Seller, SellerEventType>;
}

/** One for each process: its reactors share what they have seen. */
export function paymentsFolds(log: EventLog, cipher: SubjectCipher): PaymentsFolds {
  const means = { log, cipher };
  return {
    checkouts: new Folds<Checkout, CheckoutEventType>(means, checkoutEvents, evolve),
    sellers: new Folds<Seller, SellerEventType>(means, sellerEvents, evolveSeller),
  };
}
