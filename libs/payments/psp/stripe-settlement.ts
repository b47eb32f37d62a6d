import type Stripe from 'stripe';
import {
  type PspAnswered,
  type PspRefused,
  type PspUnknown,
  type SettlementFile,
  SettlementFileError,
} from './port.ts';

/** Stripe's report of everything that moved the balance in a time, one line for each move. */
export const settlementReport = 'balance_change_from_activity.itemized.3';

/** The columns asked for, in this order. Amounts are decimals in whole units of the currency: `-12.34`. */
export const settlementColumns = [
  'balance_transaction_id',
  'created_utc',
  'available_on_utc',
  'currency',
  'gross',
  'fee',
  'net',
  'reporting_category',
  'source_id',
  'charge_id',
  'payment_intent_id',
  'description',
] as const;

const dayMs = 24 * 60 * 60 * 1_000;

/** The report's run of a day: asked for once, and found again by its key. */
export async function settlementRun(
  stripe: Stripe,
  date: string,
): Promise<Stripe.Response<Stripe.Reporting.ReportRun>> {
  const start = Date.parse(`${date}T00:00:00Z`) / 1_000;
  return stripe.reporting.reportRuns.create(
    {
      report_type: settlementReport,
      parameters: {
        interval_start: start,
        interval_end: start + dayMs / 1_000,
        columns: [...settlementColumns],
        timezone: 'Etc/UTC',
      },
    },
    { idempotencyKey: `settlement-${date}` },
  );
}

export function isDay(date: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date)) return false;
  const at = Date.parse(`${date}T00:00:00Z`);
  return Number.isFinite(at) && new Date(at).toISOString().startsWith(date);
}

/** The file of a run, or what its state says instead. */
export async function fileOfRun(
  stripe: Stripe,
  psp: string,
  date: string,
  run: Stripe.Reporting.ReportRun,
): Promise<PspAnswered<SettlementFile> | PspRefused | PspUnknown> {
  if (run.status === 'failed') {
    const detail = run.error ?? 'the report of this day failed';
    return { kind: 'refused', reason: 'invalid_request', detail };
  }
  if (run.status !== 'succeeded' || !run.result) {
    return { kind: 'refused', reason: 'wrong_state', detail: `the report is ${run.status}` };
  }
  const path = `/v1/files/${encodeURIComponent(run.result.id)}/contents`;
  const stream: unknown = await stripe.rawRequest('GET', path, undefined, {
    apiBase: 'files',
    streaming: true,
  });
  const format = 'stripe-balance-change-itemized-3';
  const chunks = chunksOf(stream as AsyncIterable<Uint8Array>);
  return { kind: 'answered', value: { psp, date, format, chunks } };
}

async function* chunksOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (cause) {
    throw new SettlementFileError('the settlement file broke off', { cause });
  }
}
