import type { CheckoutEvent, RecordedPaymentsEvent, SellerEvent } from '../events.ts';

type TellableType = (CheckoutEvent | SellerEvent)['type'];

/** What merchants are told of an event: the name they subscribe to, and the members of the event that go out. */
export interface WebhookRow {
  readonly type: string;
  /** Never personal data, and nothing about how the platform does it. */
  readonly members: readonly string[];
}

function tells(type: string, ...members: readonly string[]): WebhookRow {
  return { type, members };
}

const order = ['checkout_id', 'payment_order_id'] as const;
const booked = ['seller_account', 'currency', 'amount'] as const;
const payout = ['seller_account', 'payout_id', 'currency', 'amount'] as const;

/** Every event of checkouts and sellers: as what it goes out, or that it stays inside. */
export const webhookTable: { readonly [Type in TellableType]: WebhookRow | 'inside' } = {
  'checkout-opened': tells('checkout.opened', 'checkout_id', 'currency', 'capture', 'expires_at'),
  'payment-page-requested': 'inside',
  'payment-page-opened': tells('checkout.page_opened', 'checkout_id', 'page_url'),
  'payment-page-completed': tells('checkout.page_completed', 'checkout_id'),
  'payment-page-close-requested': 'inside',
  'payment-page-closed': tells('checkout.page_closed', 'checkout_id'),
  'payment-page-expired': tells('checkout.page_expired', 'checkout_id'),
  'payment-page-refused': tells('checkout.page_refused', 'checkout_id', 'reason'),
  'card-identified': 'inside',
  'order-risk-assessed': 'inside',
  'order-review-decided': 'inside',
  'authentication-requested': 'inside',
  'authentication-action-required': tells('checkout.action_required', 'checkout_id', 'action_url'),
  'checkout-authenticated': tells('checkout.authenticated', 'checkout_id'),
  'authentication-failed': tells('checkout.authentication_failed', 'checkout_id', 'reason'),
  'attempt-requested': 'inside',
  'attempt-created': 'inside',
  'attempt-confirm-requested': 'inside',
  'attempt-action-required': tells('payment_order.action_required', ...order, 'action_url'),
  'attempt-authorized': tells('payment_order.authorized', ...order, ...booked),
  'attempt-declined': tells('payment_order.declined', ...order, 'attempt', 'reason', 'final'),
  'call-in-doubt': 'inside',
  'call-dead-lettered': 'inside',
  'capture-requested': 'inside',
  'capture-refused': tells(
    'payment_order.capture_refused',
    ...[...order, 'amount', 'currency', 'reason', 'detail'],
  ),
  'order-captured': tells(
    'payment_order.captured',
    ...[...order, ...booked, 'platform_fee', 'net', 'release_at'],
  ),
  'void-requested': 'inside',
  'void-refused': tells('payment_order.void_refused', ...order, 'as', 'reason', 'detail'),
  'attempt-voided': tells('payment_order.voided', ...order, 'seller_account', 'currency', 'reason'),
  'order-ended': tells('payment_order.ended', ...order, 'as', 'reason'),
  'order-released': tells('payment_order.succeeded', ...order, ...booked, 'reserve', 'because'),
  'refund-requested': tells('refund.requested', ...order, 'refund_id', ...booked),
  'refund-succeeded': tells('refund.succeeded', ...order, 'refund_id', ...booked),
  'refund-failed': tells('refund.failed', ...order, 'refund_id', ...booked, 'reason'),
  'refund-in-doubt': 'inside',
  'refund-pending': 'inside',
  'dispute-opened': tells(
    'dispute.opened',
    ...[...order, 'dispute_id', ...booked, 'reason', 'evidence_by'],
  ),
  'dispute-evidence-requested': 'inside',
  'dispute-evidence-refused': tells(
    'dispute.evidence_refused',
    ...[...order, 'dispute_id', 'reason'],
  ),
  'dispute-evidence-given': tells('dispute.evidence_given', ...order, 'dispute_id'),
  'dispute-won': tells('dispute.won', ...order, 'dispute_id', ...booked),
  'dispute-lost': tells('dispute.lost', ...order, 'dispute_id', ...booked),
  'seller-registered': 'inside',
  'seller-terms-changed': 'inside',
  'seller-bank-set': 'inside',
  'payout-requested': tells('payout.requested', ...payout, 'because'),
  'payout-sent': tells('payout.sent', ...payout),
  'payout-paid': tells('payout.paid', ...payout),
  'payout-failed': tells('payout.failed', ...payout, 'reason', 'after_paid'),
  'payout-in-doubt': 'inside',
  'reserve-released': tells('reserve.released', ...booked),
};

/** The names that an endpoint may subscribe to. */
export const webhookTypes: readonly string[] = Object.values(webhookTable).flatMap((row) =>
  row === 'inside' ? [] : [row.type],
);

/** All types, also those that come later. */
export const everyWebhookType = '*';

export function webhookTypeOf(event: { readonly type: string }): string | undefined {
  const row = webhookTable[event.type as TellableType];
  return row === undefined || row === 'inside' ? undefined : row.type;
}

/** The text that is signed and sent: the same for every attempt, on every process. */
export function webhookBody(
  event: Pick<RecordedPaymentsEvent, 'id' | 'type' | 'occurredAt' | 'data'>,
): string {
  const row = webhookTable[event.type as TellableType];
  if (row === undefined || row === 'inside')
    throw new TypeError(`${event.type} is not told to merchants`);
  const members = event.data as { readonly [member: string]: unknown };
  const data = Object.fromEntries(
    row.members.flatMap((name) => (members[name] === undefined ? [] : [[name, members[name]]])),
  );
  const created = new Date(event.occurredAt).toISOString();
  return JSON.stringify({ id: event.id, type: row.type, created, data });
}
