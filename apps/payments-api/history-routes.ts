import { integerParameter, type Route, route } from '@annals/http';
import { historyOf } from '@annals/payments';
import { z } from 'zod';
import { isoTime } from './answers.ts';
import { paymentsErrors } from './errors.ts';
import { idSchema } from './fields.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans } from './means.ts';
import { scopes } from './scopes.ts';

const historyAnswer = z.strictObject({
  checkout_id: z.string(),
  events: z.array(
    z.strictObject({
      at: z.string(),
      type: z.string().describe('The event in the log.'),
      text: z.string().describe('One sentence, for people.'),
      by: z.string().nullable().describe('The person or the key; null where nobody asked.'),
    }),
  ),
  next: z.int().nullable().describe('Give it as `from` for the rest; null at the end.'),
});

/** What has happened to a payment, in words. */
export function historyRoutes({ log, cipher }: PaymentsApiMeans): readonly Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/payments/:checkout_id/history',
      scope: scopes.read,
      tag: 'payments',
      summary: 'The whole history of a payment in plain words',
      description:
        'One sentence for each event: of the payment, and of the payouts that followed a release. Nothing in it is ' +
        'personal data, so it reads the same after the buyer was erased.',
      params: { checkout_id: idSchema },
      query: {
        from: integerParameter({ min: 0, max: 1_000_000, default: 0 }),
        limit: integerParameter({
          ...{ min: 1, max: limits.historyLinesMax, default: limits.historyLinesMax },
        }),
      },
      response: historyAnswer,
      problems: ['unknown-checkout'],
      handler: async ({ params: { checkout_id }, query: { from, limit } }) => {
        const lines = await historyOf({ log, cipher }, checkout_id);
        if (!lines) {
          const what = `there is no payment ${checkout_id}`;
          return paymentsErrors.problem('unknown-checkout', { what });
        }
        const events = lines.slice(from, from + limit).map(({ at, type, text, by = null }) => {
          return { at: isoTime(at), type, text, by };
        });
        const next = from + limit < lines.length ? from + limit : null;
        return { checkout_id, events, next };
      },
    }),
  ];
}
