import type { CheckoutFact } from './events.ts';
import type { Data, Dispute, OrderFold } from './order-state.ts';
import {
  type DisputeState,
  disputeMoves,
  move,
  type RefundState,
  refundMoves,
} from './transitions.ts';

/** Refunds and disputes: the order's own state stays. */
export function evolveMoneyBack(order: OrderFold, { type, data }: CheckoutFact): OrderFold {
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
