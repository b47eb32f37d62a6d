import { fieldsProblem, type Route, route } from '@annals/http';
import type { SummaryRow } from '@annals/payments';
import { z } from 'zod';
import { asOf, currencyCode, idSchema, readHeaders, readProblems, readQuery } from './fields.ts';
import type { PaymentsApiMeans } from './means.ts';
import { answered } from './reads.ts';
import { scopes } from './scopes.ts';

const amount = z.string().describe('Minor units.');
const day = z.iso.date('must be a day, as 2026-11-24').max(10);

/** Days of one question: their rows are added up while others wait. */
const summaryLimits = { daysMax: 366, daysOfAllSellersMax: 31 } as const;
const dayMs = 86_400_000;

const summaryAnswer = z.strictObject({
  data: z.array(
    z.strictObject({
      day: z.string().optional(),
      seller_account: z.string().optional(),
      currency: z.string(),
      captures: z.int(),
      gross: amount,
      platform_fees: amount,
      psp_fees: amount,
      refunds: amount,
      net_revenue: amount.describe('Platform fees less what providers took.'),
    }),
  ),
  as_of: asOf,
});

export function reportRoutes(means: PaymentsApiMeans): readonly Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/reports/summary',
      scope: scopes.finance,
      tag: 'reports',
      summary: 'Gross, fees, refunds and net revenue of some days',
      description:
        'Days are UTC, as recorded, both inclusive, 366 at the most; 31 where all sellers are kept apart. ' +
        'A row for each currency; with `by` also for each day, seller or both.',
      query: {
        from: day,
        to: day,
        currency: currencyCode.optional(),
        seller_account: idSchema.optional(),
        by: z.enum(['day', 'seller', 'day,seller']).optional(),
        ...readQuery,
      },
      headers: readHeaders,
      response: summaryAnswer,
      problems: readProblems,
      handler: async (request) => {
        const { from, to, currency, seller_account: seller, by } = request.query;
        if (from > to) {
          const message = 'must not be before from';
          return fieldsProblem([{ in: 'query', field: 'to', message }]);
        }
        const daysMax =
          seller === undefined && keptApart(by).includes('seller')
            ? summaryLimits.daysOfAllSellersMax
            : summaryLimits.daysMax;
        if ((Date.parse(to) - Date.parse(from)) / dayMs >= daysMax) {
          const message = `must be at most ${daysMax} days, from and to included`;
          return fieldsProblem([{ in: 'query', field: 'to', message }]);
        }
        return answered(
          means,
          'ledger',
          request,
          () =>
            means.ledger.summary({
              ...{ from, to, by: keptApart(by) },
              ...(currency === undefined ? {} : { currency }),
              ...(seller === undefined ? {} : { seller }),
            }),
          ({ rows }) => ({ data: rows.map(shownRow) }),
        );
      },
    }),
  ];
}

function keptApart(by: string | undefined): ('day' | 'seller')[] {
  return (['day', 'seller'] as const).filter((one) => by?.split(',').includes(one));
}

function shownRow(row: SummaryRow) {
  return {
    ...(row.day === undefined ? {} : { day: row.day }),
    ...(row.seller === undefined ? {} : { seller_account: row.seller }),
    currency: row.currency,
    captures: row.captures,
    gross: String(row.gross),
    platform_fees: String(row.platformFees),
    psp_fees: String(row.pspFees),
    refunds: String(row.refunds),
    net_revenue: String(row.netRevenue),
  };
}
