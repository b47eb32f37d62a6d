import type { CheckoutEvent } from './events.ts';
import type { AttemptState, DisputeState, OrderState, RefundState } from './transitions.ts';

/** What an event says. */
export type Data<Type extends CheckoutEvent['type']> = Extract<
  CheckoutEvent,
  { type: Type }
>['data'];
export type OrderTerms = Data<'checkout-opened'>['orders'][number];
export type DoubtfulCall = Data<'call-in-doubt'>['call'];

export interface Attempt {
  readonly number: number;
  readonly psp: string;
  readonly paymentId: string | undefined;
  readonly state: AttemptState;
  readonly authorized: bigint;
  readonly actionUrl: string | undefined;
  /** The call of which nobody knows what became. */
  readonly doubt: DoubtfulCall | undefined;
  /** What was asked for and is not answered yet. */
  readonly capturing: bigint | undefined;
  readonly voiding: 'canceled' | 'expired' | undefined;
  readonly declined: { readonly reason: string; readonly code: string } | undefined;
  /** How many captures and voids the provider has refused. Absent: none. */
  readonly refusals?: number;
  /** The last of them, until the payment comes to something. */
  readonly refused?: RefusedCall | undefined;
}

/** A capture or a void that the provider surely did not carry out. */
export type RefusedCall = { readonly reason: string; readonly detail: string } & (
  | { readonly call: 'capture' }
  | {
      readonly call: 'void';
      readonly as: 'canceled' | 'expired';
      /** How many in a row were refused that nobody had asked for. */
      readonly tries: number;
      /** When it is let go again by itself. Absent: not by itself. */
      readonly againAt?: number;
    }
);

export interface Refund {
  readonly id: string;
  readonly amount: bigint;
  /** How much of it was taken from what the seller had pending. */
  readonly fromPending: bigint;
  readonly state: RefundState;
  /** The provider's id of it, once the provider has said one. */
  readonly pspRefundId: string | undefined;
}

export interface Dispute {
  readonly id: string;
  readonly amount: bigint;
  readonly fromPending: bigint;
  readonly state: DisputeState;
  /** How often the provider was to be sent evidence. */
  readonly submissions: number;
  /** Who gave what is on its way to the provider. */
  readonly submittedBy: string | undefined;
}

export interface OrderFold {
  readonly terms: OrderTerms;
  readonly state: OrderState;
  /** Whether risk has let it through. */
  readonly cleared: boolean;
  /** What a person said of it, where risk asked for one. */
  readonly review: 'approved' | 'rejected' | undefined;
  readonly attempts: readonly Attempt[];
  readonly captured: bigint;
  readonly net: bigint;
  /** Of `net`, what the seller still has pending: less what refunds and disputes took before the release. */
  readonly pending: bigint;
  readonly releaseAt: number | undefined;
  readonly refunds: ReadonlyMap<string, Refund>;
  readonly disputes: ReadonlyMap<string, Dispute>;
  readonly ended: string | undefined;
  /** The intents whose outcome a person has to find out; those that were found out since are still named. */
  readonly deadLetters: readonly string[];
}

export function lastAttempt(order: OrderFold): Attempt | undefined {
  return order.attempts.at(-1);
}

/** Captured, less what was given back and what is disputed or lost. */
export function refundable(order: OrderFold): bigint {
  let left = order.captured;
  for (const { amount, state } of order.refunds.values()) if (state !== 'failed') left -= amount;
  for (const { amount, state } of order.disputes.values()) if (state !== 'won') left -= amount;
  return left;
}

export function newOrder(terms: OrderTerms): OrderFold {
  return {
    terms,
    state: 'not_started',
    cleared: false,
    review: undefined,
    attempts: [],
    captured: 0n,
    net: 0n,
    pending: 0n,
    releaseAt: undefined,
    refunds: new Map(),
    disputes: new Map(),
    ended: undefined,
    deadLetters: [],
  };
}
