import { sha256 } from '@annals/core';
import type { Cell, Row, Table } from '../projection.ts';
import type { GenerationSnapshot } from '../store.ts';
import { compareKeys, sameRow, tableShape } from '../table-shape.ts';

/** One table as one side of a comparison saw it. */
export interface TableDigest {
  readonly table: string;
  readonly rows: number;
  /** Sum over all rows of the SHA-256 of the row, modulo 2^256: 64 hex digits, whatever the order. */
  readonly hash: string;
}

/** A row that differs; null on the side that has none. */
export interface RowDifference {
  readonly table: string;
  readonly key: readonly Cell[];
  /** As the generation to be judged has it. */
  readonly row: Row | null;
  /** As the other side has it. */
  readonly other: Row | null;
}

const mask = (1n << 256n) - 1n;

export async function tableDigest(
  snapshot: GenerationSnapshot,
  table: Table,
): Promise<TableDigest> {
  const columns = Object.keys(table.columns);
  let sum = 0n;
  let rows = 0;
  for await (const page of snapshot.rows(table.name)) {
    for (const row of page) sum += BigInt(`0x${sha256(rowText(columns, row))}`);
    rows += page.length;
    sum &= mask;
  }
  return { table: table.name, rows, hash: sum.toString(16).padStart(64, '0') };
}

/** A row as text: equal rows and only equal rows have the same. Cells in the order of the table's columns. */
export function rowText(columns: readonly string[], row: Row): string {
  return JSON.stringify(
    columns.map((column) => {
      const cell = row[column];
      return cell instanceof Uint8Array ? { blob: Buffer.from(cell).toString('hex') } : cell;
    }),
  );
}

/** Walks both sides in key order and returns the first rows that differ, at most `limit`. */
export async function differingRows(
  snapshot: GenerationSnapshot,
  other: GenerationSnapshot,
  table: Table,
  limit: number,
): Promise<RowDifference[]> {
  const shape = tableShape(table);
  const differences: RowDifference[] = [];
  const left = new RowCursor(snapshot.rows(table.name));
  const right = new RowCursor(other.rows(table.name));
  try {
    let a = await left.next();
    let b = await right.next();
    while ((a || b) && differences.length < limit) {
      const order = a && b ? compareKeys(shape.keyOf(a), shape.keyOf(b)) : a ? -1 : 1;
      const row = order <= 0 ? (a ?? null) : null;
      const counterpart = order >= 0 ? (b ?? null) : null;
      if (!row || !counterpart || !sameRow(shape, row, counterpart)) {
        const key = shape.keyOf((row ?? counterpart) as Row);
        differences.push({ table: table.name, key, row, other: counterpart });
      }
      if (row) a = await left.next();
      if (counterpart) b = await right.next();
    }
    return differences;
  } finally {
    await left.close();
    await right.close();
  }
}

/** Rows one by one, out of pages. */
class RowCursor {
  readonly #pages: AsyncIterator<readonly Row[]>;
  #page: readonly Row[] = [];
  #place = 0;

  constructor(pages: AsyncIterable<readonly Row[]>) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  async next(): Promise<Row | undefined> {
    while (this.#place >= this.#page.length) {
      const next = await this.#pages.next();
      if (next.done) return undefined;
      this.#page = next.value;
      this.#place = 0;
    }
    const row = this.#page[this.#place];
    this.#place += 1;
    return row;
  }

  async close(): Promise<void> {
    await this.#pages.return?.();
  }
}
