import { exponentOf, isCurrency } from '../money.ts';
import { type CsvMapping, csvRows } from './csv-rows.ts';
import { minorUnits } from './decimal.ts';
import type { FileText } from './file-text.ts';
import { reconciliationLimits as limits } from './limits.ts';
import { type BadLine, bad, type MappedLine } from './mapped-line.ts';

/** One line of a provider's settlement file: one move of our balance there. */
export interface SettlementRow {
  /** The provider's id of the move. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly currency: string;
  /** Minor units; below zero where money leaves. `gross - fee = net`. */
  readonly gross: bigint;
  readonly fee: bigint;
  readonly net: bigint;
  readonly category: string;
  /** The provider's id of what moved it: a charge, refund, dispute, payout. */
  readonly sourceId: string;
  /** Empty where the file has no such column. */
  readonly chargeId: string;
  readonly paymentIntentId: string;
  readonly reference: string;
  readonly payoutId: string;
}

const required = [
  'balance_transaction_id',
  'created_utc',
  'currency',
  'gross',
  'fee',
  'net',
  'reporting_category',
  'source_id',
] as const;
const optional = ['charge_id', 'payment_intent_id', 'reference', 'payout_id'] as const;
type Column = (typeof required)[number] | (typeof optional)[number];

/** Stripe's itemized report of balance changes; columns come in any order, and others are passed over. */
export function settlementRows(
  file: FileText,
): AsyncGenerator<readonly MappedLine<SettlementRow>[]> {
  return csvRows(file, mapping);
}

const mapping: CsvMapping<Column, SettlementRow> = { delimiter: ',', required, optional, rowOf };

function rowOf(field: (name: Column) => string, line: number): SettlementRow | BadLine {
  const id = field('balance_transaction_id');
  const sourceId = field('source_id');
  const category = field('reporting_category');
  if (id === '') return bad(line, 'missing-field', 'balance_transaction_id is empty');
  if (category === '') return bad(line, 'missing-field', 'reporting_category is empty');
  if (sourceId === '') return bad(line, 'missing-field', 'source_id is empty');
  if (Math.max(id.length, sourceId.length, category.length) > limits.idCharsMax) {
    return bad(line, 'missing-field', `an id has more than ${limits.idCharsMax} characters`);
  }
  const createdAt = utcTime(field('created_utc'));
  if (createdAt === undefined) return bad(line, 'wrong-time', 'created_utc is no time in UTC');
  const currency = field('currency').toUpperCase();
  if (!isCurrency(currency)) {
    return bad(line, 'unknown-currency', 'currency is no ISO 4217 code');
  }
  const decimals = decimalsAtStripe.get(currency) ?? exponentOf(currency);
  const gross = stripeAmount(field('gross'), currency, decimals);
  const fee = stripeAmount(field('fee'), currency, decimals);
  const net = stripeAmount(field('net'), currency, decimals);
  if (gross === undefined || fee === undefined || net === undefined) {
    const name = gross === undefined ? 'gross' : fee === undefined ? 'fee' : 'net';
    return bad(line, 'wrong-amount', `${name} is no amount with ${decimals} decimals`);
  }
  if (gross - fee !== net) return bad(line, 'net-differs', 'net is not gross less fee');
  const chargeId = field('charge_id');
  const paymentIntentId = field('payment_intent_id');
  const [reference, payoutId] = [field('reference'), field('payout_id')];
  const amounts = { currency, gross, fee, net };
  return {
    ...{ id, createdAt, ...amounts, category, sourceId, chargeId },
    ...{ paymentIntentId, reference, payoutId },
  };
}

/** Where Stripe writes other decimals than ISO 4217 has (https://docs.stripe.com/currencies, special cases). */
const decimalsAtStripe: ReadonlyMap<string, number> = new Map([
  ['ISK', 2],
  ['UGX', 2],
  ['MGA', 0],
]);

function stripeAmount(text: string, currency: string, decimals: number): bigint | undefined {
  if (minorUnits(text, decimals, 'exact') === undefined) return undefined;
  return isCurrency(currency) ? minorUnits(text, exponentOf(currency), 'fitting') : undefined;
}

/** `2026-11-24 10:00:00` or ISO 8601 in UTC, as milliseconds. Undefined for another form, or a day that is none. */
export function utcTime(text: string): number | undefined {
  const match = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?Z?$/.exec(text);
  if (!match) return undefined;
  const second = `${match[1]}T${match[2]}`;
  const at = Date.parse(`${second}Z`);
  if (!Number.isFinite(at) || !new Date(at).toISOString().startsWith(second)) return undefined;
  return at;
}
