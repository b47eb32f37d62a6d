import type { Readable } from 'node:stream';
import { httpErrors, integerParameter, Problem, type Route, route } from '@annals/http';
import { amountSchema, currencySchema, type Refused, sellerOfAccount } from '@annals/payments';
import {
  approveResolution,
  assign,
  bankBook,
  type ComparedFile,
  change,
  comment,
  compareSettlement,
  compareStatement,
  FileText,
  type OfBreak,
  ReconciliationFileError,
  readDay,
  rejectResolution,
  reportCsv,
  reportHtml,
  reportOf,
  requestResolution,
  settlementStream,
  statementFormats,
  walletsBook,
} from '@annals/payments/reconciliation';
import { z } from 'zod';
import { paymentsErrors, problemOf } from './errors.ts';
import { freeText, idSchema, keyHeaders, keyProblems } from './fields.ts';
import { keyed } from './keyed.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans, ReconciliationApiMeans } from './means.ts';
import {
  comparedAnswer,
  queueAnswer,
  reportAnswer,
  shownQueued,
} from './reconciliation-answers.ts';
import { reconciliationCodes } from './reconciliation-errors.ts';
import { scopes } from './scopes.ts';

/** Settlement files and bank statements, what they came to, and the work on breaks by two persons. */
export function reconciliationRoutes(means: PaymentsApiMeans): readonly Route[] {
  const { reconciliation: own } = means;
  if (!own) return [];
  return [
    uploadRoute(own),
    reportRoute(own),
    queueRoute(own),
    assignRoute(own),
    commentRoute(means, own),
    resolveRoute(means, own),
    ...decideRoutes(own),
  ];
}

const dateSchema = z.iso.date().describe('The day, UTC.');
const ofDay = { psp: idSchema.describe('A provider, bank or wallets.'), date: dateSchema };
const ofBreak = { ...ofDay, break_id: z.uuid() };
const common = { scope: scopes.finance, tag: 'reconciliation' } as const;

function uploadRoute(own: ReconciliationApiMeans): Route {
  return route({
    ...common,
    method: 'POST',
    url: '/v1/reconciliation/:psp/:date/files',
    summary: 'Compare a settlement file or bank statement',
    description:
      'The body is the file: the settlement file of a provider, or the bank statement of `bank` (with `format`). It is read ' +
      'as it comes. A bad line is reported with its number, and the rest goes on; the same file again changes nothing. What a ' +
      'settlement file would book is proposed, and another key approves it; the rest waits in the queues.',
    params: ofDay,
    query: { format: z.enum(statementFormats).optional() },
    streamedBody: true,
    bodyBytesMax: limits.uploadBytesMax,
    response: comparedAnswer,
    problems: ['unknown-book', 'file-unusable', 'day-not-over', 'read-model-lost', 'not-there-yet'],
    handler: async (request) => {
      const { psp, date } = request.params;
      if (psp !== bankBook && !own.psps.includes(psp)) return unknownBook(psp);
      const file = new FileText(counted(request.body as unknown as Readable | undefined));
      try {
        const compared =
          psp === bankBook
            ? await compareStatement(own.files, {
                date,
                format: request.query.format ?? 'csv',
                file,
              })
            : await compareSettlement(own.files, {
                ...{ psp, date, file, uploadedBy: request.caller.keyId },
              });
        if (compared.kind === 'refused') return dayProblem(compared);
        const { lines, entries, matched, sha256 } = compared.run;
        return { run: { sha256, lines, entries, matched }, report: compared.report };
      } catch (error) {
        if (!(error instanceof ReconciliationFileError)) throw error;
        if (error.code !== 'file-too-large') {
          return paymentsErrors.problem('file-unusable', { what: error.message });
        }
        return httpErrors.problem('body-too-large', { limit_bytes: limits.uploadBytesMax });
      }
    },
  });
}

async function* counted(body: Readable | undefined): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += (chunk as Buffer).byteLength;
    if (bytes > limits.uploadBytesMax) {
      throw new ReconciliationFileError('file-too-large', 'the file is too large to be uploaded');
    }
    yield chunk as Buffer;
  }
}

function dayProblem(refused: Extract<ComparedFile, { readonly kind: 'refused' }>): Problem {
  const { reason, detail: what } = refused;
  if (reason === 'read-model-lost') return problemOf({ kind: 'lost' }, 'reconciliation');
  if (reason === 'read-model-late') return problemOf({ kind: 'late' }, 'reconciliation');
  if (reason === 'day-not-over') return paymentsErrors.problem('day-not-over', { what });
  return paymentsErrors.problem('unknown-book', { what });
}

