import { type DomainEvent, EventTypes, type RecordedEvent } from '@annals/event-log';
import { checkoutEventTypes } from './checkout-events.ts';
import { sellerEventTypes } from './seller-events.ts';

export type CheckoutEvent = DomainEvent<(typeof checkoutEventTypes)[number]>;
export type SellerEvent = DomainEvent<(typeof sellerEventTypes)[number]>;
export type PaymentsEvent = CheckoutEvent | SellerEvent;
/** What decide and evolve look at: no ids and no times. */
export type CheckoutFact = Pick<CheckoutEvent, 'type' | 'data'>;
export type RecordedPaymentsEvent = RecordedEvent<
  (typeof checkoutEventTypes)[number] | (typeof sellerEventTypes)[number]
>;

/** Every event of the payments streams. */
export const paymentsEvents = new EventTypes([...checkoutEventTypes, ...sellerEventTypes]);
export const checkoutEvents = new EventTypes([...checkoutEventTypes]);
export const sellerEvents = new EventTypes([...sellerEventTypes]);
