import { csvCell } from './csv-cell.ts';
import { exponentOf, isCurrency } from './money.ts';
import type { LedgerEntry } from './read-model/ledger.ts';

/** The journal as CSV (RFC 4180, UTF-8, lines end in CRLF): one line for each posting. Amounts are in major units. */
export const ledgerCsvHeader =
  'recorded_utc,occurred_utc,event_id,stream,revision,type,line,account,balance,side,amount,currency,corrects\r\n';

export function ledgerCsvLines(entry: LedgerEntry): string {
  const {
    recordedAt,
    occurredAt,
    eventId,
    stream,
    revision,
    type,
    currency,
    corrects = '',
  } = entry;
  const times = [recordedAt, occurredAt].map((time) => new Date(time).toISOString());
  return entry.postings
    .map(({ account, balance, side, amount }, line) =>
      [
        ...times,
        ...[eventId, stream, String(revision), type, String(line)],
        ...[account, balance, side, majorUnits(amount, currency), currency, corrects],
      ]
        .map(csvCell)
        .join(','),
    )
    .map((line) => `${line}\r\n`)
    .join('');
}

/** `19.99` for 1999 in USD. Exact: made of digits, never of a float. */
export function majorUnits(amount: bigint, currency: string): string {
  const exponent = isCurrency(currency) ? exponentOf(currency) : 0;
  const digits = String(amount < 0n ? -amount : amount).padStart(exponent + 1, '0');
  const sign = amount < 0n ? '-' : '';
  if (exponent === 0) return sign + digits;
  return `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}
