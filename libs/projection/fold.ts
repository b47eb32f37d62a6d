import { EventRows, noAddresses, type Places, UntouchedRowError } from './event-rows.ts';
import { FoldTable, rowIn, type Slot } from './fold-table.ts';
import { KeyFilter } from './key-filter.ts';
import type { AnyRecordedEvent, Cell, Projection, Row, RowAddress, Table } from './projection.ts';
import type { RowChange, RowKey } from './store.ts';
import { sameRow, tableShape } from './table-shape.ts';

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
    return this.#queue.length + this.#rows.once.length;
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
    this.#rows.once.length = 0;
    for (const table of this.#tables.values()) table.clear();
  }

  /**
   * Applies events in order. Throws HandlerError at the first failure the gate does not take on.
   * Whatever the loader throws passes through, before any event was applied.
   */
  async add(events: readonly AnyRecordedEvent[], gate?: FoldGate): Promise<void> {
    const touched: Slot[] = [];
    const named: (readonly RowAddress[])[] = [];
    const missing: Slot[] = [];
    const failures = new Map<number, unknown>();
    for (let index = 0; index < events.length; index += 1) {
      const event = events[index] as AnyRecordedEvent;
      const start = touched.length;
      let addresses: readonly RowAddress[] = noAddresses;
      try {
        addresses = this.#projection.touches(event);
        for (let n = 0; n < addresses.length; n += 1) {
          const { table, key } = addresses[n] as RowAddress;
          touched.push(this.#touch(table, key, event, missing));
        }
      } catch (error) {
        failures.set(index, error);
        touched.length = start;
        addresses = noAddresses;
      }
      named.push(addresses);
    }
    if (missing.length > 0) await this.#fill(missing);
    let start = 0;
    for (let index = 0; index < events.length; index += 1) {
      const addresses = named[index] as readonly RowAddress[];
      const event = events[index] as AnyRecordedEvent;
      this.#applyOne(event, index, { addresses, touched, start }, gate, failures);
      start += addresses.length;
    }
  }

  #applyOne(
    event: AnyRecordedEvent,
    index: number,
    places: Places,
    gate: FoldGate | undefined,
    failures: ReadonlyMap<number, unknown>,
  ): void {
    if (gate?.skip(event, index)) return;
    try {
      this.#rows.begin(event, places);
      if (failures.size > 0 && failures.has(index)) throw failures.get(index);
      this.#projection.apply(event, this.#rows, places.addresses);
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
      const row = rowIn(slot) ?? null;
      if (!differs(slot, row)) continue;
      const { shape, key, stored = null } = slot;
      const table = shape.table.name;
      changes.push(
        shape.table.writeOnly ? { table, key, row } : { table, key, row, before: stored },
      );
    }
    for (const { shape, row } of this.#rows.once) {
      changes.push({ table: shape.table.name, key: shape.keyOf(row), row });
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
      slot.stored = rowIn(slot);
      slot.queued = false;
      slot.written = false;
    }
    this.#queue.length = 0;
    this.#rows.once.length = 0;
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

function differs({ shape, stored, written }: Slot, row: Row | null): boolean {
  if (shape.table.writeOnly) return written;
  if (row === (stored ?? null)) return false;
  return !row || !stored || !sameRow(shape, row, stored);
}
