import { Readable } from 'node:stream';
import { coversAll, decodeCheckpoint, encodeCheckpoint } from '@annals/event-log';
import { logErrors, Problem, type Route, route, timestamp } from '@annals/http';
import {
  type EntriesQuery,
  type LedgerEntry,
  ledgerCsvHeader,
  ledgerCsvLines,
  type Sums,
  type TrialBalanceQuery,
} from '@annals/payments';
import { z } from 'zod';
import { isoTime } from './answers.ts';
import {
  accountSchema,
  asOf,
  positionSchema,
  readHeaders,
  readProblems,
  readQuery,
} from './fields.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans } from './means.ts';
import { decodeCursor, encodeCursor, nextCursor, pageQuery } from './pages.ts';
import { answered, askFrom, minPositionOf } from './reads.ts';
import { scopes } from './scopes.ts';

/** The books. */
export function ledgerRoutes(means: PaymentsApiMeans): readonly Route[] {
  return [accountsRoute(means), entriesRoute(means), exportRoute(means), trialBalanceRoute(means)];
}

const amount = z.string().describe('Minor units.');
const sums = {
  currency: z.string(),
  posted_debit: amount,
  posted_credit: amount,
  pending_debit: amount,
  pending_credit: amount,
};

function shownSums({ currency, ...of }: Sums & { readonly currency: string }) {
  return {
    currency,
    posted_debit: String(of.postedDebit),
    posted_credit: String(of.postedCredit),
    pending_debit: String(of.pendingDebit),
    pending_credit: String(of.pendingCredit),
  };
}

const accountPlace = z.tuple([z.string(), z.string()]);

function accountsRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'GET',
    url: '/v1/ledger/accounts',
    scope: scopes.finance,
    tag: 'ledger',
    summary: 'Accounts and what they sum to, by name and currency',
    description: 'With `account`: that one, in every currency it holds.',
    query: { account: accountSchema.optional(), ...pageQuery, ...readQuery },
    headers: readHeaders,
    response: z.strictObject({
      data: z.array(z.strictObject({ account: z.string(), ...sums })),
      next_cursor: nextCursor,
      as_of: asOf,
    }),
    problems: ['invalid-cursor', ...readProblems],
    handler: async (request) => {
      const { account: name, limit = limits.pageRowsDefault } = request.query;
      const cursor = decodeCursor('accounts', request.query.cursor, accountPlace);
      if (cursor instanceof Error) return cursor;
      const [account, currency] = cursor.after ?? [];
      const after =
        account === undefined || currency === undefined ? {} : { after: { account, currency } };
      const { ledger } = means;
      return answered(
        means,
        'ledger',
        request,
        () =>
          name === undefined
            ? ledger.accounts({ limit: limit + 1, ...after })
            : ledger.account(name),
        ({ accounts }) => {
          const page = name === undefined ? accounts.slice(0, limit) : accounts;
          const last = accounts.length > page.length ? page.at(-1) : undefined;
          return {
            data: page.map((one) => ({ account: one.account, ...shownSums(one) })),
            next_cursor: last ? encodeCursor('accounts', [last.account, last.currency]) : null,
          };
        },
      );
    },
  });
}

const entriesQuery = {
  account: accountSchema.optional().describe('Entries with a line of this account.'),
  from: timestamp().optional().describe('Recorded at this time or later.'),
  before: timestamp().optional().describe('Recorded before this time.'),
};

interface EntriesFilter {
  readonly account?: string | undefined;
  readonly from?: number | undefined;
  readonly before?: number | undefined;
}

function filterOf({ account, from, before }: EntriesFilter): Omit<EntriesQuery, 'limit' | 'after'> {
  return {
    ...(account === undefined ? {} : { account }),
    ...(from === undefined ? {} : { from }),
    ...(before === undefined ? {} : { before }),
  };
}

const entryPlace = z.tuple([z.int(), z.string(), z.string()]);

function entriesRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'GET',
    url: '/v1/ledger/entries',
    scope: scopes.finance,
    tag: 'ledger',
    summary: 'Journal entries in the order they were recorded in',
    query: { ...entriesQuery, ...pageQuery, ...readQuery },
    headers: readHeaders,
    response: z.strictObject({
      data: z.array(
        z.strictObject({
          event_id: z.string(),
          stream: z.string(),
          revision: z.int(),
          type: z.string(),
          currency: z.string(),
          occurred_at: z.string(),
          recorded_at: z.string(),
          corrects: z
            .string()
            .nullable()
            .describe('The id of the event whose entry this one corrects.'),
          postings: z.array(
            z.strictObject({
              account: z.string(),
              side: z.enum(['debit', 'credit']),
              balance: z.enum(['posted', 'pending']),
              amount,
            }),
          ),
        }),
      ),
      next_cursor: nextCursor,
      as_of: asOf,
    }),
    problems: ['invalid-cursor', ...readProblems],
    handler: async (request) => {
      const { limit = limits.pageRowsDefault, cursor: text } = request.query;
      const filter = filterOf(request.query);
      const list = `entries ${JSON.stringify(filter)}`;
      const cursor = decodeCursor(list, text, entryPlace);
      if (cursor instanceof Error) return cursor;
      const [recordedAt, eventId = '', stream = ''] = cursor.after ?? [];
      const after = recordedAt === undefined ? {} : { after: { recordedAt, eventId, stream } };
      return answered(
        means,
        'ledger',
        request,
        () => means.ledger.entries({ ...filter, limit, ...after }),
        ({ entries, next }) => ({
          data: entries.map(shownEntry),
          next_cursor: next
            ? encodeCursor(list, [next.recordedAt, next.eventId, next.stream])
            : null,
        }),
      );
    },
  });
}

