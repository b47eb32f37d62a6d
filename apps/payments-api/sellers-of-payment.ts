import type { Problem } from '@annals/http';
import type { SellerTerms } from '@annals/payments';
import { amountStepProblem, paymentsErrors } from './errors.ts';
import type { PaymentInput } from './fields.ts';
import type { PaymentsApiMeans } from './means.ts';

/** The problem of the first order whose seller is not there, or does not sell in its currency. */
export async function sellersProblem(
  means: Pick<PaymentsApiMeans, 'payments' | 'paymentsRead'>,
  { payment_orders }: Pick<PaymentInput, 'payment_orders'>,
): Promise<Problem | undefined> {
  const accounts = [...new Set(payment_orders.map((order) => order.seller_account))];
  const read = await means.paymentsRead.sellers(accounts);
  const known = read.kind === 'answer' ? read.sellers : new Map<string, never>();
  for (const [index, { seller_account, currency }] of payment_orders.entries()) {
    if (sellsIn(known.get(seller_account)?.terms, currency)) continue;
    // The read model may not have seen a seller yet that was registered just now.
    const { state } = await means.payments.seller(seller_account);
    if (sellsIn(state?.seller.terms, currency)) continue;
    return state ? notSold(index, seller_account, currency) : unknownSeller(index, seller_account);
  }
  return undefined;
}

/** The problem of the first order whose amount its provider does not take. */
export function amountsProblem(
  { payments }: Pick<PaymentsApiMeans, 'payments'>,
  { payment_orders }: Pick<PaymentInput, 'payment_orders'>,
): Problem | undefined {
  for (const [index, { seller_account: seller, amount, currency }] of payment_orders.entries()) {
    const order = { amount: { amount: BigInt(amount), currency }, seller };
    const problem = payments.orderProblem(order);
    if (problem !== undefined) return amountStepProblem(`payment_orders.${index}.amount`, problem);
  }
  return undefined;
}

function sellsIn(terms: SellerTerms | undefined, currency: string): boolean {
  return terms?.currencies.some((one) => one.currency === currency) ?? false;
}

function unknownSeller(index: number, account: string): Problem {
  const message = `there is no seller ${account}`;
  const errors = [
    { in: 'body', field: `payment_orders.${index}.seller_account`, message },
  ] as const;
  return paymentsErrors.problem('unknown-seller', { what: message }, { errors });
}

function notSold(index: number, account: string, currency: string): Problem {
  const message = `seller ${account} does not sell in ${currency}`;
  const errors = [{ in: 'body', field: `payment_orders.${index}.currency`, message }] as const;
  return paymentsErrors.problem('currency-not-sold', { what: message }, { errors });
}
