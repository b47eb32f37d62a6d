/**
 * The state tables: what may follow what, as data. `evolve` throws for a move that is not here, `decide` refuses it,
 * and docs/payments.md prints them.
 */

export const orderStates = [
  'not_started',
  'risk_review',
  'executing',
  'requires_action',
  'unknown',
  'authorized',
  'captured',
  'succeeded',
  'failed',
  'canceled',
  'expired',
] as const;
export type OrderState = (typeof orderStates)[number];

/** Nothing follows; refunds and disputes of an order that succeeded leave its state as it is. */
export const orderEnds: ReadonlySet<OrderState> = new Set([
  'succeeded',
  'failed',
  'canceled',
  'expired',
]);

export const orderMoves: { readonly [From in OrderState]: readonly OrderState[] } = {
  not_started: ['risk_review', 'executing', 'failed', 'canceled', 'expired'],
  risk_review: ['not_started', 'failed', 'canceled', 'expired'],
  executing: [
    'requires_action',
    'unknown',
    'authorized',
    'captured',
    'failed',
    'canceled',
    'expired',
  ],
  requires_action: [
    'executing',
    'unknown',
    'authorized',
    'captured',
    'failed',
    'canceled',
    'expired',
  ],
  unknown: [
    'executing',
    'requires_action',
    'authorized',
    'captured',
    'failed',
    'canceled',
    'expired',
  ],
  authorized: ['unknown', 'captured', 'failed', 'canceled', 'expired'],
  captured: ['succeeded'],
  succeeded: [],
  failed: [],
  canceled: [],
  expired: [],
};

/** One try to charge an order, at one provider. */
export const attemptStates = [
  'requested',
  'created',
  'confirming',
  'requires_action',
  'authorized',
  'captured',
  'declined',
  'voided',
] as const;
export type AttemptState = (typeof attemptStates)[number];

/** Surely nothing is charged by it, and nothing will be: only then another attempt may begin. */
export const deadAttempts: ReadonlySet<AttemptState> = new Set(['declined', 'voided']);

export const attemptMoves: { readonly [From in AttemptState]: readonly AttemptState[] } = {
  requested: ['created', 'declined'],
  created: ['confirming', 'requires_action', 'authorized', 'captured', 'declined', 'voided'],
  confirming: ['requires_action', 'authorized', 'captured', 'declined', 'voided'],
  requires_action: ['confirming', 'authorized', 'captured', 'declined', 'voided'],
  authorized: ['captured', 'voided'],
  captured: [],
  declined: [],
  voided: [],
};

/** What a provider is asked to do with a payment that has charged nothing yet: one thing at a time. */
export const claimStates = ['none', 'capturing', 'voiding'] as const;
export type ClaimState = (typeof claimStates)[number];

/** Back to `none` where the provider refused it, and where the payment came to something. */
export const claimMoves: { readonly [From in ClaimState]: readonly ClaimState[] } = {
  none: ['capturing', 'voiding'],
  capturing: ['none'],
  voiding: ['none'],
};

export const refundStates = ['requested', 'unknown', 'pending', 'succeeded', 'failed'] as const;
export type RefundState = (typeof refundStates)[number];

/** Nothing follows by itself; a refund that succeeded may still be sent back. */
export const refundEnds: ReadonlySet<RefundState> = new Set(['succeeded', 'failed']);

/** The page where the provider asks the buyer for a card. */
export const pageStates = [
  'requested',
  'opened',
  'completed',
  'expired',
  'closed',
  'refused',
] as const;
export type PageState = (typeof pageStates)[number];
export const pageMoves: { readonly [From in PageState]: readonly PageState[] } = {
  requested: ['opened', 'refused'],
  opened: ['completed', 'expired', 'closed'],
  completed: [],
  expired: [],
  closed: [],
  refused: [],
};

/** A bank may send a refund back after it had succeeded. */
export const refundMoves: { readonly [From in RefundState]: readonly RefundState[] } = {
  requested: ['unknown', 'pending', 'succeeded', 'failed'],
  unknown: ['pending', 'succeeded', 'failed'],
  pending: ['succeeded', 'failed'],
  succeeded: ['failed'],
  failed: [],
};

export const disputeStates = ['opened', 'evidence_given', 'won', 'lost'] as const;
export type DisputeState = (typeof disputeStates)[number];
export const disputeMoves: { readonly [From in DisputeState]: readonly DisputeState[] } = {
  opened: ['evidence_given', 'won', 'lost'],
  evidence_given: ['won', 'lost'],
  won: [],
  lost: [],
};

export const payoutStates = ['requested', 'unknown', 'sent', 'paid', 'failed'] as const;
export type PayoutState = (typeof payoutStates)[number];
/** A payout may fail after it was paid: the bank sent it back. */
export const payoutMoves: { readonly [From in PayoutState]: readonly PayoutState[] } = {
  requested: ['unknown', 'sent', 'paid', 'failed'],
  unknown: ['sent', 'paid', 'failed'],
  sent: ['paid', 'failed'],
  paid: ['failed'],
  failed: [],
};

export const checkoutStates = [
  'open',
  'partially_succeeded',
  'succeeded',
  'failed',
  'expired',
] as const;
export type CheckoutStatus = (typeof checkoutStates)[number];

/**
 * A checkout's state is a fold of those of its orders. `open` while one is under way or on its way to the seller;
 * `expired` when all that has not come to anything has expired.
 */
export function checkoutStatus(orders: readonly OrderState[]): CheckoutStatus {
  if (orders.some((state) => !orderEnds.has(state))) return 'open';
  const succeeded = orders.filter((state) => state === 'succeeded').length;
  if (succeeded === orders.length) return 'succeeded';
  if (succeeded > 0) return 'partially_succeeded';
  return orders.every((state) => state === 'expired') ? 'expired' : 'failed';
}

/** A stream holds what its state table does not allow: the log was written by something else, or by a fault. */
export class ForbiddenMoveError extends Error {
  readonly code = 'forbidden-move';
  constructor(what: string, from: string, to: string) {
    super(`${what} cannot go from ${from} to ${to}`);
    this.name = 'ForbiddenMoveError';
  }
}

/** `to`, or throws where the table does not allow it. To stay is allowed. */
export function move<State extends string>(
  table: { readonly [From in State]: readonly State[] },
  what: string,
  from: State,
  to: State,
): State {
  if (from !== to && !table[from].includes(to)) throw new ForbiddenMoveError(what, from, to);
  return to;
}
