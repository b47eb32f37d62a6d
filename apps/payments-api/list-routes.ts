import { fieldsProblem, type Problem, type Route, route } from '@annals/http';
import { type OrdersPage, orderStates } from '@annals/payments';
import { z } from 'zod';
import { listedOrder, listedOrderAnswer } from './answers.ts';
import { asOf, idSchema, readHeaders, readProblems, readQuery } from './fields.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans } from './means.ts';
import { decodeCursor, encodeCursor, nextCursor, pageQuery } from './pages.ts';
import { answered } from './reads.ts';
import { scopes } from './scopes.ts';

const placeSchema = z.tuple([z.int(), z.string(), z.string()]);

const ordersAnswer = z.strictObject({
  data: z.array(listedOrderAnswer),
  next_cursor: nextCursor,
  as_of: asOf,
});

/** Orders of a seller, or in a state. */
export function listRoutes(means: PaymentsApiMeans): readonly Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/payment_orders',
      scope: scopes.sell,
      tag: 'orders',
      summary: 'Orders of a seller, or in a state',
      description:
        'Those of a seller: the oldest first. Those in a state (risk_review is the queue of reviews): the longest unchanged first.',
      query: {
        seller_account: idSchema.optional(),
        state: z.enum(orderStates).optional(),
        ...pageQuery,
        ...readQuery,
      },
      headers: readHeaders,
      response: ordersAnswer,
      problems: ['invalid-cursor', ...readProblems],
      handler: async (request) => {
        const { seller_account: seller, state, limit = limits.pageRowsDefault } = request.query;
        if ((seller === undefined) === (state === undefined)) return eitherOr();
        const list = seller === undefined ? `orders in ${state}` : `orders of ${seller}`;
        const cursor = decodeCursor(list, request.query.cursor, placeSchema);
        if (cursor instanceof Error) return cursor;
        const page = { limit, ...(cursor.after ? { after: placeOf(cursor.after) } : {}) };
        const { paymentsRead } = means;
        return answered(
          means,
          'payments',
          request,
          () =>
            state === undefined
              ? paymentsRead.ordersOfSeller({ seller: seller ?? '', ...page })
              : paymentsRead.ordersInState({ state, ...page }),
          ({ orders, next }) => ({
            data: orders.map(listedOrder),
            next_cursor: cursorOf(list, next),
          }),
        );
      },
    }),
  ];
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
