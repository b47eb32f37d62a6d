import type { RecordedPaymentsEvent } from '../events.ts';
import type { RiskRequest } from './port.ts';

/** What is asked about each order of a checkout; undefined for other events, and once the buyer was erased. */
export function riskRequestsOf(event: RecordedPaymentsEvent): readonly RiskRequest[] | undefined {
  if (event.type !== 'checkout-opened') return undefined;
  const { checkout_id: checkoutId, currency, orders, buyer_info: info, method } = event.data;
  if (!info || !method) return undefined;
  const { name, country } = info;
  // Without an account or an address nobody can tell whether two checkouts are of one buyer.
  const buyer = (info.buyer_id ?? info.email ?? checkoutId).trim().toLowerCase();
  return orders.map(({ payment_order_id: orderId, seller_account: seller, amount }) => ({
    ...{ checkoutId, orderId, seller, buyer, at: event.recordedAt },
    amount: { amount: BigInt(amount), currency },
    // Before a charge a card is known by its token: the same one for a card that the provider keeps.
    fingerprint: method,
    ...(name === undefined ? {} : { buyerName: name }),
    ...(country === undefined ? {} : { country: country.toUpperCase() }),
  }));
}
