import { type AmountSteps, orderProblem } from './amount-steps.ts';
import type { ChangeMeans, KeptFolds } from './change.ts';
import { type CheckoutChanged, changeCheckout } from './change-checkout.ts';
import { type At, type CallMeans, calledAt } from './command-time.ts';
import { type OpenCheckout, openCheckout } from './decide/checkout.ts';
import { type OpenedCheckout, sellerFacts } from './known-streams.ts';
import { refused } from './outcome.ts';
import type { Seller } from './seller-state.ts';
import type { Checkout } from './state.ts';
import { sellerStream } from './streams.ts';

/** With a token of the card, or with the provider that makes a page where the buyer gives one. */
export type OpenCommand = Omit<OpenCheckout, 'at' | 'page'> &
  At & { readonly page?: { readonly psp: string; readonly pageExpiresAt: number } };

export interface OpenMeans extends ChangeMeans, CallMeans {
  /** Which amounts providers take. Without it any. */
  readonly steps?: AmountSteps;
}

/** Opens a checkout. Of sellers that were asked for before, only what is new is read. */
export async function openOnce(
  means: OpenMeans,
  kept: KeptFolds<Seller>,
  command: OpenCommand,
): Promise<CheckoutChanged> {
  for (const { paymentOrderId, sellerAccount, amount } of command.orders) {
    const { currency } = command;
    const order = { amount: { amount, currency }, seller: sellerAccount };
    const problem = orderProblem(order, means.steps);
    if (problem !== undefined) return refused('amount-step', `order ${paymentOrderId}: ${problem}`);
  }
  const sellers = new Map<string, Seller>();
  for (const account of new Set(command.orders.map((order) => order.sellerAccount))) {
    const { state } = await kept.load(means, sellerFacts, sellerStream(account));
    if (state) sellers.set(account, state);
  }
  const { page, ...rest } = command;
  const { at, callBefore } = calledAt(command, means);
  const asked = { ...rest, at, ...(page ? { page: { ...page, callBefore } } : {}) };
  return changeCheckout(means, command.checkoutId, (checkout, { method, buyerInfo }) => {
    const decision = openCheckout(checkout, sellers, asked);
    const isKnown = decision.kind === 'refused' && decision.reason === 'checkout-exists';
    if (!isKnown || !checkout) return decision;
    const isSame =
      sameCheckout(checkout, command) &&
      (command.page ? checkout.page !== undefined : method === command.method) &&
      sameInfo(buyerInfo, command.buyerInfo);
    return isSame ? { kind: 'decided', events: [] } : decision;
  });
}

/** Whether the checkout that is there is the one of the command; the terms of its sellers may be others by now. */
function sameCheckout(checkout: Checkout, command: OpenCommand): boolean {
  const { currency, capture, expiresAt, returnUrl, orders } = command;
  return (
    checkout.currency === currency &&
    checkout.capture === capture &&
    checkout.expiresAt === expiresAt &&
    checkout.returnUrl === returnUrl &&
    checkout.orders.size === orders.length &&
    orders.every(({ paymentOrderId, sellerAccount, amount, description }) => {
      const terms = checkout.orders.get(paymentOrderId)?.terms;
      return (
        terms?.seller_account === sellerAccount &&
        terms.amount === String(amount) &&
        terms.description === description
      );
    })
  );
}

function sameInfo(a: OpenedCheckout['buyerInfo'], b: OpenCheckout['buyerInfo']): boolean {
  if (!a) return false;
  const entries = Object.entries(b);
  return (
    Object.keys(a).length === entries.length && entries.every(([key, value]) => a[key] === value)
  );
}
