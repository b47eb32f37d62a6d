import { z } from 'zod';
import { moveBalance } from './balance.ts';
import type { Books } from './books.ts';
import { listing, listReply } from './listing.ts';
import type { Charge, Refund } from './objects.ts';
import { expanding, fields } from './parameters.ts';
import { behaviourOf } from './payment-methods.ts';
import { answer, missing, type Reply, refusal } from './reply.ts';
import { type Route, route } from './route.ts';

const creation = z.strictObject({
  ...expanding,
  amount: fields.amount.optional(),
  charge: fields.id.optional(),
  payment_intent: fields.id.optional(),
  metadata: fields.metadata.optional(),
  reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).optional(),
});

function create(books: Books, given: z.output<typeof creation>): Reply {
  const found = chargeToRefund(books, given);
  if (found.kind === 'refused') return found.reply;
  const { charge } = found;
  const left = charge.amount - charge.amount_refunded;
  const amount = given.amount ?? left;
  if (left === 0) {
    const message = `Charge ${charge.id} has already been refunded.`;
    return refusal(message, { code: 'charge_already_refunded', charge: charge.id });
  }
  if (amount > left) {
    const message = `Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`;
    return refusal(message, { param: 'amount' });
  }
  const { refunds: behaviour } = behaviourOf(books.need('payment_method', charge.payment_method));
  const { currency } = charge;
  const id = books.idOf('refund');
  const moved = moveBalance(books, {
    ...{ amount: -amount, currency, type: 'refund', category: 'refund', source: id },
  });
  const refunded = charge.amount_refunded + amount;
  books.storage.update('charge', {
    ...charge,
    amount_refunded: refunded,
    refunded: refunded === charge.amount,
  });
  const refund: Refund = {
    id,
    object: 'refund',
    amount,
    balance_transaction: moved.id,
    charge: charge.id,
    created: books.now,
    currency,
    livemode: false,
    metadata: given.metadata ?? {},
    payment_intent: charge.payment_intent,
    status: behaviour === 'pending' ? 'pending' : 'succeeded',
  };
  books.storage.insert('refund', refund, charge.payment_intent);
  books.emit('refund.created', refund);
  if (behaviour) books.job(books.pace.refundMs, { do: 'finish_refund', id });
  return answer(refund);
}

type ToRefund =
  | { readonly kind: 'charge'; readonly charge: Charge }
  | { readonly kind: 'refused'; readonly reply: Reply };

function chargeToRefund(books: Books, given: z.output<typeof creation>): ToRefund {
  const refuse = (reply: Reply): ToRefund => ({ kind: 'refused', reply });
  const { payment_intent: intentId, charge: chargeId } = given;
  const intent = intentId === undefined ? undefined : books.get('payment_intent', intentId);
  if (intentId !== undefined && !intent) {
    return refuse(missing('payment_intent', intentId, 'payment_intent'));
  }
  const id = intent?.latest_charge ?? chargeId ?? '';
  const charge = books.get('charge', id);
  if (!charge && intent) {
    const message = `The PaymentIntent ${intent.id} does not have a successful charge to refund.`;
    return refuse(refusal(message, { code: 'payment_intent_unexpected_state' }));
  }
  if (!charge) return refuse(missing('charge', id, 'charge'));
  if (!charge.captured) {
    const message = `The charge ${charge.id} was not captured.`;
    return refuse(refusal(message, { code: 'charge_not_refundable', charge: charge.id }));
  }
  if (charge.disputed) {
    const message = `Charge ${charge.id} has been charged back; cannot issue a refund.`;
    return refuse(refusal(message, { code: 'charge_disputed', charge: charge.id }));
  }
  return { kind: 'charge', charge };
}

/** A pending refund comes through; one that fails gives the money back to the balance. */
export function finishRefund(books: Books, id: string): void {
  const refund = books.need('refund', id);
  const charge = books.need('charge', refund.charge);
  const { refunds: behaviour } = behaviourOf(books.need('payment_method', charge.payment_method));
  if (refund.status === 'pending') {
    const succeeded: Refund = { ...refund, status: 'succeeded' };
    books.storage.update('refund', succeeded);
    books.emit('refund.updated', succeeded);
    return;
  }
  if (behaviour !== 'failing' || refund.status !== 'succeeded') return;
  const { amount, currency } = refund;
  const moved = moveBalance(books, {
    ...{ amount, currency, type: 'refund_failure', category: 'refund_failure', source: id },
  });
  books.storage.update('charge', {
    ...charge,
    amount_refunded: charge.amount_refunded - amount,
    refunded: false,
  });
  const failed: Refund = {
    ...refund,
    failure_balance_transaction: moved.id,
    failure_reason: 'expired_or_canceled_card',
    status: 'failed',
  };
  books.storage.update('refund', failed);
  books.emit('refund.failed', failed);
}

export const refundRoutes: readonly Route[] = [
  route({
    ...{ method: 'POST', path: '/v1/refunds', operation: 'refunds.create' },
    parameters: creation,
    handle: create,
  }),
  route({
    ...{ method: 'GET', path: '/v1/refunds', operation: 'refunds.list' },
    parameters: z.strictObject({ ...listing, payment_intent: fields.id.optional() }),
    handle: (books, { payment_intent: parent, ...query }) =>
      listReply(books, 'refund', '/v1/refunds', { ...query, parent }),
  }),
  route({
    ...{ method: 'GET', path: '/v1/refunds/:id', operation: 'refunds.retrieve' },
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => {
      const refund = books.get('refund', id);
      return refund ? answer(refund) : missing('refund', id, 'id');
    },
  }),
  route({
    ...{ method: 'GET', path: '/v1/charges', operation: 'charges.list' },
    parameters: z.strictObject({ ...listing, payment_intent: fields.id.optional() }),
    handle: (books, { payment_intent: parent, ...query }) =>
      listReply(books, 'charge', '/v1/charges', { ...query, parent }),
  }),
  route({
    ...{ method: 'GET', path: '/v1/charges/:id', operation: 'charges.retrieve' },
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => {
      const charge = books.get('charge', id);
      return charge ? answer(charge) : missing('charge', id, 'id');
    },
  }),
];
