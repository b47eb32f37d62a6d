import { type Problem, type Route, route } from '@annals/http';
import { type ListedPayout, payoutStates, sellerSubject } from '@annals/payments';
import { z } from 'zod';
import { isoTime } from './answers.ts';
import { problemOf } from './errors.ts';
import {
  amountOfOrder,
  asOf,
  currencyCode,
  idSchema,
  keyHeaders,
  keyProblems,
  positionInAnswer,
  readHeaders,
  readProblems,
  readQuery,
} from './fields.ts';
import { keyed } from './keyed.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans } from './means.ts';
import { nameless } from './order-routes.ts';
import { decodeCursor, encodeCursor, nextCursor, pageQuery } from './pages.ts';
import { answered } from './reads.ts';
import { scopes } from './scopes.ts';
import { unknownSeller } from './seller-routes.ts';

/** Money that leaves for the banks of sellers. */
export function payoutRoutes(means: PaymentsApiMeans): readonly Route[] {
  return [payOutRoute(means), payoutsRoute(means)];
}

const payoutMembers = {
  seller_account: z.string(),
  payout_id: z.string(),
  amount: z.string().describe('Minor units.'),
  currency: z.string(),
  state: z.enum(payoutStates),
};

function payOutRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'POST',
    url: '/v1/payouts',
    scope: scopes.finance,
    tag: 'payouts',
    summary: 'Pay a seller out',
    description:
      'All that is available unless an amount is told, rounded down to what the provider takes. Decided against a wallet that has seen all of the seller. A payout ' +
      'is told from another by its payout_id or by the Idempotency-Key: one of them is needed. 202: the provider was asked.',
    headers: keyHeaders,
    body: z.strictObject({
      seller_account: idSchema,
      payout_id: idSchema.optional(),
      currency: currencyCode,
      amount: amountOfOrder.optional(),
    }),
    response: { 202: z.strictObject({ ...payoutMembers, position: positionInAnswer }) },
    problems: [
      ...['unknown-seller', 'currency-not-sold', 'no-bank-account', 'payout-exists'],
      ...['needs-release', 'release-closed', 'insufficient-funds', 'below-minimum', 'amount-step'],
      ...['wallet-behind'],
      'read-model-lost',
      ...keyProblems,
    ],
    handler: (request, reply) => {
      const { seller_account: seller, payout_id, currency, amount } = request.body;
      if (payout_id === undefined && request.headers['idempotency-key'] === undefined) {
        return nameless('payout_id');
      }
      return keyed(means, request, reply, {
        subject: sellerSubject(seller),
        outlivesSubject: true,
        check: () => sellerProblem(means, seller),
        run: async ({ requestId, begunAt: at }) => {
          const payoutId = payout_id ?? `p-${requestId}`;
          const result = await means.payments.as(request.caller.keyId).payOut({
            ...{ seller, payoutId, currency, at, psp: means.payoutPsp(currency, seller) },
            ...(amount === undefined ? {} : { amount: BigInt(amount) }),
            because: 'on_demand',
          });
          if (result.kind !== 'changed') return problemOf(result, 'wallets');
          const payout = result.state?.seller.payouts.get(payoutId);
          if (!payout) throw new TypeError(`payout ${payoutId} of ${seller} was asked for`);
          const { position } = result;
          const named = { seller_account: seller, payout_id: payoutId, currency };
          const body = { ...named, amount: String(payout.amount), state: payout.state, position };
          return { status: 202, body };
        },
      });
    },
  });
}

async function sellerProblem(
  { payments }: PaymentsApiMeans,
  account: string,
): Promise<Problem | undefined> {
  const { state } = await payments.seller(account);
  return state ? undefined : unknownSeller(account);
}

const placeSchema = z.tuple([z.int(), z.string()]);

function payoutsRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'GET',
    url: '/v1/payouts',
    scope: scopes.finance,
    tag: 'payouts',
    summary: 'Payouts of a seller, the oldest first',
    query: { seller_account: idSchema, ...pageQuery, ...readQuery },
    headers: readHeaders,
    response: z.strictObject({
      data: z.array(
        z.strictObject({
          ...payoutMembers,
          requested_at: z.string(),
          updated_at: z.string(),
        }),
      ),
      next_cursor: nextCursor,
      as_of: asOf,
    }),
    problems: ['invalid-cursor', ...readProblems],
    handler: async (request) => {
      const { seller_account: seller, limit = limits.pageRowsDefault } = request.query;
      const list = `payouts of ${seller}`;
      const cursor = decodeCursor(list, request.query.cursor, placeSchema);
      if (cursor instanceof Error) return cursor;
      const [at, payoutId] = cursor.after ?? [];
      const after = at === undefined || payoutId === undefined ? {} : { after: { at, payoutId } };
      return answered(
        means,
        'payments',
        request,
        () => means.paymentsRead.payoutsOfSeller({ seller, limit: limit + 1, ...after }),
        ({ payouts }) => {
          const page = payouts.slice(0, limit);
          const last = payouts.length > limit ? page.at(-1) : undefined;
          const next_cursor = last ? encodeCursor(list, [last.requestedAt, last.payoutId]) : null;
          return { data: page.map(shownPayout), next_cursor };
        },
      );
    },
  });
}

function shownPayout(payout: ListedPayout) {
  const { seller, payoutId, amount, currency, state, requestedAt, updatedAt } = payout;
  return {
    ...{ seller_account: seller, payout_id: payoutId, amount: String(amount), currency, state },
    ...{ requested_at: isoTime(requestedAt), updated_at: isoTime(updatedAt) },
  };
}
