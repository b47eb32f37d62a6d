import { FoldTable, type Slot } from './fold-table.ts';
import { KeyFilter } from './key-filter.ts';
import type {
  AnyRecordedEvent,
  Cell,
  Projection,
  Row,
  RowAddress,
  Rows,
  Table,
} from './projection.ts';
import type { RowChange, RowKey } from './store.ts';
import { sameCell, sameKey, sameRow, type TableShape, tableShape } from './table-shape.ts';

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

/** The handler of one event threw. Its own changes are undone, those of the events before it stand. */
export class HandlerError extends Error {
  readonly code = 'handler-failed';
  readonly event: AnyRecordedEvent;
  /** Place of the event among those given to `add`. */
  readonly index: number;
  constructor(event: AnyRecordedEvent, index: number, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const named = `${event.type}, ${event.stream}@${event.revision}, event ${event.id}`;
    super(`the handler of ${named} failed: ${reason}`, { cause });
    this.name = 'HandlerError';
    this.event = event;
    this.index = index;
  }
}

/** What the runtime decides for each event as its turn comes. */
export interface FoldGate {
  /** True when the event is not to be applied. */
  readonly skip: (event: AnyRecordedEvent, index: number) => boolean;
  /** Told of a handler that threw, after its changes were undone. True: go on with the next event. */
  readonly failed: (event: AnyRecordedEvent, index: number, error: unknown) => boolean;
}

export type RowLoader = (keys: readonly RowKey[]) => Promise<readonly (Row | undefined)[]>;

export interface FoldOptions {
  readonly projection: Projection;
  /** Tables beside the projection's own, written by the runtime. */
  readonly tables?: readonly Table[];
  /** Rows kept in memory from batch to batch. */
  readonly rowsMax?: number;
}

export const foldLimits = {
  /** Rows kept in memory from batch to batch, of all tables together. More cost the garbage collector more than they save. */
  rowsMax: 20_000,
  /** Keys in one call of the loader. */
  loadKeysMax: 10_000,
} as const;

/**
 * Applies events to rows in memory. The rows an event touches are loaded first, a batch at a time;
 * then the handlers run in order; `changes` gives the absolute new state of each changed row, once.
 *
 * A share that started at the beginning knows that a row it does not remember is not there: as long
 * as nothing was evicted for sure, and beyond that as far as a filter of evicted keys can tell.
 */
export class Fold {
  readonly #projection: Projection;
  readonly #tables = new Map<string, FoldTable>();
  readonly #rows: EventRows;
  readonly #queue: Slot[] = [];
  readonly #evicted = new KeyFilter();
  readonly #rowsMax: number;
  #ageRowsMax: number;
  #age = 0;
  #load: RowLoader = () => Promise.resolve([]);
  #startedEmpty = false;

  constructor(options: FoldOptions) {
    this.#projection = options.projection;
    const tables = [...options.projection.tables, ...(options.tables ?? [])];
    this.#rowsMax = options.rowsMax ?? foldLimits.rowsMax;
    this.#ageRowsMax = ageRowsOf(this.#rowsMax);
    for (const table of tables) {
      this.#tables.set(table.name, new FoldTable(tableShape(table)));
    }
    this.#rows = new EventRows(this.#tables, this.#queue);
  }

  /** Rows that would be written now, as an upper bound. */
  get dirtyRows(): number {
    return this.#queue.length;
  }