function unknownBook(psp: string): Problem {
  return paymentsErrors.problem('unknown-book', { what: `there is no provider ${psp}` });
}

function hasBook({ psps }: ReconciliationApiMeans, psp: string): boolean {
  return psp === bankBook || psp === walletsBook || psps.includes(psp);
}

function reportRoute(own: ReconciliationApiMeans): Route {
  return route({
    ...common,
    method: 'GET',
    url: '/v1/reconciliation/:psp/:date',
    summary: 'What a day came to',
    description: 'As JSON, as CSV (amounts in minor units), or as a page to read.',
    params: ofDay,
    query: { format: z.enum(['json', 'csv', 'html']).optional() },
    response: reportAnswer,
    problems: ['unknown-book'],
    handler: async (request, reply) => {
      const { psp, date } = request.params;
      if (!hasBook(own, psp)) return unknownBook(psp);
      const report = reportOf(psp, date, await readDay(own.files, psp, date));
      switch (request.query.format) {
        case 'csv':
          return reply.type('text/csv; charset=utf-8').send(reportCsv(report));
        case 'html':
          return reply.type('text/html; charset=utf-8').send(reportHtml([], report));
        default:
          return report;
      }
    },
  });
}

/** When a break was found, and its id: where a page ended. */
const cursorSchema = z
  .string()
  .regex(/^\d{1,15}~[0-9a-f-]{36}$/, 'must be the next of an earlier page');

function queueRoute({ queues }: ReconciliationApiMeans): Route {
  return route({
    ...common,
    method: 'GET',
    url: '/v1/reconciliation/breaks',
    summary: 'What waits for somebody',
    description:
      'The oldest first. `finance`: known, and somebody must decide; `special`: unknown, looked into by hand. `proposed`: ' +
      'waits for the second person.',
    query: {
      queue: z.enum(['finance', 'special']),
      state: z.enum(['open', 'proposed']).optional(),
      after: cursorSchema.optional(),
      limit: integerParameter({ min: 1, max: 200 }).optional(),
    },
    response: queueAnswer,
    problems: ['read-model-lost'],
    handler: async ({
      query: { queue, state = 'open', after, limit = limits.pageRowsDefault },
    }) => {
      const [at = '', breakId = ''] = after?.split('~') ?? [];
      const place = after === undefined ? {} : { after: { foundAt: Number(at), breakId } };
      const page = await queues.queue({ queue, state, limit, ...place });
      if (page.kind === 'lost') return problemOf(page, 'reconciliation');
      const last = page.breaks.length < limit ? undefined : page.breaks.at(-1);
      return {
        breaks: page.breaks.map(shownQueued),
        ...(last ? { next: `${last.foundAt}~${last.breakId}` } : {}),
      };
    },
  });
}

type Decide = Parameters<typeof change<string>>[2];

/** Carries out a command about one break, and answers its day. */
async function carry(own: ReconciliationApiMeans, of: OfBreak, decide: Decide) {
  const { psp, date } = of;
  if (!hasBook(own, psp)) return unknownBook(psp);
  const decision = await change(own.files, settlementStream(psp, date), decide);
  if (decision.kind === 'refused') return breakProblem(decision);
  const report = reportOf(psp, date, await readDay(own.files, psp, date));
  const found = report.breaks.find(({ break_id }) => break_id === of.breakId);
  if (!found) throw new TypeError(`break ${of.breakId} was decided about`);
  return { ...report, breaks: [found] };
}

function breakProblem({ reason, detail }: Refused): Problem {
  return problemOf({ kind: 'refused', reason: reconciliationCodes[reason] ?? reason, detail });
}

interface BreakRequest {
  readonly params: { readonly psp: string; readonly date: string; readonly break_id: string };
  readonly caller: { readonly keyId: string };
}

function commandOf(own: ReconciliationApiMeans, { params, caller }: BreakRequest): OfBreak {
  const { psp, date, break_id: breakId } = params;
  return { psp, date, breakId, by: caller.keyId, at: own.files.clock.now() };
}

const breakProblems = ['unknown-book', 'unknown-break', 'break-closed'];

function assignRoute(own: ReconciliationApiMeans): Route {
  return route({
    ...common,
    method: 'POST',
    url: '/v1/reconciliation/:psp/:date/breaks/:break_id/assign',
    summary: 'Say who looks into a break',
    params: ofBreak,
    body: z.strictObject({ to: freeText(limits.idCharsMax) }),
    response: reportAnswer,
    problems: breakProblems,
    handler: (request) => {
      const of = commandOf(own, request);
      return carry(own, of, (day) => assign(day, { ...of, to: request.body.to }));
    },
  });
}

