import { chargeFee, moveBalance } from './balance.ts';
import type { Books } from './books.ts';
import type { ApiErrorBody, Charge, PaymentIntent, PaymentMethod } from './objects.ts';
import { behaviourOf, shownMethod } from './payment-methods.ts';
import type { Decline } from './test-tokens.ts';

/** What becomes of an intent whose card is asked for the money. */

/** The card pays: authorized, and captured where the intent does not wait for it. */
export function authorize(
  books: Books,
  intent: PaymentIntent,
  method: PaymentMethod,
): PaymentIntent {
  const charge = makeCharge(books, intent, method, null);
  const authorized: PaymentIntent = {
    ...intent,
    amount_capturable: intent.amount,
    latest_charge: charge.id,
    last_payment_error: null,
    next_action: null,
    status: 'requires_capture',
  };
  books.storage.update('payment_intent', authorized);
  if (intent.capture_method !== 'manual') return capture(books, authorized, intent.amount);
  books.emit('payment_intent.amount_capturable_updated', authorized);
  books.job(books.pace.authorizationMs, { do: 'expire_authorization', id: intent.id });
  return authorized;
}

function makeCharge(
  books: Books,
  intent: PaymentIntent,
  method: PaymentMethod,
  decline: Decline | null,
): Charge {
  const charge: Charge = {
    id: books.idOf('charge'),
    object: 'charge',
    amount: intent.amount,
    amount_captured: 0,
    amount_refunded: 0,
    balance_transaction: null,
    captured: false,
    created: books.now,
    currency: intent.currency,
    customer: intent.customer,
    dispute: null,
    disputed: false,
    failure_code: decline?.code ?? null,
    livemode: false,
    metadata: intent.metadata,
    paid: decline === null,
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: { type: 'card', card: method.card },
    refunded: false,
    status: decline === null ? 'succeeded' : 'failed',
  };
  books.storage.insert('charge', charge, intent.id);
  return charge;
}

/** Takes `amount` of what is authorized and lets the rest go: Stripe counts the rest as refunded. */
export function capture(books: Books, intent: PaymentIntent, amount: number): PaymentIntent {
  const charge = books.need('charge', intent.latest_charge ?? '');
  const { currency } = intent;
  const moved = moveBalance(books, {
    ...{ amount, currency, fee: chargeFee(books.means.fees, amount, currency) },
    ...{ type: 'charge', category: 'charge', source: charge.id },
  });
  books.storage.update('charge', {
    ...charge,
    amount_captured: amount,
    amount_refunded: charge.amount - amount,
    balance_transaction: moved.id,
    captured: true,
  });
  const captured: PaymentIntent = {
    ...intent,
    amount_capturable: 0,
    amount_received: amount,
    status: 'succeeded',
  };
  books.storage.update('payment_intent', captured);
  books.emit('payment_intent.succeeded', captured);
  const { dispute } = behaviourOf(books.need('payment_method', charge.payment_method));
  if (dispute)
    books.job(books.pace.disputeMs, { do: 'dispute', charge: charge.id, reason: dispute });
  return captured;
}

export interface Declined {
  readonly intent: PaymentIntent;
  readonly error: ApiErrorBody;
}

/** The card does not pay: the intent waits for another method. */
export function decline(
  books: Books,
  intent: PaymentIntent,
  method: PaymentMethod,
  reason: Decline,
): Declined {
  const charge = makeCharge(books, intent, method, reason);
  const lastError: ApiErrorBody = {
    type: 'card_error',
    code: reason.code,
    ...(reason.declineCode === reason.code ? {} : { decline_code: reason.declineCode }),
    message: 'Your card was declined.',
    charge: charge.id,
  };
  const declined: PaymentIntent = {
    ...intent,
    amount_capturable: 0,
    last_payment_error: lastError,
    latest_charge: charge.id,
    next_action: null,
    payment_method: null,
    status: 'requires_payment_method',
  };
  books.storage.update('payment_intent', declined);
  books.emit('payment_intent.payment_failed', declined);
  const error = { ...lastError, payment_intent: declined, payment_method: shownMethod(method) };
  return { intent: declined, error };
}
