import type { Row, RowChange } from '@annals/projection';
import { CellWriter } from './cells.ts';
import { limits } from './limits.ts';
import type { Order } from './orders.ts';
import type { SetPlace, TableLayout, WrittenEntry } from './table-layout.ts';

/** What one script is given: keys without the shard's tag, and lists as MessagePack. */
export interface Piece {
  readonly keys: readonly string[];
  readonly body: Buffer;
  /** How much of it is about rows, which a batch that is sent again has in common with the first one. */
  readonly rowKeys: number;
  readonly rowBytes: number;
}

/** What is done to one sorted set whose places are dealt by score. */
export interface SetMove {
  /** The key of the set without the shard's tag. */
  readonly key: string;
  readonly gone: Buffer | undefined;
  readonly come: SetPlace | undefined;
}

/** What stands for a table where a piece is about a sorted set by itself. */
export const setsNumber = 0xffff;

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

  /** What `cells` holds from `start` to `end`, as a string. */
  span(cells: CellWriter, start: number, end: number): void {
    const gap = this.beginBytes();
    this.cells.copy(cells, start, end);
    this.cells.fill(gap, end - start);
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
  readonly puts: Puts;
  /** Those of which it is known what was there before: their places in orders are told apart. */
  readonly placed: Puts;
  readonly deleted: string[];
}

/** Rows and the fields they are put in. */
interface Puts {
  readonly changes: RowChange[];
  readonly fields: string[];
}

/** The changes of a batch in one shard, by bucket. */
export class ShardChanges {
  readonly #buckets = new Map<string, Bucket>();
  /** By set: those that may leave a row in no place meanwhile come last, when all others are there. */
  readonly #moves = new Map<string, SetMove[]>();
  readonly #removals = new Map<string, SetMove[]>();
  readonly #tellsPlaces: boolean;

  /** `tellsPlaces`: where it is known what a row was before, its places need not be read from its values. */
  constructor(tellsPlaces: boolean) {
    this.#tellsPlaces = tellsPlaces;
  }

