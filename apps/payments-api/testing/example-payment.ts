/** What tests send: a shop that sells in two currencies, and a payment of one order. */

export const shopInput = {
  currencies: [
    { currency: 'USD', fee_basis_points: 500, fee_fixed: '0', payout_minimum: '1' },
    { currency: 'JPY', fee_basis_points: 500, fee_fixed: '0', payout_minimum: '1' },
  ],
  reserve_basis_points: 0,
  release_after_days: 7,
  payout_schedule: 'manual' as const,
};

export function orderInput(id = 'o-1', amount = '10000') {
  return { payment_order_id: id, seller_account: 'shop', amount, currency: 'USD' };
}

/** The same without a card: it is given on a page of the provider. */
export function pageInput(checkoutId = 'c-1', more: object = {}) {
  const { credit_card_info: _, ...input } = paymentInput(checkoutId, {
    return_url: 'https://shop.example/back',
  });
  return { ...input, ...more };
}

export function paymentInput(checkoutId = 'c-1', more: object = {}) {
  return {
    checkout_id: checkoutId,
    buyer_info: { email: 'ann@example.org', name: 'Ann' },
    credit_card_info: 'pm_card_visa',
    payment_orders: [orderInput()],
    ...more,
  };
}
