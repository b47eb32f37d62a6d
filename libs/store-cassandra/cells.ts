import type { Cell, ColumnType, Row, Table } from '@annals/projection';
import type { Bound, DriverRow } from './connection.ts';

/** Cassandra's types for ours. */
export const cqlTypes: { readonly [type in ColumnType]: string } = {
  text: 'text',
  integer: 'bigint',
  blob: 'blob',
};

export function toBound(cell: Cell): Bound {
  if (typeof cell === 'number') return BigInt(cell);
  if (cell instanceof Uint8Array) return asBuffer(cell);
  return cell;
}

export function fromBound(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return new Uint8Array(value);
  throw new TypeError(`Cassandra gave a ${typeof value} for a cell`);
}

export function rowFrom(columns: readonly string[], held: DriverRow): Row {
  const row: { [column: string]: Cell } = {};
  for (const column of columns) row[column] = fromBound(held[column]);
  return row;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Throws a TypeError unless the row has exactly the table's columns, each of its type, and this key. */
export function checkRow(table: Table, key: readonly Cell[], row: Row): void {
  for (const [column, type] of Object.entries(table.columns)) {
    const cell = row[column];
    const isKey = table.key.includes(column);
    if (cell !== undefined && (fits(cell, type) || (cell === null && !isKey))) continue;
    const said = cell === null ? 'null' : typeof cell;
    throw new TypeError(`${table.name}.${column} must be ${type}, not ${said}`);
  }
  checkKey(table, key);
  const own = table.key.map((column) => row[column] as Cell);
  if (keyBytes(own).equals(keyBytes(key))) return;
  throw new TypeError(`the key of a row of ${table.name} is not the key of its change`);
}

export function checkKey(table: Table, key: readonly Cell[]): void {
  const right =
    key.length === table.key.length &&
    table.key.every((column, n) => fits(key[n], table.columns[column] as ColumnType));
  if (!right) throw new TypeError(`this is no key of ${table.name}: ${JSON.stringify(key)}`);
}

function fits(cell: Cell | undefined, type: ColumnType): boolean {
  if (type === 'text') return typeof cell === 'string';
  if (type === 'integer') return Number.isSafeInteger(cell);
  return cell instanceof Uint8Array;
}

const zero = 0;
const escaped = 0xff;

/**
 * A key as bytes that are ordered as keys are: integers by value, text and blobs by their bytes. Equal
 * for equal keys only. Texts and blobs end with two zeros; a zero in them is followed by 255.
 */
export function keyBytes(key: readonly Cell[]): Buffer {
  const parts: Buffer[] = [];
  for (const cell of key) {
    if (typeof cell === 'number') {
      const part = Buffer.allocUnsafe(8);
      part.writeBigUInt64BE(BigInt(cell) + 2n ** 63n);
      parts.push(part);
    } else if (cell !== null) {
      parts.push(withEnd(typeof cell === 'string' ? Buffer.from(cell) : asBuffer(cell)));
    }
  }
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
}

function withEnd(bytes: Buffer): Buffer {
  if (!bytes.includes(zero)) {
    const ended = Buffer.alloc(bytes.length + 2);
    bytes.copy(ended);
    return ended;
  }
  const out: number[] = [];
  for (const byte of bytes) {
    out.push(byte);
    if (byte === zero) out.push(escaped);
  }
  return Buffer.from([...out, zero, zero]);
}

/** FNV-1a with a last mix, 32 bits: where the row of a key is. Never changed: rows would not be found again. */
export function placeOf(bytes: Uint8Array, places: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < bytes.length; index += 1) {
    hash = Math.imul(hash ^ (bytes[index] as number), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash ^= hash >>> 13;
  return (hash >>> 0) % places;
}

/** FNV-1a of 64 bits, of cells as key bytes. */
export function hash64(cells: readonly Cell[]): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of keyBytes(cells)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash;
}

/** Cells as JSON can hold them. */
export type JsonCell = string | number | null | { readonly blob: string };

export function toJsonCell(cell: Cell): JsonCell {
  return cell instanceof Uint8Array ? { blob: asBuffer(cell).toString('base64') } : cell;
}

export function fromJsonCell(cell: JsonCell): Cell {
  return typeof cell === 'object' && cell !== null
    ? new Uint8Array(Buffer.from(cell.blob, 'base64'))
    : cell;
}

/** About what a cell takes in a request, in bytes. */
export function cellBytes(cell: Cell): number {
  if (typeof cell === 'string') return 20 + cell.length;
  return cell instanceof Uint8Array ? 20 + cell.length : 28;
}
