import type { CheckoutFact } from './events.ts';
import type { Attempt, Data, OrderFold, RefusedCall } from './order-state.ts';
import {
  type AttemptState,
  attemptMoves,
  type ClaimState,
  claimMoves,
  move,
  type OrderState,
  orderMoves,
} from './transitions.ts';

/** An order's attempts at its money, up to a capture. Undefined for an event that is of something else. */
export function evolveAttempts(
  order: OrderFold,
  { type, data }: CheckoutFact,
): OrderFold | undefined {
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

export function capturedOrder(order: OrderFold, data: Data<'order-captured'>): OrderFold {
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