function shownEntry(entry: LedgerEntry) {
  const { eventId, stream, revision, type, currency, occurredAt, recordedAt, postings } = entry;
  return {
    ...{ event_id: eventId, stream, revision, type, currency },
    ...{ occurred_at: isoTime(occurredAt), recorded_at: isoTime(recordedAt) },
    corrects: entry.corrects ?? null,
    postings: postings.map(({ account, side, balance, amount: of }) => {
      return { account, side, balance, amount: String(of) };
    }),
  };
}

function exportRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'GET',
    url: '/v1/ledger/entries.csv',
    scope: scopes.finance,
    tag: 'ledger',
    summary: 'Journal entries as CSV',
    description:
      'One line for each posting, in major units (RFC 4180). All of them, as they are now.',
    query: { ...entriesQuery, ...readQuery },
    headers: readHeaders,
    media: 'text/csv',
    response: z.string(),
    problems: readProblems,
    handler: async (request, reply) => {
      const before = request.query.before ?? means.clock.now();
      const filter = filterOf({ ...request.query, before });
      const first = await askFrom(means, 'ledger', minPositionOf(request), () =>
        means.ledger.entries({ ...filter, limit: limits.exportPageEntries }),
      );
      if (first instanceof Problem) return first;
      return reply
        .header('content-type', 'text/csv; charset=utf-8')
        .header('content-disposition', 'attachment; filename="ledger.csv"')
        .send(Readable.from(csvOf(means, filter, first)));
    },
  });
}

type Page = Extract<Awaited<ReturnType<PaymentsApiMeans['ledger']['entries']>>, { kind: 'answer' }>;

/** Page by page, so that it takes little memory at any length. */
async function* csvOf(
  { ledger }: PaymentsApiMeans,
  filter: Omit<EntriesQuery, 'limit' | 'after'>,
  first: Page,
): AsyncGenerator<string> {
  yield ledgerCsvHeader;
  for (let page = first; ; ) {
    if (page.entries.length > 0) yield page.entries.map(ledgerCsvLines).join('');
    if (!page.next) return;
    const next = await ledger.entries({
      ...{ ...filter, after: page.next, limit: limits.exportPageEntries },
    });
    // The answer has begun: cut off, it cannot be taken for a whole one.
    if (next.kind === 'lost') throw new Error('the ledger was lost during an export');
    if (!coversAll(next.asOf, page.asOf)) throw new Error('the ledger went back during an export');
    page = next;
  }
}

function trialBalanceRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'GET',
    url: '/v1/ledger/trial_balance',
    scope: scopes.finance,
    tag: 'ledger',
    summary: 'What kinds of accounts sum to, now or then',
    description:
      'With `before`: of what was recorded before that time. With `checkpoint`, a position or an as_of of another ' +
      'answer: of what it covers. Debits and credits are equal in each currency.',
    query: {
      before: timestamp().optional(),
      checkpoint: positionSchema.optional(),
      ...readQuery,
    },
    headers: readHeaders,
    response: z.strictObject({
      data: z.array(z.strictObject({ kind: z.string(), ...sums })),
      as_of: asOf,
    }),
    problems: readProblems,
    handler: async (request) => {
      const asked = balanceQuery(request.query);
      if (asked instanceof Error) return asked;
      const minimum = minPositionOf(request) ?? request.query.checkpoint;
      const read = await askFrom(means, 'ledger', minimum, () => means.ledger.trialBalance(asked));
      if (read instanceof Problem) return read;
      const data = read.rows.map((row) => ({ kind: row.kind, ...shownSums(row) }));
      return { data, as_of: encodeCheckpoint(read.asOf) };
    },
  });
}

function balanceQuery({
  before,
  checkpoint: text,
}: {
  readonly before?: number | undefined;
  readonly checkpoint?: string | undefined;
}): TrialBalanceQuery | Problem {
  if (before !== undefined) return { at: 'time', before };
  if (text === undefined) return { at: 'now' };
  const checkpoint = decodeCheckpoint(text);
  if (checkpoint) return { at: 'checkpoint', checkpoint };
  const what = 'checkpoint is not a position of this log';
  const errors = [{ in: 'query', field: 'checkpoint', message: what }] as const;
  return logErrors.problem('invalid-position', { what }, { errors });
}
