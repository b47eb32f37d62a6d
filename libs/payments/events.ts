import { type DomainEvent, EventTypes, type RecordedEvent } from '@annals/event-log';
import { checkoutEventTypes } from './checkout-events.ts';
import {
  type FinanceEvent,
  financeEventTypes,
  type RecordedFinanceEvent,
} from './finance/events.ts';
import {
  type RecordedSettlementEvent,
  type SettlementEvent,
  settlementEventTypes,
} from './reconciliation/events.ts';
import { sellerEventTypes } from './seller-events.ts';

export type CheckoutEvent = DomainEvent<(typeof checkoutEventTypes)[number]>;
export type SellerEvent = DomainEvent<(typeof sellerEventTypes)[number]>;
export type PaymentsEvent = CheckoutEvent | SellerEvent | SettlementEvent | FinanceEvent;
/** What decide and evolve look at: no ids and no times. */
export type CheckoutFact = Pick<CheckoutEvent, 'type' | 'data'>;
export type RecordedCheckoutEvent = RecordedEvent<(typeof checkoutEventTypes)[number]>;
export type RecordedSellerEvent = RecordedEvent<(typeof sellerEventTypes)[number]>;
export type RecordedPaymentsEvent =
  | RecordedCheckoutEvent
  | RecordedSellerEvent
  | RecordedSettlementEvent
  | RecordedFinanceEvent;
/** The recorded events of these types. */
export type RecordedOf<Type extends RecordedPaymentsEvent['type']> = Extract<
  RecordedPaymentsEvent,
  { readonly type: Type }
>;

/** Every event of the payments streams. */
export const paymentsEvents = new EventTypes([
  ...checkoutEventTypes,
  ...sellerEventTypes,
  ...settlementEventTypes,
  ...financeEventTypes,
]);
export const checkoutEvents = new EventTypes([...checkoutEventTypes]);
export const sellerEvents = new EventTypes([...sellerEventTypes]);
