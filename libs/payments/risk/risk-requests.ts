import type { RecordedOf, RecordedPaymentsEvent } from '../events.ts';
import type { RiskRequest } from './port.ts';

export type CheckoutOpened = RecordedOf<'checkout-opened'>;

/** What is known of the card beside what the checkout was opened with. */
export interface KnownCard {
  /** As the provider gives it. */
  readonly fingerprint: string;
  /** When the card was given, where that was later. */
  readonly at?: number;
}

/**
 * What is asked about each order of a checkout; undefined for other events, while no card is known, and once the buyer was
 * erased. A card of which the provider has said nothing is known by its token: the same one for a card that the provider keeps.
 */
export function riskRequestsOf(
  event: RecordedPaymentsEvent,
  card?: KnownCard,
): readonly RiskRequest[] | undefined {
  if (event.type !== 'checkout-opened') return undefined;
  const { checkout_id: checkoutId, currency, orders, buyer_info: info, method } = event.data;
  const fingerprint = card?.fingerprint ?? method;
  if (!info || !fingerprint) return undefined;
  const { name, country } = info;
  // Without an account or an address nobody can tell whether two checkouts are of one buyer.
  const buyer = (info.buyer_id ?? info.email ?? checkoutId).trim().toLowerCase();
  return orders.map(({ payment_order_id: orderId, seller_account: seller, amount }) => ({
    ...{ checkoutId, orderId, seller, buyer, fingerprint, at: card?.at ?? event.recordedAt },
    amount: { amount: BigInt(amount), currency },
    ...(name === undefined ? {} : { buyerName: name }),
    ...(country === undefined ? {} : { country: country.toUpperCase() }),
  }));
}
