import { fieldsProblem, Problem, type Route, route } from '@annals/http';
import { amountSchema } from '@annals/payments';
import {
  type Finance,
  type FinanceChanged,
  type FinanceRequest,
  financeStates,
  type WrongMember,
} from '@annals/payments/finance';
import { z } from 'zod';
import { isoTime } from './answers.ts';
import { paymentsErrors, problemOf } from './errors.ts';
import { currencyCode, freeText, idSchema, positionInAnswer, writeProblems } from './fields.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans } from './means.ts';
import { decodeCursor, encodeCursor, nextCursor, pageQuery } from './pages.ts';
import { scopes } from './scopes.ts';

const accountName = z
  .string()
  .max(limits.accountCharsMax)
  .regex(
    /^[a-z_]+(?::[A-Za-z0-9._-]+)?$/,
    'must be an account, as losses or seller_available:shop',
  );

const entry = z.strictObject({
  currency: currencyCode,
  lines: z
    .array(z.strictObject({ debit: accountName, credit: accountName, amount: amountSchema }))
    .min(1)
    .max(limits.entryLinesMax),
});

const manualEntryInput = z.strictObject({
  entry,
  corrects: z
    .strictObject({
      stream: z
        .string()
        .max(limits.streamCharsMax)
        .regex(/^[a-z][a-z0-9_]*-[\x21-\x7e]+$/, 'must be a stream, as checkout-c-1'),
      revision: z.int().min(0).max(1_000_000),
    })
    .describe('The event whose entry is wrong, as the ledger names it.'),
  reason: freeText(limits.reasonCharsMax),
});

/** Of a manual entry the caller's own; of a release an id that the platform has made. */
const requestIdSchema = z
  .string()
  .max(limits.idCharsMax)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be the id of a request');

const requestMembers = {
  request_id: z.string(),
  kind: z.enum(['payout-release', 'manual-entry']),
  state: z.enum(financeStates),
  requested_by: z.string().describe('The id of a key, or payout-schedule.'),
  decided_by: z.string().nullable(),
  reason: z.string(),
  because: z.string().nullable().describe('Why it was rejected or refused.'),
  expires_at: z.string(),
  payout: z
    .strictObject({
      seller_account: z.string(),
      payout_id: z.string(),
      currency: z.string(),
      amount: z.string(),
    })
    .nullable(),
  entry: z
    .strictObject({
      currency: z.string(),
      lines: z.array(z.strictObject({ debit: z.string(), credit: z.string(), amount: z.string() })),
    })
    .nullable(),
  corrects: z.string().nullable().describe('The id of the event whose entry it corrects.'),
};
const requestAnswer = z.strictObject(requestMembers);
const changedRequestAnswer = z.strictObject({ ...requestMembers, position: positionInAnswer });
const requestsAnswer = z.strictObject({
  data: z.array(requestAnswer),
  next_cursor: nextCursor,
});
const placeSchema = z.tuple([z.int(), z.string()]);

function shown(request: FinanceRequest): z.output<typeof requestAnswer> {
  const { id, asks, state, requestedBy, decidedBy, reason, because, expiresAt } = request;
  const isRelease = asks.kind === 'payout-release';
  return {
    ...{ request_id: id, kind: asks.kind, state, requested_by: requestedBy, reason },
    ...{ decided_by: decidedBy ?? null, because: because ?? null, expires_at: isoTime(expiresAt) },
    payout: isRelease
      ? {
          ...{ seller_account: asks.seller_account, payout_id: asks.payout_id },
          ...{ currency: asks.currency, amount: asks.amount },
        }
      : null,
    entry: isRelease ? null : asks.entry,
    corrects: isRelease ? null : asks.corrects,
  };
}

function changedAnswer(changed: FinanceChanged | WrongMember) {
  if ('member' in changed) return wrongMember(changed);
  if (changed.kind === 'refused' && changed.reason === 'reason-missing') {
    return fieldsProblem([{ in: 'body', field: 'reason', message: changed.detail }]);
  }
  if (changed.kind !== 'changed') return problemOf(changed);
  if (!changed.state) throw new TypeError('a finance request was changed, and is not there');
  return { ...shown(changed.state), position: changed.position };
}

