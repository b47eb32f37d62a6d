import { fieldsProblem, type Problem, type Route, route } from '@annals/http';
import { type OrdersPage, orderStates } from '@annals/payments';
import { z } from 'zod';
import { listedOrder, listedOrderAnswer } from './answers.ts';
import { asOf, idSchema, readHeaders, readProblems, readQuery } from './fields.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans } from './means.ts';
import { decodeCursor, encodeCursor, nextCursor, pageQuery } from './pages.ts';
import { answered, type ReadRequest } from './reads.ts';
import { scopes } from './scopes.ts';

const placeSchema = z.tuple([z.int(), z.string(), z.string()]);

const ordersAnswer = z.strictObject({
  data: z.array(listedOrderAnswer),
  next_cursor: nextCursor,
  as_of: asOf,
});

const listQuery = { ...pageQuery, ...readQuery };
const listProblems = ['invalid-cursor', ...readProblems] as const;

/** Orders of a seller, or in a state; and those that wait for a person who may decide on their risk. */
export function listRoutes(means: PaymentsApiMeans): readonly Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/payment_orders',
      scope: scopes.sell,
      tag: 'orders',
      summary: 'Orders of a seller, or in a state',
      description:
        'Those of a seller: the oldest first. Those in a state: the longest unchanged first.',
      query: {
        seller_account: idSchema.optional(),
        state: z.enum(orderStates).optional(),
        ...listQuery,
      },
      headers: readHeaders,
      response: ordersAnswer,
      problems: listProblems,
      handler: async (request) => {
        const { seller_account: seller, state } = request.query;
        if (seller !== undefined && state === undefined) return listed(means, request, { seller });
        return seller === undefined && state !== undefined
          ? listed(means, request, { state })
          : eitherOr();
      },
    }),
    route({
      method: 'GET',
      url: '/v1/reviews',
      scope: scopes.finance,
      tag: 'orders',
      summary: 'Orders that wait for a review of their risk',
      description:
        'The longest waiting first. They are decided by POST /v1/payment_orders/{checkout_id}/{payment_order_id}/review.',
      query: listQuery,
      headers: readHeaders,
      response: ordersAnswer,
      problems: listProblems,
      handler: (request) => listed(means, request, { state: 'risk_review' }),
    }),
  ];
}

type Listed = { readonly seller: string } | { readonly state: (typeof orderStates)[number] };

interface ListRequest extends ReadRequest {
  readonly query: ReadRequest['query'] & {
    readonly limit?: number | undefined;
    readonly cursor?: string | undefined;
  };
}

async function listed(means: PaymentsApiMeans, request: ListRequest, which: Listed) {
  const { paymentsRead } = means;
  const { limit = limits.pageRowsDefault } = request.query;
  const list = 'seller' in which ? `orders of ${which.seller}` : `orders in ${which.state}`;
  const cursor = decodeCursor(list, request.query.cursor, placeSchema);
  if (cursor instanceof Error) return cursor;
  const page = { limit, ...(cursor.after ? { after: placeOf(cursor.after) } : {}) };
  return answered(
    means,
    'payments',
    request,
    () =>
      'seller' in which
        ? paymentsRead.ordersOfSeller({ ...which, ...page })
        : paymentsRead.ordersInState({ ...which, ...page }),
    ({ orders, next }) => ({ data: orders.map(listedOrder), next_cursor: cursorOf(list, next) }),
  );
}

function placeOf([at, checkoutId, orderId]: z.output<typeof placeSchema>) {
  return { at, checkoutId, orderId };
}

function cursorOf(list: string, next: OrdersPage['next']): string | null {
  return next ? encodeCursor(list, [next.at, next.checkoutId, next.orderId]) : null;
}

function eitherOr(): Problem {
  const message = 'either seller_account or state is needed, and not both';
  return fieldsProblem([{ in: 'query', field: 'seller_account', message }]);
}
