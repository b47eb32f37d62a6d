import { z } from 'zod';
import { balanceObject, moveBalance } from './balance.ts';
import type { Books } from './books.ts';
import { listing, listReply } from './listing.ts';
import type { Payout, Topup } from './objects.ts';
import { expanding, fields } from './parameters.ts';
import { answer, missing, type Reply, refusal } from './reply.ts';
import { type Route, route } from './route.ts';
import { bankOfToken } from './test-tokens.ts';

const creation = z.strictObject({
  ...expanding,
  amount: fields.payoutAmount,
  currency: fields.currency,
  destination: fields.id.default('ba_sandbox'),
  description: fields.text.optional(),
  metadata: fields.metadata.optional(),
  method: z.literal('standard').optional(),
  statement_descriptor: z.string().max(22).optional(),
});

function create(books: Books, given: z.output<typeof creation>): Reply {
  const { amount, currency, destination } = given;
  if (!bankOfToken(destination)) return missing('external account', destination, 'destination');
  if (books.storage.balance(currency) < amount) {
    const message = 'You have insufficient funds in your Stripe account for this payout.';
    return refusal(message, { code: 'balance_insufficient', param: 'amount' });
  }
  const id = books.idOf('payout');
  const moved = moveBalance(books, {
    ...{ amount: -amount, currency, type: 'payout', category: 'payout', source: id },
  });
  const { payoutInTransitMs, payoutPaidMs } = books.pace;
  const payout: Payout = {
    id,
    object: 'payout',
    amount,
    arrival_date: Math.floor((books.nowMs + payoutInTransitMs + payoutPaidMs) / 1_000),
    automatic: false,
    balance_transaction: moved.id,
    created: books.now,
    currency,
    description: given.description ?? null,
    destination,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    livemode: false,
    metadata: given.metadata ?? {},
    method: 'standard',
    status: 'pending',
    type: 'bank_account',
  };
  books.storage.insert('payout', payout);
  books.emit('payout.created', payout);
  books.job(payoutInTransitMs, { do: 'advance_payout', id });
  return answer(payout);
}

/** The next step of a payout on its way: in transit, then paid; or failed, before or after that. */
export function advancePayout(books: Books, id: string): void {
  const payout = books.need('payout', id);
  const fails = bankOfToken(payout.destination)?.fails;
  if (payout.status === 'pending') {
    const moving: Payout = { ...payout, status: 'in_transit' };
    books.storage.update('payout', moving);
    books.emit('payout.updated', moving);
    books.job(books.pace.payoutPaidMs, { do: 'advance_payout', id });
  } else if (payout.status === 'in_transit' && fails?.when === 'in_transit') {
    failPayout(books, id, fails.code);
  } else if (payout.status === 'in_transit') {
    const paid: Payout = { ...payout, status: 'paid' };
    books.storage.update('payout', paid);
    books.emit('payout.paid', paid);
    if (fails) books.job(books.pace.payoutFailsMs, { do: 'fail_payout', id, code: fails.code });
  }
}

/** The bank sends the money back, also after it was paid. */
export function failPayout(books: Books, id: string, code: string): void {
  const payout = books.need('payout', id);
  if (payout.status === 'failed' || payout.status === 'canceled') return;
  const { amount, currency } = payout;
  const moved = moveBalance(books, {
    ...{ amount, currency, type: 'payout_failure', category: 'payout_reversal', source: id },
  });
  const failed: Payout = {
    ...payout,
    failure_balance_transaction: moved.id,
    failure_code: code,
    failure_message: 'The bank sent the money back.',
    status: 'failed',
  };
  books.storage.update('payout', failed);
  books.emit('payout.failed', failed);
}

function cancel(books: Books, id: string): Reply {
  const payout = books.get('payout', id);
  if (!payout) return missing('payout', id, 'payout');
  if (payout.status !== 'pending') {
    const message = `Payout ${id} is ${payout.status} and can no longer be canceled.`;
    return refusal(message, { code: 'status_transition_invalid' });
  }
  const { amount, currency } = payout;
  const moved = moveBalance(books, {
    ...{ amount, currency, type: 'payout_cancel', category: 'payout_reversal', source: id },
  });
  const canceled: Payout = {
    ...payout,
    failure_balance_transaction: moved.id,
    status: 'canceled',
  };
  books.storage.update('payout', canceled);
  books.emit('payout.canceled', canceled);
  return answer(canceled);
}

/** The platform's own money: covers fees where payouts need more than what came in. */
const topping = z.strictObject({
  ...expanding,
  amount: fields.payoutAmount,
  currency: fields.currency,
  description: fields.text.optional(),
  metadata: fields.metadata.optional(),
});

function topUp(books: Books, { amount, currency, metadata = {} }: z.output<typeof topping>): Reply {
  const id = books.idOf('topup');
  const moved = moveBalance(books, {
    ...{ amount, currency, type: 'topup', category: 'topup', source: id },
  });
  const topup: Topup = {
    ...{ id, object: 'topup', amount, currency, metadata },
    ...{ balance_transaction: moved.id, created: books.now, livemode: false, status: 'succeeded' },
  };
  books.storage.insert('topup', topup);
  books.emit('topup.succeeded', topup);
  return answer(topup);
}

export const payoutRoutes: readonly Route[] = [
  route({
    ...{ method: 'POST', path: '/v1/payouts', operation: 'payouts.create' },
    parameters: creation,
    handle: create,
  }),
  route({
    ...{ method: 'GET', path: '/v1/payouts', operation: 'payouts.list' },
    parameters: z.strictObject(listing),
    handle: (books, query) => listReply(books, 'payout', '/v1/payouts', query),
  }),
  route({
    ...{ method: 'GET', path: '/v1/payouts/:id', operation: 'payouts.retrieve' },
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => {
      const payout = books.get('payout', id);
      return payout ? answer(payout) : missing('payout', id, 'payout');
    },
  }),
  route({
    ...{ method: 'POST', path: '/v1/payouts/:id/cancel', operation: 'payouts.cancel' },
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => cancel(books, id),
  }),
  route({
    ...{ method: 'POST', path: '/v1/topups', operation: 'topups.create' },
    parameters: topping,
    handle: topUp,
  }),
  route({
    ...{ method: 'GET', path: '/v1/balance', operation: 'balance.retrieve' },
    parameters: z.strictObject(expanding),
    handle: (books) => answer(balanceObject(books)),
  }),
  route({
    ...{ method: 'GET', path: '/v1/balance_transactions' },
    operation: 'balance_transactions.list',
    parameters: z.strictObject({ ...listing, source: fields.id.optional() }),
    handle: (books, { source: parent, ...query }) =>
      listReply(books, 'balance_transaction', '/v1/balance_transactions', { ...query, parent }),
  }),
  route({
    ...{ method: 'GET', path: '/v1/balance_transactions/:id' },
    operation: 'balance_transactions.retrieve',
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => {
      const transaction = books.get('balance_transaction', id);
      return transaction ? answer(transaction) : missing('balance transaction', id, 'id');
    },
  }),
];
