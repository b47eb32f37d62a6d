import type { RecordedPaymentsEvent } from '../events.ts';
import type { Movement } from './movement.ts';

/**
 * Our side of a settlement file: what the events of one stream (a checkout or a seller), from its first, say that has
 * moved at the provider. Pure. A movement is known by the provider's id, which an earlier event of the stream told.
 * Throws Error where none did: what is booked was then not done by a provider.
 */
export function clearingMovements(events: readonly RecordedPaymentsEvent[]): Movement[] {
  const known = new Map<string, string>();
  return events.flatMap((event) => movementOfEvent(event, known) ?? []);
}

function movementOfEvent(
  event: RecordedPaymentsEvent,
  known: Map<string, string>,
): Movement | undefined {
  const keyOf = (name: string): string => {
    const key = known.get(name);
    if (key === undefined) throw new Error(`${event.stream}: ${event.type} of no known ${name}`);
    return key;
  };
  const of = (
    key: string,
    status: Movement['status'],
    { currency, amount }: { readonly currency: string; readonly amount: bigint },
    fee = 0n,
  ): Movement => {
    return { key, status, currency, amount, fee, at: event.occurredAt, id: event.id, waited: 0 };
  };
  switch (event.type) {
    case 'attempt-created': {
      const { payment_order_id, attempt, psp_payment_id } = event.data;
      known.set(`attempt ${attempt} of ${payment_order_id}`, psp_payment_id);
      return undefined;
    }
    case 'order-captured': {
      const { payment_order_id, attempt, psp_fee } = event.data;
      const key = keyOf(`attempt ${attempt} of ${payment_order_id}`);
      return of(key, 'captured', comes(event.data), BigInt(psp_fee));
    }
    case 'refund-succeeded': {
      const { refund_id, psp_refund_id } = event.data;
      known.set(`refund ${refund_id}`, psp_refund_id);
      return of(psp_refund_id, 'refunded', leaves(event.data));
    }
    case 'refund-failed': {
      // One that had never succeeded has moved nothing.
      if (!event.data.after_succeeded) return undefined;
      return of(keyOf(`refund ${event.data.refund_id}`), 'refund_failed', comes(event.data));
    }
    case 'dispute-opened': {
      const { dispute_id, psp_fee } = event.data;
      return of(dispute_id, 'dispute_opened', leaves(event.data), BigInt(psp_fee));
    }
    case 'dispute-won':
      return of(event.data.dispute_id, 'dispute_won', comes(event.data));
    case 'payout-sent': {
      const { payout_id, psp_payout_id } = event.data;
      known.set(`payout ${payout_id}`, psp_payout_id);
      return of(psp_payout_id, 'paid_out', leaves(event.data));
    }
    case 'payout-failed': {
      // One that was never sent has moved nothing.
      const key = known.get(`payout ${event.data.payout_id}`);
      return key === undefined ? undefined : of(key, 'payout_returned', comes(event.data));
    }
    default:
      return undefined;
  }
}

interface Amounts {
  readonly currency: string;
  readonly amount: string;
}

function comes({ currency, amount }: Amounts) {
  return { currency, amount: BigInt(amount) };
}

function leaves({ currency, amount }: Amounts) {
  return { currency, amount: -BigInt(amount) };
}