  /** `waits`: it is the former place of a row that comes into another shard. */
  move(one: SetMove, waits: boolean): void {
    grouped(waits ? this.#removals : this.#moves, one.key, one);
  }

  /** What goes when every shard has what came; none where nothing does. */
  removals(): Piece[] {
    return [...cutMoves(new PieceWriter(), this.#removals)];
  }

  add(layout: TableLayout, name: string, field: string, change: RowChange): void {
    let bucket = this.#buckets.get(name);
    if (!bucket) {
      bucket = { layout, name, puts: noPuts(), placed: noPuts(), deleted: [] };
      this.#buckets.set(name, bucket);
    }
    if (change.row === null) bucket.deleted.push(field);
    else {
      const isPlaced = this.#tellsPlaces && change.before !== undefined;
      const puts = isPlaced ? bucket.placed : bucket.puts;
      puts.changes.push(change);
      puts.fields.push(field);
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
      let placed = 0;
      let deleted = 0;
      const total = bucket.puts.fields.length + bucket.placed.fields.length + bucket.deleted.length;
      while (put + placed + deleted < total) {
        if (writer.isFull) {
          yield writer.finish();
          writer = new PieceWriter();
        }
        writer.begin(bucket);
        put = writer.puts(bucket.layout, bucket.puts, put);
        deleted = writer.deletes(bucket.deleted, deleted);
        placed = writer.puts(bucket.layout, bucket.placed, placed, writer.placesOf(bucket));
      }
    }
    writer.rowsEnd();
    yield* cutMoves(writer, this.#moves);
  }
}

function noPuts(): Puts {
  return { changes: [], fields: [] };
}

function grouped<T>(groups: Map<string, T[]>, key: string, one: T): void {
  const group = groups.get(key);
  if (group) group.push(one);
  else groups.set(key, [one]);
}

/** Goes on in a piece that was begun, and ends it. */
function* cutMoves(
  begun: PieceWriter,
  moves: ReadonlyMap<string, readonly SetMove[]>,
): Iterable<Piece> {
  let writer = begun;
  for (const [key, some] of moves) {
    for (let at = 0; at < some.length; ) {
      if (writer.isFull) {
        yield writer.finish();
        writer = new PieceWriter();
        writer.rowsEnd();
      }
      at = writer.moves(key, some, at);
    }
  }
  if (!writer.isEmpty) yield writer.finish();
}

/** Places of one sorted set, written before it is known how many they are. */
class Places extends ListWriter {
  length = 0;

  /** Gives where it begins. */
  member(order: Order, row: Row): number {
    const gap = this.beginBytes();
    const start = this.cells.length;
    order.writeMember(row, this.cells);
    this.cells.fill(gap);
    return start;
  }
}

/** What goes from one sorted set, and what comes into it. */
class PlaceMoves {
  readonly come = new Places();
  readonly gone = new Places();

  /** A row of which it is known what it was before; its `entry` was just written to `cells`. */
  add(order: Order, before: Row | null, row: Row, cells: CellWriter, entry: WrittenEntry): void {
    const { come, gone } = this;
    const { score, member, end } = entry;
    const former = before ? order.scoreOf(before) : undefined;
    if (before && former !== undefined) {
      const from = gone.cells.length;
      const text = gone.member(order, before);
      if (end > score && gone.cells.same(text, cells, member, end)) {
        gone.cells.cut(from);
        if (former === order.scoreOf(row)) return;
      } else {
        gone.length += 1;
      }
    }
    if (end === score) return;
    come.span(cells, score, member - 1);
    come.span(cells, member, end);
    come.length += 2;
  }
}

class PieceWriter {
  readonly #list = new ListWriter();
  readonly #keys = new KeyList(reservedKeys);
  readonly #all = this.#list.begin();
  #buckets = 0;
  #rows = 0;
  #rowKeys: number | undefined;
  #rowBytes: number | undefined;
  readonly #places = new Map<number, PlaceMoves>();

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
    list.end(list.begin(), 6);
    list.number(layout.number);
    list.number(this.#keys.numberOf(name));
    const orders = layout.orderKeys(name);
    list.end(list.begin(), orders.length);
    // 0 for one whose places are not in this script's hands.
    for (const [n, key] of orders.entries())
      list.number(layout.ranged[n] ? 0 : this.#keys.numberOf(key));
  }

  /** What follows is about sorted sets by themselves. */
  rowsEnd(): void {
    this.#rowKeys = this.#keys.names.length;
    this.#rowBytes = this.#list.cells.length;
  }

  /** Writes moves in one set from `from` on, until the piece is full; gives where it stopped. */
  moves(key: string, moves: readonly SetMove[], from: number): number {
    const list = this.#list;
    this.#buckets += 1;
    list.end(list.begin(), 5);
    list.number(setsNumber);
    list.number(this.#keys.numberOf(key));
    list.end(list.begin(), 0);
    const { pieceRowsMax } = limits;
    const end = Math.min(moves.length, from + Math.max(1, pieceRowsMax - this.#rows));
    const some = moves.slice(from, end);
    const come = some.flatMap((move) => (move.come ? [move.come] : []));
    list.end(list.begin(), 2 * come.length);
    for (const { score, member } of come) {
      list.text(String(score));
      list.bytes(member);
    }
    const gone = some.flatMap((move) => (move.gone ? [move.gone] : []));
    list.end(list.begin(), gone.length);
    for (const member of gone) list.bytes(member);
    this.#rows += some.length;
    return end;
  }

  /**
   * Writes rows from `from` on, until the piece is full; gives where it stopped. Where it is known what they
   * were before, notes how they move in the orders of `places`.
   */
  puts(
    layout: TableLayout,
    { changes, fields }: Puts,
    from: number,
    places: readonly PlaceMoves[] = [],
  ): number {
    const list = this.#list;
    const { cells } = list;
    const pairs = list.begin();
    let at = from;
    for (; at < fields.length && !this.isFull; at += 1) {
      const { row, before = null } = changes[at] as RowChange;
      list.text(fields[at] as string);
      const value = list.beginBytes();
      layout.write(row as Row, cells);
      cells.fill(value);
      for (let n = 0; n < places.length; n += 1) {
        const entry = layout.written[n] as WrittenEntry;
        places[n]?.add(layout.orders[n] as Order, before, row as Row, cells, entry);
      }
      this.#rows += 1;
    }
    list.end(pairs, 2 * (at - from));
    return at;
  }

  /** The same for rows that are deleted. */
  deletes(deleted: readonly string[], from: number): number {
    const list = this.#list;
    const fields = list.begin();
    let at = from;
    for (; at < deleted.length && !this.isFull; at += 1) {
      list.text(deleted[at] as string);
      this.#rows += 1;
    }
    list.end(fields, at - from);
    return at;
  }

  /** How rows of a bucket move, for each of its orders. */
  placesOf({ layout, name }: Bucket): readonly PlaceMoves[] {
    if (layout.orders.length === 0) return [];
    return layout.orderKeys(name).map((key) => {
      const number = this.#keys.numberOf(key);
      let moves = this.#places.get(number);
      if (!moves) {
        moves = new PlaceMoves();
        this.#places.set(number, moves);
      }
      return moves;
    });
  }

  #writePlaces(): void {
    const list = this.#list;
    for (const [number, { come, gone }] of this.#places) {
      this.#buckets += 1;
      list.end(list.begin(), 6);
      list.number(setsNumber);
      list.number(number);
      list.end(list.begin(), 0);
      for (const { length, cells } of [come, gone]) {
        list.end(list.begin(), length);
        list.cells.raw(cells.view());
      }
      list.number(1);
    }
  }

  finish(): Piece {
    this.#writePlaces();
    this.#list.end(this.#all, this.#buckets);
    const keys = this.#keys.names;
    const body = this.#list.cells.take();
    const { length } = body;
    return {
      keys,
      body,
      rowKeys: this.#rowKeys ?? keys.length,
      rowBytes: this.#rowBytes ?? length,
    };
  }
}
