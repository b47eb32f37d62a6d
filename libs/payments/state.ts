import { capturedOrder, evolveAttempts } from './attempt-state.ts';
import type { CheckoutFact } from './events.ts';
import { evolveMoneyBack } from './money-back-state.ts';
import { type Data, newOrder, type OrderFold } from './order-state.ts';
import { move, type OrderState, orderMoves, type PageState, pageMoves } from './transitions.ts';

export type Authentication =
  | { readonly state: 'none' }
  | { readonly state: 'requested'; readonly psp: string }
  | {
      readonly state: 'requires_action';
      readonly psp: string;
      readonly id: string;
      readonly actionUrl: string;
    }
  | { readonly state: 'authenticated'; readonly psp: string; readonly id: string }
  | { readonly state: 'failed'; readonly psp: string };

/** The page where the provider asks the buyer for a card. */
export interface PaymentPage {
  readonly state: PageState;
  readonly psp: string;
  readonly expiresAt: number;
  /** The provider's id of it, and where the buyer goes; once there is one. */
  readonly id: string | undefined;
  readonly url: string | undefined;
  /** The provider is to close it, asked for the how manieth time: nobody is sent there any more. Absent unless it is. */
  readonly closing?: number;
}

/** The fold of a checkout's stream. */
export interface Checkout {
  readonly id: string;
  readonly currency: string;
  readonly capture: 'automatic' | 'manual';
  readonly expiresAt: number;
  readonly returnUrl: string | undefined;
  readonly authentication: Authentication;
  /** Absent where the checkout came with a token. */
  readonly page?: PaymentPage;
  readonly orders: ReadonlyMap<string, OrderFold>;
}

/** The checkout after `event`; undefined before it was opened. Throws ForbiddenMoveError for a stream that cannot be. */
export function evolve(state: Checkout | undefined, event: CheckoutFact): Checkout | undefined {
  if (event.type === 'checkout-opened') return opened(event.data as Data<'checkout-opened'>);
  if (!state) throw new TypeError(`${event.type} before checkout-opened`);
  const authentication = authenticationAfter(state.authentication, event);
  if (authentication) return { ...state, authentication };
  if (event.type === 'card-identified') return state;
  const onPage = pageAfter(state, event);
  if (onPage) return onPage;
  const { payment_order_id } = event.data as { readonly payment_order_id: string };
  const order = state.orders.get(payment_order_id);
  if (!order)
    throw new TypeError(`${event.type}: checkout ${state.id} has no order ${payment_order_id}`);
  return {
    ...state,
    orders: new Map(state.orders).set(payment_order_id, evolveOrder(order, event)),
  };
}

function opened(data: Data<'checkout-opened'>): Checkout {
  return {
    id: data.checkout_id,
    currency: data.currency,
    capture: data.capture,
    expiresAt: data.expires_at,
    returnUrl: data.return_url,
    authentication: { state: 'none' },
    orders: new Map(data.orders.map((terms) => [terms.payment_order_id, newOrder(terms)])),
  };
}

function authenticationAfter(
  before: Authentication,
  { type, data }: CheckoutFact,
): Authentication | undefined {
  const psp = before.state === 'none' ? '' : before.psp;
  switch (type) {
    case 'authentication-requested':
      return { state: 'requested', psp: (data as Data<typeof type>).psp };
    case 'authentication-action-required': {
      const { authentication_id: id, action_url: actionUrl } = data as Data<typeof type>;
      return { state: 'requires_action', psp, id, actionUrl };
    }
    case 'checkout-authenticated':
      return { state: 'authenticated', psp, id: (data as Data<typeof type>).authentication_id };
    case 'authentication-failed':
      return { state: 'failed', psp };
    default:
      return undefined;
  }
}

function pageAfter(state: Checkout, { type, data }: CheckoutFact): Checkout | undefined {
  if (type === 'payment-page-requested') {
    const { psp, expires_at: expiresAt } = data as Data<typeof type>;
    const page = { state: 'requested', psp, expiresAt, id: undefined, url: undefined } as const;
    return { ...state, page };
  }
  const to = (one: PageState, more: Partial<PaymentPage> = {}): Checkout => {
    if (!state.page) throw new TypeError(`${type}: checkout ${state.id} has no page`);
    const moved = move(pageMoves, 'a payment page', state.page.state, one);
    return { ...state, page: { ...state.page, ...more, state: moved } };
  };
  switch (type) {
    case 'payment-page-opened': {
      const { page_id: id, page_url: url } = data as Data<typeof type>;
      return to('opened', { id, url });
    }
    case 'payment-page-completed': {
      const { psp, authentication_id: id } = data as Data<typeof type>;
      return { ...to('completed'), authentication: { state: 'authenticated', psp, id } };
    }
    case 'payment-page-close-requested':
      return to('opened', { closing: (data as Data<typeof type>).attempt });
    case 'payment-page-closed':
      return to('closed');
    case 'payment-page-expired':
      return to('expired');
    case 'payment-page-refused':
      return to('refused');
    default:
      return undefined;
  }
}

function evolveOrder(order: OrderFold, event: CheckoutFact): OrderFold {
  const { type, data } = event;
  const to = (state: OrderState) => move(orderMoves, 'an order', order.state, state);
  switch (type) {
    case 'order-risk-assessed': {
      const { verdict } = data as Data<typeof type>;
      if (verdict === 'accepted') return { ...order, cleared: true };
      return { ...order, state: to(verdict === 'review' ? 'risk_review' : 'failed') };
    }
    case 'order-review-decided': {
      const review = (data as Data<typeof type>).verdict;
      const isApproved = review === 'approved';
      const state = to(isApproved ? 'not_started' : 'failed');
      return { ...order, review, cleared: isApproved, state };
    }
    case 'order-ended': {
      const { as, reason } = data as Data<typeof type>;
      return { ...order, state: to(as), ended: reason };
    }
    case 'call-dead-lettered': {
      const { intent_id } = data as Data<typeof type>;
      return { ...order, deadLetters: [...order.deadLetters, intent_id] };
    }
    case 'order-captured':
      return capturedOrder(order, data as Data<typeof type>);
    case 'order-released':
      return { ...order, state: to('succeeded'), pending: 0n };
    default:
      return evolveAttempts(order, event) ?? evolveMoneyBack(order, event);
  }
}
