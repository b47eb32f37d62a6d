import type { Cell, ColumnType, Row, Table } from './projection.ts';

/** A row that does not fit its table: a bug of the projection. */
export class RowShapeError extends Error {
  readonly code = 'row-shape';
  constructor(table: string, detail: string) {
    super(`table ${table}: ${detail}`);
    this.name = 'RowShapeError';
  }
}

/** A table with what the fold asks of it thousands of times a second, worked out once. */
export interface TableShape {
  readonly table: Table;
  readonly columns: readonly string[];
  readonly cells: readonly CellShape[];
  /** The columns of `Table.sums`, in the order of the columns. */
  readonly sums: readonly CellShape[];
  /** A text for a key: equal keys and only equal keys have the same. */
  readonly keyText: (key: readonly Cell[]) => string;
  readonly keyOf: (row: Row) => readonly Cell[];
  /** Throws RowShapeError unless the row has exactly the table's columns, each of its type. */
  readonly check: (row: Row) => void;
  /** The same of a row that is given by its key and by the columns that are neither key nor sum. */
  readonly checkRest: (key: readonly Cell[], rest: Row) => void;
}

export interface CellShape {
  readonly column: string;
  readonly type: ColumnType;
  /** Its place in the key; -1 for none. */
  readonly keyPlace: number;
  readonly isSum: boolean;
}

export function tableShape(table: Table): TableShape {
  const columns = Object.keys(table.columns);
  const cells = columns.map((column): CellShape => {
    return {
      column,
      type: table.columns[column] as ColumnType,
      keyPlace: table.key.indexOf(column),
      isSum: table.sums?.includes(column) ?? false,
    };
  });
  const only = table.key.length === 1 ? (table.key[0] as string) : undefined;
  return {
    table,
    columns,
    cells,
    sums: cells.filter(({ isSum }) => isSum),
    keyText: only === undefined ? textOfCells : (key) => textOfCell(key[0] as Cell),
    keyOf:
      only === undefined
        ? (row) => table.key.map((column) => row[column] as Cell)
        : (row) => [row[only] as Cell],
    check: (row) => checkRow(table, cells, row),
    checkRest: (key, rest) => checkRest(table, cells, key, rest),
  };
}

/** The cells of one key column are all of one type, so a lone cell needs no mark of its type. */
function textOfCell(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  return typeof cell === 'number' ? String(cell) : blobText(cell);
}

/** Texts are length-prefixed, so that no two keys run into the same text. */
export function textOfCells(key: readonly Cell[]): string {
  let text = '';
  for (const cell of key) {
    if (typeof cell === 'string') text += `${cell.length}:${cell}`;
    else text += typeof cell === 'number' ? `${cell},` : `${blobText(cell)},`;
  }
  return text;
}

export function blobText(cell: Uint8Array | null): string {
  return cell === null
    ? 'null'
    : Buffer.from(cell.buffer, cell.byteOffset, cell.length).toString('hex');
}

function checkRow(table: Table, columns: readonly CellShape[], row: Row): void {
  for (const shape of columns) checkCell(table, shape, row[shape.column]);
  let cells = 0;
  for (const column in row) {
    cells += 1;
    if (cells > columns.length) {
      throw new RowShapeError(table.name, `has no column ${column}, or was given one too many`);
    }
  }
}

function checkRest(
  table: Table,
  columns: readonly CellShape[],
  key: readonly Cell[],
  rest: Row,
): void {
  for (const shape of columns) {
    const { column, keyPlace, isSum } = shape;
    if (!isSum) checkCell(table, shape, keyPlace < 0 ? rest[column] : key[keyPlace]);
  }
}

function checkCell(
  table: Table,
  { column, type, keyPlace }: CellShape,
  cell: Cell | undefined,
): void {
  if (!fits(cell, type)) {
    throw new RowShapeError(table.name, `column ${column} is not ${type} or null`);
  }
  if (keyPlace >= 0 && cell === null) {
    throw new RowShapeError(table.name, `key column ${column} is null`);
  }
}

function fits(cell: Cell | undefined, type: ColumnType): boolean {
  if (cell === null) return true;
  if (type === 'text') return typeof cell === 'string';
  if (type === 'integer') return Number.isSafeInteger(cell);
  return cell instanceof Uint8Array;
}

export function sameCell(a: Cell | undefined, b: Cell | undefined): boolean {
  if (a === b) return true;
  return a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0;
}

export function sameKey(a: readonly Cell[], b: readonly Cell[]): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) {
    if (!sameCell(a[index], b[index])) return false;
  }
  return true;
}

/** Key order, as every store gives its rows: integers by value, text by its UTF-8 bytes, blobs by their bytes. */
export function compareKeys(a: readonly Cell[], b: readonly Cell[]): number {
  for (let index = 0; index < a.length; index += 1) {
    const order = compareCells(a[index] ?? null, b[index] ?? null);
    if (order !== 0) return order;
  }
  return 0;
}

function compareCells(a: Cell, b: Cell): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (a === b) return 0;
  return Buffer.compare(bytesOf(a), bytesOf(b));
}

function bytesOf(cell: Cell): Uint8Array {
  return cell instanceof Uint8Array ? cell : Buffer.from(cell === null ? '' : String(cell));
}

export function sameRow(shape: TableShape, a: Row, b: Row): boolean {
  for (const column of shape.columns) {
    if (!sameCell(a[column], b[column])) return false;
  }
  return true;
}
