import type { CheckoutEvent, CheckoutFact } from './events.ts';
import {
  type AttemptState,
  attemptMoves,
  type ClaimState,
  claimMoves,
  type DisputeState,
  disputeMoves,
  move,
  type OrderState,
  orderMoves,
  type PageState,
  pageMoves,
  type RefundState,
  refundMoves,
} from './transitions.ts';

type Data<Type extends CheckoutEvent['type']> = Extract<CheckoutEvent, { type: Type }>['data'];
export type OrderTerms = Data<'checkout-opened'>['orders'][number];
export type DoubtfulCall = Data<'call-in-doubt'>['call'];

export interface Attempt {
  readonly number: number;
  readonly psp: string;
  readonly paymentId: string | undefined;
  readonly state: AttemptState;
  readonly authorized: bigint;
  readonly actionUrl: string | undefined;
  /** The call of which nobody knows what became. */
  readonly doubt: DoubtfulCall | undefined;
  /** What was asked for and is not answered yet. */
  readonly capturing: bigint | undefined;
  readonly voiding: 'canceled' | 'expired' | undefined;
  readonly declined: { readonly reason: string; readonly code: string } | undefined;
  /** How many captures and voids the provider has refused. Absent: none. */
  readonly refusals?: number;
  /** The last of them, until the payment comes to something. */
  readonly refused?: RefusedCall | undefined;
}

/** A capture or a void that the provider surely did not carry out. */
export type RefusedCall = { readonly reason: string; readonly detail: string } & (
  | { readonly call: 'capture' }
  | {
      readonly call: 'void';
      readonly as: 'canceled' | 'expired';
      /** How many in a row were refused that nobody had asked for. */
      readonly tries: number;
      /** When it is let go again by itself. Absent: not by itself. */
      readonly againAt?: number;
    }
);

export interface Refund {
  readonly id: string;
  readonly amount: bigint;
  /** How much of it was taken from what the seller had pending. */
  readonly fromPending: bigint;
  readonly state: RefundState;
  /** The provider's id of it, once the provider has said one. */
  readonly pspRefundId: string | undefined;
}

export interface Dispute {
  readonly id: string;
  readonly amount: bigint;
  readonly fromPending: bigint;
  readonly state: DisputeState;
  /** How often the provider was to be sent evidence. */
  readonly submissions: number;
  /** Who gave what is on its way to the provider. */
  readonly submittedBy: string | undefined;
}

export interface OrderFold {
  readonly terms: OrderTerms;
  readonly state: OrderState;
  /** Whether risk has let it through. */
  readonly cleared: boolean;
  /** What a person said of it, where risk asked for one. */
  readonly review: 'approved' | 'rejected' | undefined;
  readonly attempts: readonly Attempt[];
  readonly captured: bigint;
  readonly net: bigint;
  /** Of `net`, what the seller still has pending: less what refunds and disputes took before the release. */
  readonly pending: bigint;
  readonly releaseAt: number | undefined;
  readonly refunds: ReadonlyMap<string, Refund>;
  readonly disputes: ReadonlyMap<string, Dispute>;
  readonly ended: string | undefined;
  /** The intents whose outcome a person has to find out; those that were found out since are still named. */
  readonly deadLetters: readonly string[];
}

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

export function lastAttempt(order: OrderFold): Attempt | undefined {
  return order.attempts.at(-1);
}

