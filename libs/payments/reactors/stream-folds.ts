import type { SubjectCipher } from '@annals/core';
import type { DomainEvent, EventLog } from '@annals/event-log';
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

/** Streams of one kind as reactors know them: without what is sealed, and kept between looks. */
class Folds<State, T extends StreamEventType> {
  readonly #means: ChangeMeans;
  readonly #kind: StreamKind<State, T>;
  readonly #kept = new KeptFolds<State>();

  constructor(means: ChangeMeans, kind: StreamKind<State, T>) {
    this.#means = means;
    this.#kind = kind;
  }

  load(stream: string): Promise<Loaded<State>> {
    return this.#kept.load(this.#means, this.#kind, stream);
  }

  /** Decides on the stream as it is, and appends. Throws NotAppendedError. */
  async decide(
    stream: string,
    decide: (state: State | undefined) => Decided<DomainEvent<T>> | Refused,
  ): Promise<Applied> {
    const onState = ({ state }: Loaded<State>) => decide(state);
    const done = await changeStream(this.#means, this.#kind, stream, onState, {
      folds: this.#kept,
    });
    if (done.kind === 'refused') return done;
    if (done.kind !== 'carried') throw new NotAppendedError(stream, done.detail);
    return { kind: done.events === 0 || done.duplicate ? 'unchanged' : 'appended' };
  }
}

type CheckoutEventType = (typeof checkoutEventTypes)[number];
type SellerEventType = (typeof sellerEventTypes)[number];

export interface PaymentsFolds {
  readonly checkouts: Folds<Checkout, CheckoutEventType>;
  readonly sellers: Folds<Seller, SellerEventType>;
}

export function paymentsFolds(log: EventLog, cipher: SubjectCipher): PaymentsFolds {
  const means = { log, cipher };
  return {
    checkouts: new Folds<Checkout, CheckoutEventType>(means, {
      types: checkoutEvents,
      evolve: (state, event) => evolve(state, event as never),
    }),
    sellers: new Folds<Seller, SellerEventType>(means, {
      types: sellerEvents,
      evolve: (state, event) => evolveSeller(state, event as never),
    }),
  };
}