function commentRoute(means: PaymentsApiMeans, own: ReconciliationApiMeans): Route {
  return route({
    ...common,
    method: 'POST',
    url: '/v1/reconciliation/:psp/:date/breaks/:break_id/comments',
    summary: 'Say something about a break',
    description: 'Send an Idempotency-Key: without it a repetition says it once more.',
    params: ofBreak,
    headers: keyHeaders,
    body: z.strictObject({ comment: freeText(limits.commentCharsMax) }),
    response: reportAnswer,
    problems: ['unknown-book', 'unknown-break', ...keyProblems],
    handler: (request, reply) => {
      const command = commandOf(own, request);
      return keyed(means, request, reply, {
        subject: `reconciliation:${command.psp}~${command.date}`,
        run: async ({ requestId: commentId, begunAt: at }) => {
          const of = { ...command, at };
          const said = { ...of, comment: request.body.comment, commentId };
          const body = await carry(own, of, (day) => comment(day, said));
          return body instanceof Problem ? body : { status: 200, body };
        },
      });
    },
  });
}

const lineSchema = z.strictObject({
  debit: freeText(limits.accountCharsMax),
  credit: freeText(limits.accountCharsMax),
  amount: amountSchema,
});

function resolveRoute(means: PaymentsApiMeans, own: ReconciliationApiMeans): Route {
  return route({
    ...common,
    method: 'POST',
    url: '/v1/reconciliation/:psp/:date/breaks/:break_id/resolve',
    summary: 'Ask for a resolution',
    description:
      'Books nothing yet: another key approves or rejects it. Without an entry the break is closed as it is. An entry ' +
      'changes psp_clearing and bank by just what our side lacks.',
    params: ofBreak,
    body: z.strictObject({
      reason: freeText(limits.commentCharsMax),
      entry: z
        .strictObject({ currency: currencySchema, lines: z.array(lineSchema).min(1).max(20) })
        .optional(),
    }),
    response: reportAnswer,
    problems: [...breakProblems, 'resolution-waits', 'entry-refused', 'unknown-seller'],
    handler: async (request) => {
      const of = commandOf(own, request);
      const { reason, entry } = request.body;
      const lines = (entry?.lines ?? []).map((line) => ({ ...line, amount: String(line.amount) }));
      const stranger = await unknownSeller(means, lines);
      if (stranger) return stranger;
      const asked = entry ? { entry: { currency: entry.currency, lines } } : {};
      return carry(own, of, (day) => requestResolution(day, { ...of, reason, ...asked }));
    },
  });
}

/** Money of sellers is booked only for sellers that there are. */
async function unknownSeller(
  { payments }: PaymentsApiMeans,
  lines: readonly { readonly debit: string; readonly credit: string }[],
): Promise<Problem | undefined> {
  const accounts = lines.flatMap(({ debit, credit }) => [debit, credit]);
  const named = accounts.flatMap((account) => sellerOfAccount(account) || []);
  for (const seller of new Set(named)) {
    if (!idSchema.safeParse(seller).success || !(await payments.seller(seller)).state) {
      const what = 'an entry names a seller that was never registered';
      return paymentsErrors.problem('unknown-seller', { what });
    }
  }
  return undefined;
}

function decideRoutes(own: ReconciliationApiMeans): readonly Route[] {
  const described = {
    ...common,
    method: 'POST',
    params: ofBreak,
    response: reportAnswer,
    problems: [...breakProblems, 'no-resolution', 'second-person-needed'],
  } as const;
  return [
    route({
      ...described,
      url: '/v1/reconciliation/:psp/:date/breaks/:break_id/approve',
      summary: 'Approve a resolution',
      description: 'By another key than the one that asked. Its entry is booked with it.',
      handler: (request) => {
        const of = commandOf(own, request);
        return carry(own, of, (day) => approveResolution(day, of));
      },
    }),
    route({
      ...described,
      url: '/v1/reconciliation/:psp/:date/breaks/:break_id/reject',
      summary: 'Reject a resolution',
      description: 'Also by the key that asked: it takes it back. The break is open again.',
      body: z.strictObject({ reason: freeText(limits.commentCharsMax) }),
      handler: (request) => {
        const of = commandOf(own, request);
        const { reason } = request.body;
        return carry(own, of, (day) => rejectResolution(day, { ...of, reason }));
      },
    }),
  ];
}
