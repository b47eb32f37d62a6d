import { createReadStream } from 'node:fs';
import {
  FileText,
  type Movement,
  movementOfSettlement,
  reconcile,
  settlementRows,
} from '@annals/payments/reconciliation';
import { parse } from 'csv-parse';
import { dayEnd, ledgerFile, settlementFile } from '../data/settlement-day.ts';
import { sortAndMerge } from '../peers/sort-and-merge.ts';

/**
 * A process that compares the two files of a day, with all checks or as little as can be done. Arguments: `annals` or
 * `sort-and-merge`, the folder.
 */
export interface FromReconcile {
  readonly elapsedMs: number;
  readonly peakBytes: number;
  /** Differences found. */
  readonly breaks: number;
}

const [way = '', folder = ''] = process.argv.slice(2);
const started = performance.now();
const breaks = way === 'annals' ? await withAnnals() : await sortAndMerge(folder);
const elapsedMs = performance.now() - started;
const peakBytes = process.resourceUsage().maxRSS * 1_024;
const message: FromReconcile = { elapsedMs, peakBytes, breaks };
process.send?.(message);
process.disconnect();

async function withAnnals(): Promise<number> {
  let found = 0;
  await reconcile({
    file: settlementRows(new FileText(createReadStream(settlementFile(folder)))),
    movementOf: movementOfSettlement,
    ledger: ledgerMovements(),
    until: dayEnd,
    scratchFolder: folder,
    onBreaks: (several) => {
      found += several.length;
    },
  });
  return found;
}

async function* ledgerMovements(): AsyncGenerator<readonly Movement[]> {
  const records = createReadStream(ledgerFile(folder)).pipe(parse({ from_line: 2 }));
  let batch: Movement[] = [];
  for await (const record of records) {
    const [key = '', , currency = '', amount = '', fee = '', at, id = ''] = record as string[];
    const amounts = { currency, amount: BigInt(amount), fee: BigInt(fee) };
    batch.push({ key, status: 'captured', ...amounts, at: Number(at), id, waited: 0 });
    if (batch.length < 1_000) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}
