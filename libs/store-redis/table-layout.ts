import type { Cell, ColumnType, Row, Table } from '@annals/projection';
import { blobText, CellReader, CellWriter, cellText, readCells } from './cells.ts';
import { limits } from './limits.ts';
import { type Order, ordersOf } from './orders.ts';

/** Rows of one run: those whose last key column, an integer, is the same when divided by this. */
const runLength = 64;

/** Where a row stands in an order: in its sorted set. */
export interface SetPlace {
  readonly score: number;
  readonly member: Buffer;
}

/** Where a row lies: a field of a hash in one of the shards. */
export interface RowPlace {
  readonly layout: TableLayout;
  readonly shard: number;
  /** What follows the shard's tag in the key of the hash. */
  readonly bucket: string;
  readonly field: string;
}

interface Prefix {
  readonly text: string;
  readonly hash: number;
  /** The run that was asked for last, and its hash's name: most rows of a batch follow one another. */
  run: number;
  bucket: string;
}

/** Where the parts of one entry of a value begin in what was written; `end` is `score` where the row has no place. */
export interface WrittenEntry {
  score: number;
  member: number;
  end: number;
}

/**
 * How the rows of a table lie in Redis. All rows with the same key but for its last column are fields
 * of one hash in each shard, so that thousands of them take one command; where the last column is an
 * integer, runs of 64 are, so that an event's row costs little more than its cells. A value is: for
 * each order the place of the row in it, then the packed cells that no order holds.
 */
export class TableLayout {
  readonly table: Table;
  readonly number: number;
  readonly orders: readonly Order[];
  readonly columns: readonly string[];
  /** For each order whether its places are dealt to shards by their score, and not with their rows. */
  readonly ranged: readonly boolean[];
  /** Where `write` has put the entries of the last row, one for each order. */
  readonly written: readonly WrittenEntry[];
  readonly #types: readonly ColumnType[];
  readonly #keyTypes: readonly ColumnType[];
  readonly #lastType: ColumnType;
  readonly #prefixes = new Map<string, Prefix>();
  #lastKey: readonly Cell[] = [];
  #lastPrefix: Prefix = { text: '', hash: 0, run: Number.NaN, bucket: '' };
  /** Columns of the value where the first order holds the row, and where it does not. */
  readonly #packed: readonly string[];
  readonly #packedWhole: readonly string[];

  constructor(table: Table, number: number, hasRanges = false) {
    this.table = table;
    this.number = number;
    this.columns = Object.keys(table.columns);
    this.#types = this.columns.map((column) => table.columns[column] as ColumnType);
    this.#keyTypes = table.key.map((column) => table.columns[column] as ColumnType);
    this.#lastType = this.#keyTypes.at(-1) as ColumnType;
    this.orders = ordersOf(table, number);
    this.written = this.orders.map(() => ({ score: 0, member: 0, end: 0 }));
    this.ranged = this.orders.map((order) => hasRanges && order.score !== undefined);
    const held = new Set(this.orders[0]?.columns);
    this.#packedWhole = this.columns.filter((column) => !table.key.includes(column));
    this.#packed = this.#packedWhole.filter((column) => !held.has(column));
  }

  /** Where a row lies among so many shards. Throws a TypeError for a key that is not one of this table. */
  place(key: readonly Cell[], shards = 1): RowPlace {
    if (key.length !== this.#keyTypes.length) throw this.#bad('key', 'of its key columns');
    for (let n = 0; n < key.length; n += 1) {
      const cell = key[n] as Cell;
      const type = this.#keyTypes[n] as ColumnType;
      if (cell === null || !fits(cell, type)) throw this.#bad(this.table.key[n] as string, type);
    }
    const prefix = this.#prefixOf(key);
    const last = key[key.length - 1] as Cell;
    if (this.#lastType !== 'integer') {
      const field = typeof last === 'string' ? last : blobText(last);
      const shard = shards === 1 ? 0 : hashOf(field, prefix.hash) % shards;
      return { layout: this, shard, bucket: prefix.text, field };
    }
    const run = Math.floor((last as number) / runLength);
    if (prefix.run !== run) {
      prefix.run = run;
      prefix.bucket = `${prefix.text}#${run}`;
    }
    const { bucket } = prefix;
    const shard = shards === 1 ? 0 : hashOf(bucket) % shards;
    return { layout: this, shard, bucket, field: String((last as number) + 0) };
  }

  /** The beginning that all keys with the same cells but for the last one share; the last, and those of one text, are remembered. */
  #prefixOf(key: readonly Cell[]): Prefix {
    const lead = key.length - 1;
    let isSame = this.#lastKey.length === key.length;
    for (let n = 0; isSame && n < lead; n += 1) isSame = key[n] === this.#lastKey[n];
    if (isSame) return this.#lastPrefix;
    this.#lastKey = key;
    const [first] = key;
    const name = lead === 1 && typeof first === 'string' ? first : undefined;
    const known = name === undefined ? undefined : this.#prefixes.get(name);
    this.#lastPrefix = known ?? this.#newPrefix(key);
    if (!known && name !== undefined) {
      if (this.#prefixes.size >= limits.keptPrefixesMax) this.#prefixes.clear();
      this.#prefixes.set(name, this.#lastPrefix);
    }
    return this.#lastPrefix;
  }

  #newPrefix(key: readonly Cell[]): Prefix {
    let text = `r${this.number}:`;
    for (let n = 0; n < key.length - 1; n += 1) text += cellText(key[n] as Cell);
    return { text, hash: hashOf(text), run: Number.NaN, bucket: '' };
  }

