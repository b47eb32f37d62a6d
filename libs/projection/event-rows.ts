import { type FoldTable, rowIn, type Slot } from './fold-table.ts';
import type { Addend, AnyRecordedEvent, Cell, Row, RowAddress, Rows } from './projection.ts';
import { SummedRow } from './summed-row.ts';
import { sameCell, sameKey, type TableShape } from './table-shape.ts';

/** A handler asked for a row that its `touches` did not name: a bug of the projection. */
export class UntouchedRowError extends Error {
  readonly code = 'untouched-row';
  constructor(table: string, key: readonly Cell[], event: AnyRecordedEvent) {
    super(
      `the handler of ${event.type} (${event.stream}@${event.revision}) asked for ` +
        `${table} ${JSON.stringify(key)}, which its touches do not name`,
    );
    this.name = 'UntouchedRowError';
  }
}

export const noAddresses: readonly RowAddress[] = [];

/** The rows that one event touches: its addresses, and from `start` on the slots of these, in their order. */
export interface Places {
  readonly addresses: readonly RowAddress[];
  readonly touched: readonly Slot[];
  readonly start: number;
}

/** Up to this many touched rows are searched one by one; beyond it by their key's text. */
const searchedRowsMax = 24;

/** A row as it was before the event whose turn it is. */
interface Before {
  slot: Slot;
  row: Slot['row'];
  written: boolean;
}

/** The rows of the event whose turn it is. One object serves all events: nothing is made for each. */
export class EventRows implements Rows {
  readonly #tables: ReadonlyMap<string, FoldTable>;
  readonly #queue: Slot[];
  #event: AnyRecordedEvent | undefined;
  #touched: readonly Slot[] = [];
  #addresses: readonly RowAddress[] = noAddresses;
  #start = 0;
  #end = 0;
  /** The slot that was found last: a row that was just read is often put next. */
  #last: Slot | undefined;
  #byText: Map<TableShape, Map<string, Slot>> | undefined;
  /** What the event changed, of which so many count: the objects are used again and again. */
  readonly #before: Before[] = [];
  #changed = 0;
  /** Rows of tables that are put once, in the order they came: what is not yet in a batch. */
  readonly once: { readonly shape: TableShape; readonly row: Row }[] = [];
  #onceBefore = 0;

  constructor(tables: ReadonlyMap<string, FoldTable>, queue: Slot[]) {
    this.#tables = tables;
    this.#queue = queue;
  }

  begin(event: AnyRecordedEvent, { addresses, touched, start }: Places): void {
    this.#event = event;
    this.#touched = touched;
    this.#addresses = addresses;
    this.#start = start;
    this.#end = start + addresses.length;
    this.#last = undefined;
    this.#byText = undefined;
    this.#changed = 0;
    this.#onceBefore = this.once.length;
  }

  /** Puts back what the event changed so far, newest first. */
  undo(): void {
    while (this.#changed > 0) {
      this.#changed -= 1;
      const change = this.#before[this.#changed] as Before;
      change.slot.row = change.row;
      change.slot.written = change.written;
    }
    this.once.length = this.#onceBefore;
  }

  get(table: string, key: readonly Cell[]): Row | undefined {
    const slot = this.#find(table, key);
    if (!slot || slot.shape.table.writeOnly) throw this.#untouched(table, key);
    this.#last = slot;
    return rowIn(slot);
  }

  put(table: string, row: Row): void {
    const shape = this.#tables.get(table)?.shape;
    if (!shape) throw this.#untouched(table, []);
    shape.check(row);
    if (shape.table.putOnce) {
      this.once.push({ shape, row });
      return;
    }
    this.#set(this.#findRow(shape, row) ?? this.#unread(table, shape.keyOf(row)), row);
  }

  delete(table: string, key: readonly Cell[]): void {
    if (this.#tables.get(table)?.shape.table.putOnce) throw this.#untouched(table, key);
    this.#set(this.#find(table, key) ?? this.#unread(table, key), undefined);
  }

  add(table: string, key: readonly Cell[], addends: readonly Addend[], rest?: Row): void {
    const slot = this.#find(table, key);
    if (!slot || slot.shape.table.writeOnly) throw this.#untouched(table, key);
    this.#set(slot, SummedRow.after(slot.shape, slot.key, slot.row, addends, rest));
  }

  write(table: string, key: readonly Cell[], row: Row | undefined): void {
    this.#changed = 0;
    this.#start = this.#end;
    this.#last = undefined;
    this.#set(this.#unread(table, key), row);
  }

  #set(slot: Slot, row: Slot['row']): void {
    const before = this.#before[this.#changed];
    if (before) {
      before.slot = slot;
      before.row = slot.row;
      before.written = slot.written;
    } else {
      this.#before.push({ slot, row: slot.row, written: slot.written });
    }
    this.#changed += 1;
    slot.row = row;
    slot.written = true;
    if (slot.queued) return;
    slot.queued = true;
    this.#queue.push(slot);
  }

  /** The slot of a row that was not touched: there is one only in a write-only table. */
  #unread(name: string, key: readonly Cell[]): Slot {
    const table = this.#tables.get(name);
    if (!table?.shape.table.writeOnly) throw this.#untouched(name, key);
    return table.touch(key, 0);
  }

  #find(name: string, key: readonly Cell[]): Slot | undefined {
    // A handler that was given the addresses asks with the very key that they have.
    for (let place = 0; place < this.#addresses.length; place += 1) {
      const address = this.#addresses[place] as RowAddress;
      if (address.key === key && address.table === name) return this.#touched[this.#start + place];
    }
    if (this.#end - this.#start > searchedRowsMax) return this.#findByText(name, key);
    for (let index = this.#start; index < this.#end; index += 1) {
      const slot = this.#touched[index] as Slot;
      if (slot.shape.table.name === name && sameKey(slot.key, key)) return slot;
    }
    return undefined;
  }

  #findRow(shape: TableShape, row: Row): Slot | undefined {
    const last = this.#last;
    if (last && last.shape === shape && keyIs(last, row)) return last;
    if (this.#end - this.#start > searchedRowsMax) {
      return this.#findByText(shape.table.name, shape.keyOf(row));
    }
    for (let index = this.#start; index < this.#end; index += 1) {
      const slot = this.#touched[index] as Slot;
      if (slot.shape === shape && keyIs(slot, row)) return slot;
    }
    return undefined;
  }

  #findByText(name: string, key: readonly Cell[]): Slot | undefined {
    this.#byText ??= this.#indexTouched();
    const shape = this.#tables.get(name)?.shape;
    return shape && this.#byText.get(shape)?.get(shape.keyText(key));
  }

  #indexTouched(): Map<TableShape, Map<string, Slot>> {
    const index = new Map<TableShape, Map<string, Slot>>();
    for (const slot of this.#touched.slice(this.#start, this.#end)) {
      const byText = index.get(slot.shape) ?? new Map<string, Slot>();
      index.set(slot.shape, byText.set(slot.shape.keyText(slot.key), slot));
    }
    return index;
  }

  #untouched(table: string, key: readonly Cell[]): Error {
    if (!this.#event) return new Error(`no event is being applied that could touch ${table}`);
    return new UntouchedRowError(table, key, this.#event);
  }
}

function keyIs(slot: Slot, row: Row): boolean {
  const columns = slot.shape.table.key;
  for (let index = 0; index < columns.length; index += 1) {
    if (!sameCell(slot.key[index], row[columns[index] as string])) return false;
  }
  return true;
}