function wrongMember({ reason, detail: message, member }: WrongMember): Problem {
  const errors = [{ in: 'body', field: `entry.${member}`, message }] as const;
  if (reason !== 'unknown-seller') return fieldsProblem(errors);
  return paymentsErrors.problem(reason, { what: `entry.${member}: ${message}` }, { errors });
}

/** What needs two persons: one key asks, another one approves. */
export function financeRoutes(_: PaymentsApiMeans, finance: Finance): readonly Route[] {
  return [...readRoutes(finance), entryRoute(finance), ...decisionRoutes(finance)];
}

function readRoutes(finance: Finance): readonly Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/finance_requests',
      scope: scopes.finance,
      tag: 'finance',
      summary: 'What was asked of finance, by state',
      description: 'The oldest first.',
      query: { state: z.enum(financeStates).default('requested'), ...pageQuery },
      response: requestsAnswer,
      problems: ['invalid-cursor'],
      handler: async ({ query: { state, cursor, limit = limits.pageRowsDefault } }) => {
        const list = `finance ${state}`;
        const decoded = decodeCursor(list, cursor, placeSchema);
        if (decoded instanceof Error) return decoded;
        const [expiresAt, id] = decoded.after ?? [];
        const after =
          expiresAt === undefined || id === undefined ? {} : { after: { expiresAt, id } };
        const { requests, next } = await finance.page(state, { limit, ...after });
        const next_cursor = next ? encodeCursor(list, [next.expiresAt, next.id]) : null;
        return { data: requests.map(shown), next_cursor };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/finance_requests/:request_id',
      scope: scopes.finance,
      tag: 'finance',
      summary: 'How a request stands',
      params: { request_id: requestIdSchema },
      response: requestAnswer,
      problems: ['unknown-request'],
      handler: async ({ params: { request_id } }) => {
        const request = await finance.request(request_id);
        if (request) return shown(request);
        const what = `there is no request ${request_id}`;
        return paymentsErrors.problem('unknown-request', { what });
      },
    }),
  ];
}

function entryRoute(finance: Finance): Route {
  return route({
    method: 'PUT',
    url: '/v1/manual_entries/:request_id',
    scope: scopes.finance,
    tag: 'finance',
    summary: 'Ask for an entry by hand that corrects another one',
    description:
      'Books nothing: another key approves it with POST /v1/finance_requests/{request_id}/approve. It is in the currency of the ' +
      'entry that it corrects, and names sellers that there are. The same request again changes nothing.',
    params: { request_id: idSchema },
    body: manualEntryInput,
    response: { 202: changedRequestAnswer },
    problems: [
      ...['wrong-entry', 'unknown-entry', 'unknown-seller', 'request-exists'],
      ...writeProblems,
    ],
    handler: async ({ params: { request_id: id }, body, caller }, reply) => {
      const asked = { id, ...body, by: caller.keyId };
      const answer = changedAnswer(await finance.requestEntry(asked));
      if (!(answer instanceof Problem)) reply.code(202);
      return answer;
    },
  });
}

const decisionProblems = ['unknown-request', 'request-closed', 'request-expired', ...writeProblems];

function decisionRoutes(finance: Finance): readonly Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/finance_requests/:request_id/approve',
      scope: scopes.finance,
      tag: 'finance',
      summary: 'Approve, with another key than the one that asked',
      description:
        'An entry is booked by it; a payout is then asked for against the wallet as it is, and the request is `refused` ' +
        'where the money is not there any more. The same approval again changes nothing.',
      params: { request_id: requestIdSchema },
      response: changedRequestAnswer,
      problems: ['same-person', ...decisionProblems],
      handler: async ({ params: { request_id }, caller }) =>
        changedAnswer(await finance.approve(request_id, caller.keyId)),
    }),
    route({
      method: 'POST',
      url: '/v1/finance_requests/:request_id/reject',
      scope: scopes.finance,
      tag: 'finance',
      summary: 'Reject; who asked takes it back by this',
      params: { request_id: requestIdSchema },
      body: z.strictObject({ reason: freeText(limits.reasonCharsMax) }),
      response: changedRequestAnswer,
      problems: decisionProblems,
      handler: async ({ params: { request_id }, body: { reason }, caller }) =>
        changedAnswer(await finance.reject(request_id, caller.keyId, reason)),
    }),
  ];
}
