import { cellHash, textHash } from './key-filter.ts';
import type { Cell, Row } from './projection.ts';
import { SummedRow } from './summed-row.ts';
import { blobText, type TableShape, textOfCells } from './table-shape.ts';

/** One row in memory. `row` is its newest state, `stored` what the store holds. */
export interface Slot {
  readonly shape: TableShape;
  readonly key: readonly Cell[];
  /** The last cell of the key, as it is told from others. */
  readonly last: Part;
  /** Of table and key, 32 bits; 0 in a write-only table, where nobody asks for it. */
  readonly hash: number;
  row: Row | SummedRow | undefined;
  stored: Row | undefined;
  /** Put or deleted since the last commit, and not undone. Only asked of write-only tables. */
  written: boolean;
  queued: boolean;
  /** The age in which it was touched last; -1 where it was only just made. */
  age: number;
}

/** The newest state of a row, as its table has it. */
export function rowIn(slot: Slot): Row | undefined {
  if (slot.row instanceof SummedRow) slot.row = slot.row.row(slot.shape, slot.key);
  return slot.row;
}

/** A part of a key: equal parts and only equal ones are the same value, which a blob is not. */
type Part = string | number | null;

/**
 * The rows of one table that are in memory, kept in two ages: those touched in this age, and those touched in
 * the one before. They are found by the last cell of their key among those that share all the others: most
 * keys then need not be made into one text, which took longer than the rest of a look-up.
 */
export class FoldTable {
  readonly shape: TableShape;
  readonly #seed: number;
  #young = new Slots();
  #old = new Slots();
  /** The lead of the key that was looked up last: the next one is often the same. */
  #lead: Part = '';
  #leadCells: readonly Cell[] = [];
  #leadHash: number | undefined;

  constructor(shape: TableShape) {
    this.shape = shape;
    this.#seed = textHash(shape.table.name);
  }

  /** Rows touched in this age. */
  get young(): number {
    return this.#young.size;
  }

  /** The row with this key, in this age from now on; its `age` is -1 where it was not in memory. */
  touch(key: readonly Cell[], age: number): Slot {
    const lead = this.#leadOf(key);
    const last = partOf(key[key.length - 1] as Cell);
    const held = this.#young.get(lead, last);
    if (held) return held;
    const kept = this.#old.get(lead, last);
    const slot = kept ?? newSlot(this.shape, key, last, this.#hashOf(last));
    if (kept) slot.age = age;
    this.#young.set(lead, slot);
    return slot;
  }

  /** Takes a row out that was touched in this age and could not be loaded. */
  forget({ key, last }: Slot): void {
    this.#young.delete(this.#leadOf(key), last);
  }

  clear(): void {
    this.clearYoung();
    this.#old = new Slots();
  }

  clearYoung(): void {
    this.#young = new Slots();
  }

  /** Ends an age. Gives the rows of the former one, of which those with a lower `age` are out of memory now. */
  grow(): Iterable<Slot> {
    const former = this.#old;
    this.#old = this.#young;
    this.#young = new Slots();
    return former;
  }

  #leadOf(key: readonly Cell[]): Part {
    const cells = key.length - 1;
    let isSame = this.#leadCells.length === key.length;
    for (let n = 0; isSame && n < cells; n += 1) isSame = this.#leadCells[n] === key[n];
    if (isSame) return this.#lead;
    this.#leadCells = key;
    this.#leadHash = undefined;
    if (cells === 0) this.#lead = '';
    else this.#lead = cells === 1 ? partOf(key[0] as Cell) : textOfCells(key.slice(0, -1));
    return this.#lead;
  }

  /** Of a key whose lead was looked up just now. */
  #hashOf(last: Part): number {
    if (this.shape.table.writeOnly) return 0;
    this.#leadHash ??= cellHash(this.#lead, this.#seed);
    return cellHash(last, this.#leadHash);
  }
}

function newSlot(shape: TableShape, key: readonly Cell[], last: Part, hash: number): Slot {
  return {
    shape,
    key,
    last,
    hash,
    row: undefined,
    stored: undefined,
    written: false,
    queued: false,
    age: -1,
  };
}

function partOf(cell: Cell): Part {
  return cell instanceof Uint8Array ? blobText(cell) : cell;
}

/** Slots by lead, then by last part. */
class Slots implements Iterable<Slot> {
  readonly #groups = new Map<Part, Group>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(lead: Part, last: Part): Slot | undefined {
    return this.#groups.get(lead)?.get(last);
  }

  /** Adds one that is not there. */
  set(lead: Part, slot: Slot): void {
    const group = this.#groups.get(lead);
    if (group) group.add(slot);
    else this.#groups.set(lead, new Group(slot));
    this.#size += 1;
  }

  /** Takes one out that is there. */
  delete(lead: Part, last: Part): void {
    this.#groups.get(lead)?.delete(last);
    this.#size -= 1;
  }

  *[Symbol.iterator](): Iterator<Slot> {
    for (const group of this.#groups.values()) yield* group.slots();
  }
}

/** Where all of a key but its last cell names one row, as in many tables, that row is all there is to keep. */
class Group {
  #first: Slot | undefined;
  #others: Map<Part, Slot> | undefined;

  constructor(first: Slot) {
    this.#first = first;
  }

  get(last: Part): Slot | undefined {
    return this.#first?.last === last ? this.#first : this.#others?.get(last);
  }

  add(slot: Slot): void {
    this.#others ??= new Map();
    this.#others.set(slot.last, slot);
  }

  delete(last: Part): void {
    if (this.#first?.last === last) this.#first = undefined;
    else this.#others?.delete(last);
  }

  *slots(): Iterable<Slot> {
    if (this.#first) yield this.#first;
    if (this.#others) yield* this.#others.values();
  }
}
