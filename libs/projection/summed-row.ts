import type { Addend, Cell, Row, Table } from './projection.ts';
import { RowShapeError, type TableShape, tableShape } from './table-shape.ts';

/** Exact: a bigint where the sum is no safe integer. */
export function exactSum(a: Addend, b: Addend): Addend {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return asAddend(BigInt(a) + BigInt(b));
}

/** As a number, which is added several times as fast, where that is exact. */
export function asAddend(amount: bigint): Addend {
  const number = Number(amount);
  return Number.isSafeInteger(number) ? number : amount;
}

/**
 * A row of sums between two batches: what is added to it is kept as numbers, and written as text once, when its batch is
 * sealed. Never changed: each addition makes the next one, so that undoing is going back.
 */
export class SummedRow {
  readonly #sums: readonly Addend[];
  /** Where the columns are that are neither key nor sum. */
  readonly #rest: Row | undefined;

  private constructor(sums: readonly Addend[], rest: Row | undefined) {
    this.#sums = sums;
    this.#rest = rest;
  }

  /** `before` with one addend for each column of `sums`, in their order. Throws RowShapeError for what the table cannot hold. */
  static after(
    shape: TableShape,
    key: readonly Cell[],
    before: Row | SummedRow | undefined,
    addends: readonly Addend[],
    rest: Row | undefined,
  ): SummedRow {
    const { sums } = shape;
    if (sums.length === 0 || addends.length !== sums.length) {
      const given = `${addends.length} addends for ${sums.length} sums`;
      throw new RowShapeError(shape.table.name, `was given ${given}`);
    }
    if (rest || before === undefined) shape.checkRest(key, rest ?? {});
    const next: Addend[] = [];
    for (let n = 0; n < sums.length; n += 1) {
      const sum = exactSum(sumBefore(shape, before, n), addends[n] as Addend);
      if (sums[n]?.type === 'integer' && typeof sum !== 'number') {
        throw new RowShapeError(shape.table.name, `${sums[n]?.column} is beyond the safe integers`);
      }
      next.push(sum);
    }
    return new SummedRow(next, rest ?? (before instanceof SummedRow ? before.#rest : before));
  }

  sum(place: number): Addend {
    return this.#sums[place] as Addend;
  }

  row(shape: TableShape, key: readonly Cell[]): Row {
    const row: { [column: string]: Cell } = {};
    let sum = 0;
    for (const { column, type, keyPlace, isSum } of shape.cells) {
      if (keyPlace >= 0) row[column] = key[keyPlace] as Cell;
      else if (!isSum) row[column] = this.#rest?.[column] as Cell;
      else {
        const value = this.#sums[sum++] as Addend;
        row[column] = type === 'text' ? String(value) : (value as number);
      }
    }
    return row;
  }
}

function sumBefore(shape: TableShape, before: Row | SummedRow | undefined, place: number): Addend {
  if (before === undefined) return 0;
  if (before instanceof SummedRow) return before.sum(place);
  const cell = before[shape.sums[place]?.column as string];
  const value = Number(cell);
  return Number.isSafeInteger(value) ? value : BigInt(cell as string);
}

/** The row that there is after an addition, for whoever keeps whole rows. Throws RowShapeError as `Rows.add` does. */
export function addedRow(
  table: Table,
  key: readonly Cell[],
  before: Row | undefined,
  addends: readonly Addend[],
  rest?: Row,
): Row {
  const shape = tableShape(table);
  return SummedRow.after(shape, key, before, addends, rest).row(shape, key);
}
