import type { StreamKind } from './change.ts';
import type { checkoutEventTypes } from './checkout-events.ts';
import { checkoutEvents, sellerEvents } from './events.ts';
import type { sellerEventTypes } from './seller-events.ts';
import { evolveSeller, type Seller } from './seller-state.ts';
import { type Checkout, evolve } from './state.ts';

/** A checkout with what is sealed in its events; `method` is undefined before a card was given, and where the buyer was erased. */
export interface OpenedCheckout {
  readonly checkout: Checkout;
  readonly method: string | undefined;
  readonly buyerInfo: { readonly [field: string]: string } | undefined;
}

export interface RegisteredSeller {
  readonly seller: Seller;
  /** Undefined before it was set, and where the seller was erased. */
  readonly bankToken: string | undefined;
}

type CheckoutKind = StreamKind<OpenedCheckout, (typeof checkoutEventTypes)[number]>;
type SellerKind = StreamKind<RegisteredSeller, (typeof sellerEventTypes)[number]>;

export const checkoutStreams: CheckoutKind = {
  types: checkoutEvents,
  ofFacts: true,
  evolve: (state, event) => {
    const checkout = evolve(state?.checkout, event as Parameters<typeof evolve>[1]);
    if (!checkout) return undefined;
    if (event.type === 'payment-page-completed') {
      return { buyerInfo: undefined, ...state, checkout, method: event.data.method };
    }
    if (event.type !== 'checkout-opened') {
      return { method: undefined, buyerInfo: undefined, ...state, checkout };
    }
    return { checkout, method: event.data.method, buyerInfo: event.data.buyer_info };
  },
};

export const sellerStreams: SellerKind = {
  types: sellerEvents,
  ofFacts: true,
  evolve: (state, event) => {
    const seller = evolveSeller(state?.seller, event as Parameters<typeof evolveSeller>[1]);
    if (!seller) return undefined;
    if (event.type !== 'seller-bank-set') return { bankToken: undefined, ...state, seller };
    return { seller, bankToken: event.data.bank_token };
  },
};

/** The same without what is sealed: this may be kept. */
export const sellerFacts: StreamKind<Seller, (typeof sellerEventTypes)[number]> = {
  types: sellerEvents,
  ofFacts: true,
  evolve: (seller, event) => evolveSeller(seller, event as Parameters<typeof evolveSeller>[1]),
};