  /**
   * Forgets everything. `startedEmpty`: the share begins at the beginning, so no row of its is there. `rowsMax`:
   * how many rows are kept from here on, where that is not what was told.
   */
  reset(load: RowLoader, startedEmpty: boolean, rowsMax = this.#rowsMax): void {
    this.#ageRowsMax = ageRowsOf(rowsMax);
    this.#load = load;
    this.#startedEmpty = startedEmpty;
    this.#evicted.clear();
    this.#queue.length = 0;
    for (const table of this.#tables.values()) table.clear();
  }

  /**
   * Applies events in order. Throws HandlerError at the first failure the gate does not take on.
   * Whatever the loader throws passes through, before any event was applied.
   */
  async add(events: readonly AnyRecordedEvent[], gate?: FoldGate): Promise<void> {
    const touched: Slot[] = [];
    const ends: number[] = [];
    const missing: Slot[] = [];
    const failures = new Map<number, unknown>();
    for (let index = 0; index < events.length; index += 1) {
      const event = events[index] as AnyRecordedEvent;
      try {
        const addresses = this.#projection.touches(event);
        for (let n = 0; n < addresses.length; n += 1) {
          const { table, key } = addresses[n] as RowAddress;
          touched.push(this.#touch(table, key, event, missing));
        }
      } catch (error) {
        failures.set(index, error);
        touched.length = ends.at(-1) ?? 0;
      }
      ends.push(touched.length);
    }
    if (missing.length > 0) await this.#fill(missing);
    let start = 0;
    for (let index = 0; index < events.length; index += 1) {
      const end = ends[index] as number;
      this.#applyOne(events[index] as AnyRecordedEvent, index, touched, start, end, gate, failures);
      start = end;
    }
  }

  #applyOne(
    event: AnyRecordedEvent,
    index: number,
    touched: readonly Slot[],
    start: number,
    end: number,
    gate: FoldGate | undefined,
    failures: ReadonlyMap<number, unknown>,
  ): void {
    if (gate?.skip(event, index)) return;
    try {
      this.#rows.begin(event, touched, start, end);
      if (failures.size > 0 && failures.has(index)) throw failures.get(index);
      this.#projection.apply(event, this.#rows);
    } catch (error) {
      this.#rows.undo();
      if (!gate?.failed(event, index, error)) throw new HandlerError(event, index, error);
    }
  }

  /** Writes a row of a write-only table outside of any handler; `null` deletes it. */
  write(table: string, key: readonly Cell[], row: Row | null): void {
    this.#rows.write(table, key, row ?? undefined);
  }

  /** The absolute new state of every row that differs from what the store holds. */
  changes(): RowChange[] {
    const changes: RowChange[] = [];
    for (const slot of this.#queue) {
      if (!differs(slot)) continue;
      const { shape, key, row = null, stored = null } = slot;
      const table = shape.table.name;
      changes.push(
        shape.table.writeOnly ? { table, key, row } : { table, key, row, before: stored },
      );
    }
    return changes;
  }

  /**
   * What `changes` gave is a batch of its own now, and the next one is folded on top of it, also before the
   * store has it. Whoever seals a batch lets the store take the one before it first, and calls `reset`
   * when it does not take one.
   */
  sealed(): void {
    for (const slot of this.#queue) {
      slot.stored = slot.row;
      slot.queued = false;
      slot.written = false;
    }
    this.#queue.length = 0;
    let rows = 0;
    for (const table of this.#tables.values()) {
      // A row of a write-only table is not kept beyond its batch.
      if (table.shape.table.writeOnly) table.clearYoung();
      rows += table.young;
    }
    // Only here may rows be forgotten: in the midst of a batch the store knows less than they do. Those of the
    // batch that is sealed now were touched in this age, so they stay until the next one is.
    if (rows >= this.#ageRowsMax) this.#grow();
  }

  /** Forgets what was not touched in this age, and begins the next. */
  #grow(): void {
    for (const table of this.#tables.values()) {
      for (const { age, hash } of table.grow()) if (age < this.#age) this.#evicted.add(hash);
    }
    this.#age += 1;
  }

  #touch(name: string, key: readonly Cell[], event: AnyRecordedEvent, missing: Slot[]): Slot {
    const table = this.#tables.get(name);
    if (!table) throw new UntouchedRowError(name, key, event);
    const slot = table.touch(key, this.#age);
    if (slot.age < 0) {
      slot.age = this.#age;
      if (!table.shape.table.writeOnly && !this.#knownAbsent(slot)) missing.push(slot);
    }
    return slot;
  }

  #knownAbsent({ hash }: Slot): boolean {
    return this.#startedEmpty && !this.#evicted.mayHold(hash);
  }

  async #fill(missing: readonly Slot[]): Promise<void> {
    try {
      for (let start = 0; start < missing.length; start += foldLimits.loadKeysMax) {
        const slots = missing.slice(start, start + foldLimits.loadKeysMax);
        const keys = slots.map(({ shape, key }) => ({ table: shape.table.name, key }));
        const rows = await this.#load(keys);
        slots.forEach((slot, index) => {
          slot.stored = rows[index];
          slot.row = rows[index];
        });
      }
    } catch (error) {
      // A slot that was never filled must not be taken for a row that is not there.
      for (const slot of missing) this.#tables.get(slot.shape.table.name)?.forget(slot);
      throw error;
    }
  }
}

function ageRowsOf(rowsMax: number): number {
  return Math.max(1, Math.floor(rowsMax / 2));
}

function differs(slot: Slot): boolean {
  if (slot.shape.table.writeOnly) return slot.written;
  if (slot.row === slot.stored) return false;
  if (!slot.row || !slot.stored) return true;
  return !sameRow(slot.shape, slot.row, slot.stored);
}

/** Up to this many touched rows are searched one by one; beyond it by their key's text. */
const searchedRowsMax = 8;

/** A row as it was before the event whose turn it is. */
interface Before {
  slot: Slot;
  row: Row | undefined;
  written: boolean;
}

/** The rows of the event whose turn it is. One object serves all events: nothing is made for each. */
class EventRows implements Rows {
  readonly #tables: ReadonlyMap<string, FoldTable>;
  readonly #queue: Slot[];
  #event: AnyRecordedEvent | undefined;
  #touched: readonly Slot[] = [];
  #start = 0;
  #end = 0;
  #byText: Map<TableShape, Map<string, Slot>> | undefined;
  /** What the event changed, of which so many count: the objects are used again and again. */
  readonly #before: Before[] = [];
  #changed = 0;

