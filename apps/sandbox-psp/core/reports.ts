import { z } from 'zod';
import { exponentOf } from './balance.ts';
import type { Books } from './books.ts';
import type { BalanceTransaction, ReportRun } from './objects.ts';
import { expanding, fields } from './parameters.ts';
import { answer, missing, type Reply, refusal } from './reply.ts';
import { type Route, route } from './route.ts';
import type { Storage } from './storage.ts';

export const reportType = 'balance_change_from_activity.itemized.3';

interface Line {
  readonly move: BalanceTransaction;
  readonly chargeId: string;
  readonly intentId: string;
}

/** Every column the report may have. Amounts are decimals in whole units. */
const columns: Readonly<Record<string, (line: Line) => string>> = {
  balance_transaction_id: ({ move }) => move.id,
  created_utc: ({ move }) => timeOf(move.created),
  created: ({ move }) => timeOf(move.created),
  available_on_utc: ({ move }) => timeOf(move.available_on),
  available_on: ({ move }) => timeOf(move.available_on),
  currency: ({ move }) => move.currency,
  gross: ({ move }) => decimalOf(move.amount, move.currency),
  fee: ({ move }) => decimalOf(move.fee, move.currency),
  net: ({ move }) => decimalOf(move.net, move.currency),
  reporting_category: ({ move }) => move.reporting_category,
  source_id: ({ move }) => move.source,
  description: ({ move }) => move.description ?? '',
  charge_id: ({ chargeId }) => chargeId,
  payment_intent_id: ({ intentId }) => intentId,
};

export const settlementColumns: readonly string[] = [
  ...['balance_transaction_id', 'created_utc', 'available_on_utc', 'currency', 'gross', 'fee'],
  ...['net', 'reporting_category', 'source_id', 'charge_id', 'payment_intent_id', 'description'],
];

const creation = z.strictObject({
  ...expanding,
  report_type: z.literal(reportType),
  parameters: z.strictObject({
    interval_start: fields.seconds,
    interval_end: fields.seconds,
    columns: z
      .array(z.string().refine((name) => Object.hasOwn(columns, name)))
      .max(30)
      .default([...settlementColumns]),
    timezone: z.literal('Etc/UTC').default('Etc/UTC'),
  }),
});

function create(books: Books, { report_type, parameters }: z.output<typeof creation>): Reply {
  if (parameters.interval_end > books.now) {
    const message = 'Data for this interval is not yet available.';
    return refusal(message, { param: 'parameters[interval_end]' });
  }
  const run: ReportRun = {
    id: books.idOf('reporting.report_run'),
    object: 'reporting.report_run',
    created: books.now,
    error: null,
    livemode: false,
    parameters,
    report_type,
    result: null,
    status: 'pending',
    succeeded_at: null,
  };
  books.storage.insert('reporting.report_run', run);
  books.job(books.pace.reportMs, { do: 'finish_report', id: run.id });
  return answer(run);
}

export function finishReport(books: Books, id: string): void {
  const run = books.need('reporting.report_run', id);
  const file = id.replace(/^frr_/, 'file_');
  const done: ReportRun = {
    ...run,
    result: {
      id: file,
      object: 'file',
      url: `${books.means.publicUrl()}/v1/files/${file}/contents`,
    },
    status: 'succeeded',
    succeeded_at: books.now,
  };
  books.storage.update('reporting.report_run', done);
  books.emit('reporting.report_run.succeeded', done);
}

/** The run whose file this is. */
export function runOfFile(storage: Storage, file: string): ReportRun | undefined {
  const run = storage.get('reporting.report_run', file.replace(/^file_/, 'frr_'));
  return run?.result?.id === file ? run : undefined;
}

/** The lines of the report, each with its line break; the header first. */
export function* reportLines(
  storage: Storage,
  { interval_start, interval_end, columns: names }: ReportRun['parameters'],
): Generator<string> {
  yield `${names.map(quoted).join(',')}\n`;
  for (const move of storage.oldestFirst('balance_transaction', interval_start, interval_end)) {
    const line = lineOf(storage, move);
    yield `${names.map((name) => quoted(columns[name]?.(line) ?? '')).join(',')}\n`;
  }
}

function lineOf(storage: Storage, move: BalanceTransaction): Line {
  const { source } = move;
  const refund = source.startsWith('re_') ? storage.get('refund', source) : undefined;
  const dispute = source.startsWith('dp_') ? storage.get('dispute', source) : undefined;
  const chargeId = source.startsWith('ch_') ? source : (refund ?? dispute)?.charge;
  const charge = chargeId === undefined ? undefined : storage.get('charge', chargeId);
  return { move, chargeId: chargeId ?? '', intentId: charge?.payment_intent ?? '' };
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(0, 19).replace('T', ' ');
}

/** `-1234` cents are `-12.34`. */
export function decimalOf(amount: number, currency: string): string {
  const exponent = exponentOf(currency);
  const digits = String(Math.abs(amount)).padStart(exponent + 1, '0');
  const whole = digits.slice(0, digits.length - exponent);
  const sign = amount < 0 ? '-' : '';
  return exponent === 0 ? `${sign}${whole}` : `${sign}${whole}.${digits.slice(-exponent)}`;
}

/** RFC 4180. */
function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const reportRoutes: readonly Route[] = [
  route({
    ...{ method: 'POST', path: '/v1/reporting/report_runs', operation: 'report_runs.create' },
    parameters: creation,
    handle: create,
  }),
  route({
    ...{ method: 'GET', path: '/v1/reporting/report_runs/:id' },
    operation: 'report_runs.retrieve',
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => {
      const run = books.get('reporting.report_run', id);
      return run ? answer(run) : missing('report run', id, 'report_run');
    },
  }),
];
