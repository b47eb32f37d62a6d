import { idFromKey } from '@annals/core';
import type { CheckoutEvent, SellerEvent } from '../events.ts';
import type { OrderFold } from '../order-state.ts';
import { type Refused, refused } from '../outcome.ts';
import type { PspMoney } from '../psp/port.ts';
import type { Checkout } from '../state.ts';

/**
 * Commands to events, or a refusal. Pure: times and ids come in with the command, and ids are made of what is
 * natural, so that a command that comes again makes the same events.
 */

type EventOf<Union, Type> = Extract<Union, { readonly type: Type }>;

/** An event of a checkout's stream. `key`: what tells it from others of its type in this stream. */
export function checkoutEvent<Type extends CheckoutEvent['type']>(
  type: Type,
  key: readonly (string | number)[],
  at: number,
  data: EventOf<CheckoutEvent, Type>['data'] & { readonly checkout_id: string },
): CheckoutEvent {
  const id = idFromKey(type, data.checkout_id, ...key.map(String));
  return { type, id, occurredAt: at, data } as unknown as CheckoutEvent;
}

/** The same for a seller's stream. */
export function sellerEvent<Type extends SellerEvent['type']>(
  type: Type,
  key: readonly (string | number)[],
  at: number,
  data: EventOf<SellerEvent, Type>['data'] & { readonly seller_account: string },
): SellerEvent {
  const id = idFromKey(type, data.seller_account, ...key.map(String));
  return { type, id, occurredAt: at, data } as unknown as SellerEvent;
}

/** An order of a checkout, and the members that every event of it begins with. */
export interface FoundOrder {
  readonly kind: 'order';
  readonly checkout: Checkout;
  readonly order: OrderFold;
  readonly ids: { readonly checkout_id: string; readonly payment_order_id: string };
  readonly booked: { readonly seller_account: string; readonly currency: string };
}

export function findOrder(
  checkout: Checkout | undefined,
  orderId: string,
): FoundOrder | Refused<'unknown-checkout' | 'unknown-order'> {
  if (!checkout) return refused('unknown-checkout', 'there is no such checkout');
  const order = checkout.orders.get(orderId);
  if (!order) return refused('unknown-order', `checkout ${checkout.id} has no order ${orderId}`);
  return {
    kind: 'order',
    checkout,
    order,
    ids: { checkout_id: checkout.id, payment_order_id: orderId },
    booked: { seller_account: order.terms.seller_account, currency: checkout.currency },
  };
}

/**
 * What is booked of a fee: none that the provider takes in another currency than it has charged in. The books of both would be
 * wrong: reconciliation finds the row of the provider's file, which is in that currency as a whole.
 */
export function bookedFee(fee: PspMoney | undefined, currency: string): string {
  return fee?.currency === currency ? String(fee.amount) : '0';
}

/** Takes `amount` from a seller: what is pending of this order first, the rest from what is available. */
export function takeFrom({ pending }: OrderFold, amount: bigint) {
  const fromPending = amount < pending ? amount : pending;
  return { pending: String(fromPending), available: String(amount - fromPending) };
}

/** Gives back what was taken: to pending only what came from there, and only while the order is not released. */
export function giveBack(order: OrderFold, amount: bigint, fromPending: bigint) {
  const toPending = order.state === 'captured' ? fromPending : 0n;
  return { pending: String(toPending), available: String(amount - toPending) };
}