  constructor(tables: ReadonlyMap<string, FoldTable>, queue: Slot[]) {
    this.#tables = tables;
    this.#queue = queue;
  }

  begin(event: AnyRecordedEvent, touched: readonly Slot[], start: number, end: number): void {
    this.#event = event;
    this.#touched = touched;
    this.#start = start;
    this.#end = end;
    this.#byText = undefined;
    this.#changed = 0;
  }

  /** Puts back what the event changed so far, newest first. */
  undo(): void {
    while (this.#changed > 0) {
      this.#changed -= 1;
      const change = this.#before[this.#changed] as Before;
      change.slot.row = change.row;
      change.slot.written = change.written;
    }
  }

  get(table: string, key: readonly Cell[]): Row | undefined {
    const slot = this.#find(table, key);
    if (!slot || slot.shape.table.writeOnly) throw this.#untouched(table, key);
    return slot.row;
  }

  put(table: string, row: Row): void {
    const shape = this.#tables.get(table)?.shape;
    if (!shape) throw this.#untouched(table, []);
    shape.check(row);
    this.#set(this.#findRow(shape, row) ?? this.#unread(table, shape.keyOf(row)), row);
  }

  delete(table: string, key: readonly Cell[]): void {
    this.#set(this.#find(table, key) ?? this.#unread(table, key), undefined);
  }

  write(table: string, key: readonly Cell[], row: Row | undefined): void {
    this.#changed = 0;
    this.#start = this.#end;
    this.#set(this.#unread(table, key), row);
  }

  #set(slot: Slot, row: Row | undefined): void {
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
    if (this.#end - this.#start > searchedRowsMax) return this.#findByText(name, key);
    for (let index = this.#start; index < this.#end; index += 1) {
      const slot = this.#touched[index] as Slot;
      if (slot.shape.table.name === name && sameKey(slot.key, key)) return slot;
    }
    return undefined;
  }

  #findRow(shape: TableShape, row: Row): Slot | undefined {
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