/** Captured, less what was given back and what is disputed or lost. */
export function refundable(order: OrderFold): bigint {
  let left = order.captured;
  for (const { amount, state } of order.refunds.values()) if (state !== 'failed') left -= amount;
  for (const { amount, state } of order.disputes.values()) if (state !== 'won') left -= amount;
  return left;
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

function newOrder(terms: OrderTerms): OrderFold {
  return {
    terms,
    state: 'not_started',
    cleared: false,
    review: undefined,
    attempts: [],
    captured: 0n,
    net: 0n,
    pending: 0n,
    releaseAt: undefined,
    refunds: new Map(),
    disputes: new Map(),
    ended: undefined,
    deadLetters: [],
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

function capturedOrder(order: OrderFold, data: Data<'order-captured'>): OrderFold {
  const net = BigInt(data.net);
  const attempts = withAttempt(order, data.attempt, (attempt) => ({
    ...attempt,
    ...settledCall,
    state: move(attemptMoves, 'an attempt', attempt.state, 'captured'),
    authorized: 0n,
  }));
  return {
    ...order,
    attempts,
    state: move(orderMoves, 'an order', order.state, 'captured'),
    captured: BigInt(data.amount),
    net,
    pending: net,
    releaseAt: data.release_at,
  };
}

const settledCall = {
  ...{ doubt: undefined, capturing: undefined, voiding: undefined, refused: undefined },
} as const;

function withAttempt(
  order: OrderFold,
  number: number,
  change: (attempt: Attempt) => Attempt,
): readonly Attempt[] {
  if (!order.attempts.some((attempt) => attempt.number === number)) {
    throw new TypeError(`order ${order.terms.payment_order_id} has no attempt ${number}`);
  }
  return order.attempts.map((attempt) => (attempt.number === number ? change(attempt) : attempt));
}

function evolveAttempts(order: OrderFold, { type, data }: CheckoutFact): OrderFold | undefined {
  const change = (state: OrderState, one: Partial<Attempt>): OrderFold => {
    const { attempt: number } = data as { readonly attempt: number };
    const attempts = withAttempt(order, number, (attempt) => ({
      ...attempt,
      ...one,
      state: move(attemptMoves, 'an attempt', attempt.state, one.state ?? attempt.state),
    }));
    return { ...order, attempts, state: move(orderMoves, 'an order', order.state, state) };
  };
  switch (type) {
    case 'attempt-requested':
      return begun(order, data as Data<typeof type>);
    case 'attempt-created': {
      const { psp_payment_id: paymentId } = data as Data<typeof type>;
      return change('executing', { ...settledCall, state: 'created', paymentId });
    }
    case 'attempt-confirm-requested':
      return change('executing', { state: 'confirming' });
    case 'attempt-action-required': {
      const { action_url: actionUrl } = data as Data<typeof type>;
      return change('requires_action', { ...settledCall, state: 'requires_action', actionUrl });
    }
    case 'attempt-authorized': {
      const authorized = BigInt((data as Data<typeof type>).amount);
      return change('authorized', { ...settledCall, state: 'authorized', authorized });
    }
    case 'attempt-declined': {
      const { reason, code, final } = data as Data<typeof type>;
      const declined = { reason, code };
      return change(final ? 'failed' : 'executing', {
        ...settledCall,
        state: 'declined',
        declined,
      });
    }
    case 'call-in-doubt':
      return change('unknown', { doubt: (data as Data<typeof type>).call });
    case 'capture-requested': {
      claim(order, data as Data<typeof type>, 'capturing');
      const capturing = BigInt((data as Data<typeof type>).amount);
      return change(order.state, { capturing });
    }
    case 'void-requested':
      claim(order, data as Data<typeof type>, 'voiding');
      return change(order.state, { voiding: (data as Data<typeof type>).reason });
    case 'capture-refused':
    case 'void-refused': {
      const of = data as Data<typeof type>;
      const { state } = claim(order, of, 'none');
      return change(stateOfAttempt[state] ?? order.state, {
        ...{ ...settledCall, refusals: of.refusals, refused: refusedCall(of) },
      });
    }
    case 'attempt-voided': {
      const { reason } = data as Data<typeof type>;
      return change(reason, { ...settledCall, state: 'voided', authorized: 0n });
    }
    default:
      return undefined;
  }
}

/** The attempt, where it may be claimed for this. */
function claim(
  order: OrderFold,
  { attempt: number }: { readonly attempt: number },
  to: ClaimState,
): Attempt {
  const attempt = order.attempts.find((one) => one.number === number);
  if (!attempt) throw new TypeError(`an order has no attempt ${number}`);
  const { capturing, voiding } = attempt;
  const voided = voiding === undefined ? 'none' : 'voiding';
  const from: ClaimState = capturing === undefined ? voided : 'capturing';
  move(claimMoves, 'a capture or void', from, to);
  return attempt;
}

/** What an order is again whose call was in doubt, and is known to have had no effect. */
const stateOfAttempt: { readonly [State in AttemptState]?: OrderState } = {
  created: 'executing',
  requires_action: 'requires_action',
  authorized: 'authorized',
};

function refusedCall(data: Data<'capture-refused' | 'void-refused'>): RefusedCall {
  const { reason, detail } = data;
  if (!('as' in data)) return { call: 'capture', reason, detail };
  const { as, tries, again_at: againAt } = data;
  return { call: 'void', reason, detail, as, tries, ...(againAt === undefined ? {} : { againAt }) };
}

function begun(order: OrderFold, data: Data<'attempt-requested'>): OrderFold {
  const attempt: Attempt = {
    number: data.attempt,
    psp: data.psp,
    paymentId: undefined,
    state: 'requested',
    authorized: 0n,
    actionUrl: undefined,
    ...settledCall,
    declined: undefined,
  };
  return {
    ...order,
    state: move(orderMoves, 'an order', order.state, 'executing'),
    attempts: [...order.attempts, attempt],
  };
}

/** Refunds and disputes: the order's own state stays. */
function evolveMoneyBack(order: OrderFold, { type, data }: CheckoutFact): OrderFold {
  switch (type) {
    case 'refund-requested': {
      const { refund_id: id, amount, pending } = data as Data<typeof type>;
      const fromPending = BigInt(pending);
      const refund = { id, amount: BigInt(amount), fromPending, pspRefundId: undefined } as const;
      const refunds = new Map(order.refunds).set(id, { ...refund, state: 'requested' });
      return { ...order, refunds, pending: order.pending - fromPending };
    }
    case 'refund-in-doubt':
      return refundAfter(order, (data as Data<typeof type>).refund_id, 'unknown', 0n);
    case 'refund-pending': {
      const { refund_id, psp_refund_id } = data as Data<typeof type>;
      return refundAfter(order, refund_id, 'pending', 0n, psp_refund_id);
    }
    case 'refund-succeeded': {
      const { refund_id, psp_refund_id } = data as Data<typeof type>;
      return refundAfter(order, refund_id, 'succeeded', 0n, psp_refund_id);
    }
    case 'refund-failed': {
      const { refund_id, pending } = data as Data<typeof type>;
      return refundAfter(order, refund_id, 'failed', BigInt(pending));
    }
    case 'dispute-opened': {
      const { dispute_id: id, amount, pending } = data as Data<typeof type>;
      const fromPending = BigInt(pending);
      const dispute = { id, amount: BigInt(amount), fromPending, state: 'opened' } as const;
      const fresh = { ...dispute, submissions: 0, submittedBy: undefined };
      const disputes = new Map(order.disputes).set(id, fresh);
      return { ...order, disputes, pending: order.pending - fromPending };
    }
    case 'dispute-evidence-requested': {
      const { dispute_id, submission, given_by } = data as Data<typeof type>;
      return disputeWith(order, dispute_id, { submissions: submission, submittedBy: given_by });
    }
    case 'dispute-evidence-refused':
      return disputeWith(order, (data as Data<typeof type>).dispute_id, { submittedBy: undefined });
    case 'dispute-evidence-given':
      return disputeAfter(order, (data as Data<typeof type>).dispute_id, 'evidence_given', 0n);
    case 'dispute-won': {
      const { dispute_id, pending } = data as Data<typeof type>;
      return disputeAfter(order, dispute_id, 'won', BigInt(pending));
    }
    case 'dispute-lost':
      return disputeAfter(order, (data as Data<typeof type>).dispute_id, 'lost', 0n);
    default:
      throw new TypeError(`an order knows no ${type}`);
  }
}

function refundAfter(
  order: OrderFold,
  id: string,
  state: RefundState,
  back: bigint,
  pspRefundId?: string,
): OrderFold {
  const refund = order.refunds.get(id);
  if (!refund) throw new TypeError(`there is no refund ${id}`);
  const after = {
    ...refund,
    state: move(refundMoves, 'a refund', refund.state, state),
    pspRefundId: pspRefundId ?? refund.pspRefundId,
  };
  const refunds = new Map(order.refunds).set(id, after);
  return { ...order, refunds, pending: order.pending + back };
}

function disputeAfter(order: OrderFold, id: string, state: DisputeState, back: bigint): OrderFold {
  const before = order.disputes.get(id)?.state ?? 'opened';
  const moved = move(disputeMoves, 'a dispute', before, state);
  const after = disputeWith(order, id, { state: moved, submittedBy: undefined });
  return { ...after, pending: order.pending + back };
}

function disputeWith(order: OrderFold, id: string, what: Partial<Dispute>): OrderFold {
  const dispute = order.disputes.get(id);
  if (!dispute) throw new TypeError(`there is no dispute ${id}`);
  const disputes = new Map(order.disputes).set(id, { ...dispute, ...what });
  return { ...order, disputes };
}
