import type { RowChange } from '@annals/projection';
import { CellWriter } from './cells.ts';
import { limits } from './limits.ts';
import type { TableLayout } from './table-layout.ts';

/** What one script is given: keys without the shard's tag, and lists as MessagePack. */
export interface Piece {
  readonly keys: readonly string[];
  readonly body: Buffer;
}

/** MessagePack of nested lists of strings and small numbers: all that the scripts are given. */
export class ListWriter {
  readonly cells = new CellWriter(4_096);

  /** Begins a list; `end` says how many things came into it. */
  begin(): number {
    this.cells.byte(0xdd);
    return this.cells.gap();
  }

  end(list: number, length: number): void {
    this.cells.fill(list, length);
  }

  number(value: number): void {
    this.cells.byte(0xce);
    const gap = this.cells.gap();
    this.cells.fill(gap, value);
  }

  text(text: string): void {
    const start = this.beginBytes();
    this.cells.text(text);
    this.cells.fill(start);
  }

  texts(texts: readonly string[]): void {
    const list = this.begin();
    for (const text of texts) this.text(text);
    this.end(list, texts.length);
  }

  bytes(bytes: Uint8Array): void {
    const start = this.beginBytes();
    this.cells.raw(bytes);
    this.cells.fill(start);
  }

  /** Begins a string; `cells.fill` ends it. */
  beginBytes(): number {
    this.cells.byte(0xdb);
    return this.cells.gap();
  }
}

/** The keys of a script by number, those before `reserved` not counted. */
export class KeyList {
  readonly names: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #reserved: number;

  constructor(reserved: number) {
    this.#reserved = reserved;
  }

  numberOf(key: string): number {
    let number = this.#numbers.get(key);
    if (number === undefined) {
      this.names.push(key);
      number = this.#reserved + this.names.length;
      this.#numbers.set(key, number);
    }
    return number;
  }
}

/** Keys of a commit before those of its buckets: state, undo, snapshots. */
export const reservedKeys = 2 + limits.snapshotsMax;

interface Bucket {
  readonly layout: TableLayout;
  readonly name: string;
  readonly puts: RowChange[];
  readonly putFields: string[];
  readonly deleted: string[];
}

/** The changes of a batch in one shard, by bucket. */
export class ShardChanges {
  readonly #buckets = new Map<string, Bucket>();

  add(layout: TableLayout, name: string, field: string, change: RowChange): void {
    let bucket = this.#buckets.get(name);
    if (!bucket) {
      bucket = { layout, name, puts: [], putFields: [], deleted: [] };
      this.#buckets.set(name, bucket);
    }
    if (change.row === null) bucket.deleted.push(field);
    else {
      bucket.puts.push(change);
      bucket.putFields.push(field);
    }
  }

  /** Cut into pieces that Redis applies in a few milliseconds each; at least one. */
  pieces(): Piece[] {
    const pieces = [...this.#cut()];
    return pieces.length > 0 ? pieces : [new PieceWriter().finish()];
  }

  *#cut(): Iterable<Piece> {
    let writer = new PieceWriter();
    for (const bucket of this.#buckets.values()) {
      let put = 0;
      let deleted = 0;
      while (put < bucket.puts.length || deleted < bucket.deleted.length) {
        if (writer.isFull) {
          yield writer.finish();
          writer = new PieceWriter();
        }
        writer.begin(bucket);
        put = writer.puts(bucket, put);
        deleted = writer.deletes(bucket, put < bucket.puts.length ? 0 : deleted, put);
      }
    }
    if (!writer.isEmpty) yield writer.finish();
  }
}

class PieceWriter {
  readonly #list = new ListWriter();
  readonly #keys = new KeyList(reservedKeys);
  readonly #all = this.#list.begin();
  #buckets = 0;
  #rows = 0;

  get isEmpty(): boolean {
    return this.#rows === 0;
  }

  get isFull(): boolean {
    const { pieceRowsMax, pieceBytesMax } = limits;
    return this.#rows >= pieceRowsMax || this.#list.cells.length >= pieceBytesMax;
  }

  /** The head of a bucket: table, key, keys of its orders. */
  begin({ layout, name }: Bucket): void {
    const list = this.#list;
    this.#buckets += 1;
    list.end(list.begin(), 5);
    list.number(layout.number);
    list.number(this.#keys.numberOf(name));
    const orders = layout.orderKeys(name);
    list.end(list.begin(), orders.length);
    for (const key of orders) list.number(this.#keys.numberOf(key));
  }

  /** Writes rows from `from` on, until the piece is full; gives where it stopped. */
  puts({ layout, puts, putFields }: Bucket, from: number): number {
    const list = this.#list;
    const pairs = list.begin();
    let at = from;
    for (; at < puts.length && !this.isFull; at += 1) {
      list.text(putFields[at] as string);
      const value = list.beginBytes();
      layout.write(puts[at]?.row as NonNullable<RowChange['row']>, list.cells);
      list.cells.fill(value);
      this.#rows += 1;
    }
    list.end(pairs, 2 * (at - from));
    return at;
  }

  /** The same for rows that are deleted: none before all rows of the bucket are put. */
  deletes({ puts, deleted }: Bucket, from: number, put: number): number {
    const list = this.#list;
    const fields = list.begin();
    let at = from;
    for (; put >= puts.length && at < deleted.length && !this.isFull; at += 1) {
      list.text(deleted[at] as string);
      this.#rows += 1;
    }
    list.end(fields, at - from);
    return at;
  }

  finish(): Piece {
    this.#list.end(this.#all, this.#buckets);
    return { keys: this.#keys.names, body: this.#list.cells.take() };
  }
}