  /** The key cells of a row, from the bucket and field it lies in. */
  keyOf(bucket: string, field: string): Cell[] {
    const before = this.#keyTypes.slice(0, -1);
    const key = readCells(bucket.slice(bucket.indexOf(':') + 1), before).cells;
    if (this.#lastType === 'text') key.push(field);
    else if (this.#lastType === 'integer') key.push(Number(field));
    else key.push(new Uint8Array(Buffer.from(field, 'hex')));
    return key;
  }

  /** What all rows of a bucket share in the keys of the orders. */
  orderKeys(bucket: string): string[] {
    const end = bucket.lastIndexOf('#');
    const group = this.#lastType === 'integer' ? bucket.slice(0, end) : bucket;
    return this.orders.map((order) => order.keyOf(group.slice(group.indexOf(':') + 1)));
  }

  get hasRanges(): boolean {
    return this.ranged.includes(true);
  }

  /** Throws a TypeError unless the row has all columns, each of its type, and this key. */
  check(key: readonly Cell[], row: Row): void {
    const { table } = this;
    for (let n = 0; n < this.columns.length; n += 1) {
      const column = this.columns[n] as string;
      const cell = row[column];
      if (cell !== null && !fits(cell, this.#types[n]))
        throw this.#bad(column, `${this.#types[n]}`);
    }
    for (let n = 0; n < key.length; n += 1) {
      const cell = row[table.key[n] as string];
      const same = cell instanceof Uint8Array ? sameBytes(cell, key[n]) : cell === key[n];
      if (!same) throw this.#bad(table.key[n] as string, 'the one of its change');
    }
  }

  /** Writes the value of a row that was checked. */
  write(row: Row, to: CellWriter): void {
    let isHeld = false;
    for (let n = 0; n < this.orders.length; n += 1) {
      const entry = this.written[n] as WrittenEntry;
      this.#writeEntry(this.orders[n] as Order, row, to, entry);
      if (n === 0) isHeld = entry.end > entry.score;
    }
    const columns = isHeld ? this.#packed : this.#packedWhole;
    for (let n = 0; n < columns.length; n += 1) to.pack(row[columns[n] as string] as Cell);
  }

  /** The places of a row in the orders. */
  placesOf(row: Row): (SetPlace | undefined)[] {
    const writer = new CellWriter(64);
    return this.orders.map((order) => {
      const score = order.scoreOf(row);
      if (score === undefined) return undefined;
      writer.clear();
      order.writeMember(row, writer);
      return { score, member: writer.take() };
    });
  }

  /** The same from what a value begins with. */
  readPlaces(value: Buffer): (SetPlace | undefined)[] {
    let at = 0;
    return this.orders.map(() => {
      const length = value.readUInt16BE(at);
      const entry = value.subarray(at + 2, at + 2 + length);
      at += 2 + length;
      if (length === 0) return undefined;
      const blankAt = entry.indexOf(blank);
      return {
        score: Number(entry.toString('latin1', 0, blankAt)),
        member: entry.subarray(blankAt + 1),
      };
    });
  }

  /** The place in an order: two bytes of length, the score in digits, a blank, the member. */
  #writeEntry(order: Order, row: Row, to: CellWriter, entry: WrittenEntry): void {
    to.byte(0);
    to.byte(0);
    const score = order.scoreOf(row);
    const start = to.length;
    entry.score = start;
    entry.end = start;
    if (score === undefined) return;
    to.text(String(score));
    to.byte(blank);
    entry.member = to.length;
    order.writeMember(row, to);
    entry.end = to.length;
    const length = entry.end - start;
    if (length > limits.memberBytesMax) {
      throw new TypeError(`${this.table.name}: a row is too long to be sorted by ${order.name}`);
    }
    to.fillShort(start - 2);
  }

  read(key: readonly Cell[], value: Buffer): Row {
    const row: { [column: string]: Cell } = {};
    for (const column of this.columns) row[column] = null;
    for (const [n, column] of this.table.key.entries()) row[column] = key[n] as Cell;
    let at = 0;
    let isHeld = false;
    for (const [n, order] of this.orders.entries()) {
      const length = value.readUInt16BE(at);
      const entry = value.subarray(at + 2, at + 2 + length);
      at += 2 + length;
      if (n !== 0 || length === 0) continue;
      isHeld = true;
      const blankAt = entry.indexOf(blank);
      order.read(Number(entry.toString('latin1', 0, blankAt)), entry.subarray(blankAt + 1), row);
    }
    const cells = new CellReader(value, at);
    for (const column of isHeld ? this.#packed : this.#packedWhole) row[column] = cells.unpack();
    return row;
  }

  /** A key as bytes that sort as keys do. */
  sortKey(key: readonly Cell[]): Buffer {
    const writer = new CellWriter(64);
    for (const cell of key) writer.order(cell);
    return writer.take();
  }

  keyOfSortKey(bytes: Buffer): Cell[] {
    const reader = new CellReader(bytes);
    return this.#keyTypes.map((type) => reader.ordered(type));
  }

  #bad(column: string, wanted: string): TypeError {
    return new TypeError(`${this.table.name}.${column} must be ${wanted}`);
  }
}

const blank = 0x20;

function sameBytes(a: Uint8Array, b: Cell | undefined): boolean {
  return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
}

function fits(cell: Cell | undefined, type: string | undefined): boolean {
  if (type === 'text') return typeof cell === 'string';
  if (type === 'integer') return Number.isSafeInteger(cell);
  return cell instanceof Uint8Array;
}

/** Which shard a row lies in is part of the stored format: this never changes. FNV-1a, its bits mixed at the end. */
export function hashOf(text: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
