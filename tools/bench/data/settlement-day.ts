import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Two files of one day: what a provider says, and our entries of the same moves, in another order. */
export interface SettlementDay {
  readonly folder: string;
  readonly lines: number;
}

export const dayEnd = Date.parse('2026-11-25T00:00:00Z');
/** Each of so many lines has another fee than our entry. */
export const feeBreakEvery = 1_000;

export const settlementFile = (folder: string) => join(folder, 'settlement.csv');
export const ledgerFile = (folder: string) => join(folder, 'ledger.csv');

export async function writeSettlementDay({ folder, lines }: SettlementDay): Promise<void> {
  await pipeline(settlementLines(lines), createWriteStream(settlementFile(folder)));
  await pipeline(ledgerLines(lines), createWriteStream(ledgerFile(folder)));
}

const chunkLines = 1_000;

function* settlementLines(lines: number): Generator<string> {
  yield 'balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,reporting_category,source_id,charge_id,payment_intent_id,description\n';
  yield* inChunks(lines, (at) => {
    const number = scattered(at, lines);
    const { gross, fee } = amountsOf(number);
    const source = `ch_3${idOf(number)}`;
    return `txn_3${idOf(number)},2026-11-24 12:00:00,2026-11-26 00:00:00,usd,${shown(gross)},${shown(fee)},${shown(gross - fee)},charge,${source},${source},pi_3${idOf(number)},order ${number}\n`;
  });
}

function* ledgerLines(lines: number): Generator<string> {
  yield 'key,status,currency,amount,fee,at,id\n';
  yield* inChunks(lines, (at) => {
    const { gross, fee } = amountsOf(at);
    const booked = at % feeBreakEvery === 0 ? fee - 1 : fee;
    return `pi_3${idOf(at)},captured,USD,${gross},${booked},${dayEnd - 43_200_000},entry-${idOf(at)}\n`;
  });
}

function* inChunks(lines: number, lineOf: (at: number) => string): Generator<string> {
  for (let from = 0; from < lines; from += chunkLines) {
    const size = Math.min(chunkLines, lines - from);
    yield Array.from({ length: size }, (_, index) => lineOf(from + index)).join('');
  }
}

/** Another order of the same numbers: the step has no factor in common with a power of ten. */
function scattered(at: number, lines: number): number {
  return (at * 611_953) % lines;
}

function amountsOf(number: number): { readonly gross: number; readonly fee: number } {
  const gross = 500 + ((number * 7) % 20_000);
  return { gross, fee: Math.round(gross * 0.029) + 30 };
}

function shown(cents: number): string {
  return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
}

/** Twenty characters that look drawn by lot, as a provider's ids do. */
function idOf(number: number): string {
  const drawn = Math.imul(number + 1, 2_654_435_761) >>> 0;
  return `${drawn.toString(36).padStart(7, '0')}${number.toString(36).padStart(13, 'N')}`;
}
