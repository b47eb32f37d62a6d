import type { RecordedPaymentsEvent } from '../events.ts';
import { referenceOf } from '../reactors/references.ts';
import type { Movement } from './movement.ts';

/** The side of the platform's bank account; every other side is named for its provider. */
export const bankBook = 'bank';

/** A movement of ours, and whose file tells the other side of it. */
export interface BookMovement extends Movement {
  readonly book: string;
}

/** What a provider knows something by; `id` is empty as long as it has told none. */
export interface Named {
  readonly psp: string;
  readonly id: string;
}

/** What earlier events of one stream have told: the provider's ids of attempts, orders, refunds and payouts. */
export interface Names {
  get(name: string): Named | undefined;
  set(name: string, named: Named): void;
}

/**
 * Our side of settlement files and bank statements: what the events of one stream (a checkout or a seller), from its
 * first, say that has moved. Pure. Throws Error for a movement of what no event has named.
 */
export function clearingMovements(events: readonly RecordedPaymentsEvent[]): BookMovement[] {
  const names = new Map<string, Named>();
  return events.flatMap((event) => movementsOfEvent(event, names));
}

/** What the event names, or has named: all that `movementsOfEvent` asks for. */
export function namesIn({ type, data }: RecordedPaymentsEvent): readonly string[] {
  switch (type) {
    case 'attempt-created':
      return [attemptName(data)];
    case 'order-captured':
      return [attemptName(data), orderName(data)];
    case 'refund-requested':
    case 'refund-pending':
    case 'refund-succeeded':
    case 'refund-failed':
      return [refundName(data)];
    case 'dispute-opened':
    case 'dispute-won':
      return [orderName(data)];
    case 'payout-requested':
    case 'payout-sent':
    case 'payout-failed':
      return [payoutName(data)];
    default:
      return [];
  }
}

/** What one event says that has moved; it adds to `names` what it tells. */
export function movementsOfEvent(
  event: RecordedPaymentsEvent,
  names: Pick<Names, 'get' | 'set'>,
): BookMovement[] {
  const { type, data } = event;
  const known = (name: string): Named => {
    const named = names.get(name);
    if (!named) throw new Error(`${event.stream}: ${type} of no known ${name}`);
    return named;
  };
  const of = movementMaker(event);
  switch (type) {
    case 'attempt-created':
      names.set(attemptName(data), { psp: data.psp, id: data.psp_payment_id });
      return [];
    case 'order-captured': {
      const payment = known(attemptName(data));
      names.set(orderName(data), payment);
      return [of(payment.psp, payment.id, 'captured', comes(data), BigInt(data.psp_fee))];
    }
    case 'refund-requested':
      names.set(refundName(data), { psp: data.psp, id: '' });
      return [];
    case 'refund-pending': {
      const { psp } = known(refundName(data));
      return [of(psp, data.psp_refund_id, 'refund_pending', leaves(data))];
    }
    case 'refund-succeeded': {
      const { psp } = known(refundName(data));
      names.set(refundName(data), { psp, id: data.psp_refund_id });
      return [of(psp, data.psp_refund_id, 'refunded', leaves(data))];
    }
    case 'refund-failed': {
      // One that had never succeeded has moved nothing.
      if (!data.after_succeeded) return [];
      const { psp, id } = known(refundName(data));
      return [of(psp, id, 'refund_failed', comes(data))];
    }
    case 'dispute-opened': {
      const { psp } = known(orderName(data));
      return [of(psp, data.dispute_id, 'dispute_opened', leaves(data), BigInt(data.psp_fee))];
    }
    case 'dispute-won':
      return [of(known(orderName(data)).psp, data.dispute_id, 'dispute_won', comes(data))];
    default:
      return payoutMovements(event, names);
  }
}

function payoutMovements(
  event: RecordedPaymentsEvent,
  names: Pick<Names, 'get' | 'set'>,
): BookMovement[] {
  const { type, data } = event;
  const of = movementMaker(event);
  switch (type) {
    case 'payout-requested':
      names.set(payoutName(data), { psp: data.psp, id: '' });
      return [];
    case 'payout-sent': {
      const { psp = '' } = names.get(payoutName(data)) ?? {};
      names.set(payoutName(data), { psp, id: data.psp_payout_id });
      return [of(psp, data.psp_payout_id, 'paid_out', leaves(data))];
    }
    case 'payout-paid':
      // The bank knows it by the reference that we gave it.
      return [of(bankBook, payoutReference(data), 'paid_out', leaves(data))];
    case 'payout-failed': {
      const { psp = '', id = '' } = names.get(payoutName(data)) ?? {};
      return [
        // One that was never sent has moved nothing.
        ...(id === '' ? [] : [of(psp, id, 'payout_returned', comes(data))]),
        ...(data.after_paid
          ? [of(bankBook, payoutReference(data), 'payout_returned', comes(data))]
          : []),
      ];
    }
    default:
      return [];
  }
}

interface OfOrder {
  readonly payment_order_id: string;
}

function attemptName({ payment_order_id, attempt }: OfOrder & { readonly attempt: number }) {
  return `attempt ${attempt} of ${payment_order_id}`;
}

function orderName({ payment_order_id }: OfOrder): string {
  return `order ${payment_order_id}`;
}

/** The id of a refund is one within its order. */
function refundName({ payment_order_id, refund_id }: OfOrder & { readonly refund_id: string }) {
  return `refund ${refund_id} of ${payment_order_id}`;
}

function payoutName({ payout_id }: { readonly payout_id: string }): string {
  return `payout ${payout_id}`;
}

function payoutReference(data: { readonly seller_account: string; readonly payout_id: string }) {
  return referenceOf({ kind: 'payout', seller: data.seller_account, payout: data.payout_id });
}

interface Amounts {
  readonly currency: string;
  readonly amount: string;
}

interface Moved {
  readonly currency: string;
  readonly amount: bigint;
}

function movementMaker({ occurredAt: at, id }: RecordedPaymentsEvent) {
  return (
    book: string,
    key: string,
    status: Movement['status'],
    { currency, amount }: Moved,
    fee = 0n,
  ): BookMovement => ({ book, key, status, currency, amount, fee, at, id, waited: 0 });
}

function comes({ currency, amount }: Amounts): Moved {
  return { currency, amount: BigInt(amount) };
}

function leaves({ currency, amount }: Amounts): Moved {
  return { currency, amount: -BigInt(amount) };
}
