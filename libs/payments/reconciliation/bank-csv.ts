import { exponentOf, isCurrency } from '../money.ts';
import { type CsvMapping, csvRows } from './csv-rows.ts';
import { minorUnits } from './decimal.ts';
import type { FileText } from './file-text.ts';
import { reconciliationLimits as limits } from './limits.ts';
import { type BadLine, bad, type MappedLine } from './mapped-line.ts';

/** One booking of a bank account. */
export interface BankRow {
  /** The bank's own id of it. */
  readonly id: string;
  /** What we gave it with: the reference of the payout. Empty where the bank lost it. */
  readonly reference: string;
  /** The day it was booked, as its start in UTC, in milliseconds. */
  readonly bookedAt: number;
  readonly currency: string;
  /** Minor units; below zero where money leaves the account. */
  readonly amount: bigint;
  readonly status: 'booked' | 'pending' | 'returned';
  readonly text: string;
}

const required = ['booking_date', 'id', 'reference', 'currency', 'amount'] as const;
const optional = ['status', 'text'] as const;
type Column = (typeof required)[number] | (typeof optional)[number];

/**
 * A bank statement as CSV with the header `booking_date,id,reference,currency,amount,status,text` (in any order; the last
 * two may be missing). `delimiter` is `,` or, as many banks have it, `;`. Amounts have a point and the decimals of
 * their currency, and are below zero where money leaves the account.
 */
export function bankCsvRows(
  file: FileText,
  delimiter: ',' | ';' = ',',
): AsyncGenerator<readonly MappedLine<BankRow>[]> {
  const mapping: CsvMapping<Column, BankRow> = { delimiter, required, optional, rowOf };
  return csvRows(file, mapping);
}

function rowOf(field: (name: Column) => string, line: number): BankRow | BadLine {
  const id = field('id');
  const reference = field('reference');
  if (id === '') return bad(line, 'missing-field', 'id is empty');
  if (Math.max(id.length, reference.length) > limits.idCharsMax) {
    return bad(line, 'missing-field', `an id has more than ${limits.idCharsMax} characters`);
  }
  const bookedAt = utcDay(field('booking_date'));
  if (bookedAt === undefined) return bad(line, 'wrong-time', 'booking_date is no day');
  const currency = field('currency').toUpperCase();
  if (!isCurrency(currency)) return bad(line, 'unknown-currency', 'currency is no ISO 4217 code');
  const exponent = exponentOf(currency);
  const amount = minorUnits(field('amount'), exponent, 'exact');
  if (amount === undefined) {
    return bad(line, 'wrong-amount', `amount is no amount with ${exponent} decimals`);
  }
  const status = field('status').toLowerCase() || 'booked';
  if (status !== 'booked' && status !== 'pending' && status !== 'returned') {
    return bad(line, 'missing-field', 'status is not booked, pending or returned');
  }
  return { id, reference, bookedAt, currency, amount, status, text: field('text') };
}

/** `2026-11-24` as milliseconds. Undefined for another form, or a day that is none. */
export function utcDay(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const at = Date.parse(`${text}T00:00:00Z`);
  if (!Number.isFinite(at) || !new Date(at).toISOString().startsWith(text)) return undefined;
  return at;
}
