import { createReadStream } from 'node:fs';
import { parse } from 'csv-parse';
import { ledgerFile, settlementFile } from '../data/settlement-day.ts';

interface Line {
  readonly key: string;
  readonly amount: string;
  readonly fee: string;
}

/**
 * What somebody writes for one night: both files into memory with csv-parse, sorted by key, walked side by side.
 * Nothing is checked, nothing is classified. The number of keys that differ.
 */
export async function sortAndMerge(folder: string): Promise<number> {
  const theirs = await sorted(settlementFile(folder), (fields) => {
    const [, , , , gross = '', fee = '', , , , , key = ''] = fields;
    return { key, amount: gross.replace('.', ''), fee: fee.replace('.', '') };
  });
  const ours = await sorted(ledgerFile(folder), ([key = '', , , amount = '', fee = '']) => {
    return { key, amount, fee };
  });
  let [at, other, differ] = [0, 0, 0];
  while (at < theirs.length || other < ours.length) {
    const [a, b] = [theirs[at], ours[other]];
    if (a && b && a.key === b.key) {
      if (Number(a.amount) !== Number(b.amount) || Number(a.fee) !== Number(b.fee)) differ += 1;
      at += 1;
      other += 1;
      continue;
    }
    differ += 1;
    if (a && (!b || a.key < b.key)) at += 1;
    else other += 1;
  }
  return differ;
}

async function sorted(path: string, lineOf: (fields: readonly string[]) => Line): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const record of createReadStream(path).pipe(parse({ from_line: 2 }))) {
    lines.push(lineOf(record as string[]));
  }
  return lines.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}
