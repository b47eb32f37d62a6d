import type { Clock } from '@annals/core';
import type { Checkpoint } from '@annals/event-log';
import { contentIfItStays, judgeBatch } from './judge-batch.ts';
import { lowestCheckpoint } from './lowest-checkpoint.ts';
import type { Cell, Row, Table } from './projection.ts';
import {
  type Batch,
  type CommitResult,
  type GenerationSnapshot,
  type GenerationSpec,
  type GenerationStore,
  type HeldLease,
  type Lease,
  type ProjectionStore,
  type RowKey,
  type ShareProgress,
  StoreLostError,
} from './store.ts';

/** The steps at which a fault can be put in. */
export type StoreOperation =
  | 'create'
  | 'open'
  | 'drop'
  | 'acquire'
  | 'release'
  | 'leases'
  | 'load'
  | 'commit'
  | 'checkpoint'
  | 'hold'
  | 'unhold'
  | 'snapshot'
  | 'present';

/** `before`: the call fails and changed nothing. `after`: it fails though it took effect (the answer was lost). */
export type StoreFault = 'none' | 'before' | 'after';

/** Asked once for each call. It may wait: then the simulation decides when the call goes on. */
export type StoreFaults = (
  operation: StoreOperation,
  generation: number,
) => StoreFault | Promise<StoreFault>;

/** What an injected fault throws: the caller cannot know whether the call took effect. */
export class StoreUnreachableError extends Error {
  readonly code = 'store-unreachable';
  constructor(operation: StoreOperation, fault: StoreFault) {
    super(`the store could not be reached (${fault} ${operation} took effect)`);
    this.name = 'StoreUnreachableError';
  }
}

interface WorkerState {
  epoch: number;
  holder: string | null;
  until: number;
  checkpoint: Checkpoint;
  tail: string;
  batches: number;
  /** The content of the last batch, where it left the checkpoint where it was. */
  stayed: string | null;
}

interface GenerationData {
  readonly spec: GenerationSpec;
  tables: Map<string, Map<string, Row>>;
  workers: WorkerState[];
  hold: { readonly at: Checkpoint; readonly until: number } | undefined;
}

/** A copy of everything a memory database held. */
export interface MemoryDatabaseCopy {
  readonly generations: ReadonlyMap<number, GenerationData>;
}

/**
 * The "disk" of the twin: outlives the stores opened on it, as files outlive a process. Open several
 * stores on one of these to have several processes.
 */
export class MemoryProjectionDatabase {
  readonly #generations = new Map<number, GenerationData>();

  /** The generations that are there, ascending. */
  get generations(): readonly number[] {
    return [...this.#generations.keys()].sort((a, b) => a - b);
  }

  get(generation: number): GenerationData | undefined {
    return this.#generations.get(generation);
  }

  set(generation: number, data: GenerationData): void {
    this.#generations.set(generation, data);
  }

  /** Removes a generation behind whoever has it open: they find it lost. */
  lose(generation: number): void {
    this.#generations.delete(generation);
  }

  backup(): MemoryDatabaseCopy {
    return {
      generations: new Map([...this.#generations].map(([n, data]) => [n, copyOf(data)])),
    };
  }

  /**
   * Goes back to a copy, as a failover does that lost the last writes: open generations stay open
   * and find the older state. Generations made since are gone.
   */
  restore(copy: MemoryDatabaseCopy): void {
    for (const generation of this.generations) {
      if (!copy.generations.has(generation)) this.lose(generation);
    }
    for (const [generation, kept] of copy.generations) {
      const { tables, workers, hold } = copyOf(kept);
      const live = this.#generations.get(generation);
      if (live) Object.assign(live, { tables, workers, hold });
      else this.#generations.set(generation, copyOf(kept));
    }
  }

  /** How many rows of a group have a score above this one, counted one by one. */
  countAbove(generation: number, table: string, group: readonly Cell[], score: number): number {
    const data = this.#generations.get(generation);
    const ranked = data?.spec.tables.find(({ name }) => name === table)?.ranked;
    if (!data || !ranked) throw new TypeError(`g${generation} has no ranked table ${table}`);
    let count = 0;
    for (const row of data.tables.get(table)?.values() ?? []) {
      const inGroup = ranked.group.every((column, n) => compareCells(row[column], group[n]) === 0);
      const held = row[ranked.score];
      if (inGroup && typeof held === 'number' && held > score) count += 1;
    }
    return count;
  }
}

function copyOf(data: GenerationData): GenerationData {
  return {
    spec: data.spec,
    tables: new Map([...data.tables].map(([name, rows]) => [name, new Map(rows)])),
    workers: data.workers.map((worker) => ({ ...worker })),
    hold: data.hold,
  };
}

/**
 * The in-memory twin of a projection store: the same law, no I/O, only microtasks. For tests and for
 * the simulation. Without a `database` it gets one of its own, in `store.database`.
 */
export function memoryProjectionStore(options: {
  readonly clock: Clock;
  readonly database?: MemoryProjectionDatabase;
  readonly faults?: StoreFaults;
}): MemoryProjectionStore {
  return new MemoryProjectionStore(
    options.clock,
    options.database ?? new MemoryProjectionDatabase(),
    options.faults ?? (() => 'none'),
  );
}

/** Runs one call, with the fault its step was given. */
type Call = <T>(operation: StoreOperation, generation: number, run: () => T) => Promise<T>;

export class MemoryProjectionStore implements ProjectionStore {
  readonly database: MemoryProjectionDatabase;
  readonly #clock: Clock;
  readonly #faults: StoreFaults;
  #closed = false;

  constructor(clock: Clock, database: MemoryProjectionDatabase, faults: StoreFaults) {
    this.#clock = clock;
    this.database = database;
    this.#faults = faults;
  }

  create(spec: GenerationSpec): Promise<'created' | 'exists'> {
    return this.#call('create', spec.generation, () => {
      if (this.database.get(spec.generation)) return 'exists';
      this.database.set(spec.generation, {
        spec: structuredClone(spec),
        tables: new Map(spec.tables.map(({ name }) => [name, new Map()])),
        workers: Array.from({ length: spec.workers }, () => ({
          epoch: 0,
          holder: null,
          until: 0,
          checkpoint: {},
          tail: '',
          batches: 0,
          stayed: null,
        })),
        hold: undefined,
      });
      return 'created';
    });
  }

  open(generation: number): Promise<GenerationStore | 'lost'> {
    return this.#call('open', generation, () => {
      const data = this.database.get(generation);
      if (!data) return 'lost';
      return new MemoryGeneration(this.database, data, this.#clock, this.#call);
    });
  }

  drop(generation: number): Promise<void> {
    return this.#call('drop', generation, () => this.database.lose(generation));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  readonly #call: Call = async (operation, generation, run) => {
    const fault = await this.#faults(operation, generation);
    if (this.#closed) throw new Error('the projection store is closed');
    if (fault === 'before') throw new StoreUnreachableError(operation, fault);
    const result = run();
    if (fault === 'after') throw new StoreUnreachableError(operation, fault);
    return result;
  };
}

class MemoryGeneration implements GenerationStore {
  readonly spec: GenerationSpec;
  readonly #database: MemoryProjectionDatabase;
  readonly #data: GenerationData;
  readonly #clock: Clock;
  readonly #perform: Call;
  readonly #tables: ReadonlyMap<string, Table>;

  constructor(database: MemoryProjectionDatabase, data: GenerationData, clock: Clock, call: Call) {
    this.#database = database;
    this.#data = data;
    this.#clock = clock;
    this.#perform = call;
    this.spec = data.spec;
    this.#tables = new Map(data.spec.tables.map((table) => [table.name, table]));
  }

  acquire(worker: number, holder: string, now: number, ttlMs: number): Promise<Lease> {
    return this.#call('acquire', () => {
      const state = this.#worker(worker);
      // A lease that would outlast its own length was given before a clock was set back.
      const isGood = state.until > now && state.until <= now + ttlMs;
      if (state.holder !== null && state.holder !== holder && isGood) {
        return { kind: 'busy', holder: state.holder, until: state.until };
      }
      if (state.holder !== holder) state.epoch += 1;
      state.holder = holder;
      state.until = now + ttlMs;
      const { epoch, checkpoint, tail, batches } = state;
      return { kind: 'acquired', epoch, checkpoint, tail, batches };
    });
  }

  release(worker: number, epoch: number): Promise<void> {
    return this.#call('release', () => {
      const state = this.#worker(worker);
      if (state.epoch === epoch) state.holder = null;
    });
  }

  leases(): Promise<readonly (HeldLease | undefined)[]> {
    return this.#call('leases', () =>
      this.#data.workers.map(({ holder, until }) =>
        holder === null ? undefined : { holder, until },
      ),
    );
  }

  load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]> {
    return this.#call('load', () =>
      keys.map(({ table, key }) => this.#rows(table).get(encodeKey(key))),
    );
  }

  commit(batch: Batch): Promise<CommitResult> {
    return this.#call('commit', () => {
      const state = this.#worker(batch.worker);
      const { hold } = this.#data;
      const verdict = judgeBatch(batch, { ...state, hold }, this.#clock.now());
      if (verdict) return verdict;
      this.#write(batch);
      state.checkpoint = { ...batch.to };
      state.tail = batch.tail;
      state.batches += 1;
      state.stayed = contentIfItStays(batch);
      return { kind: 'applied' };
    });
  }

  checkpoint(): Promise<Checkpoint> {
    return this.#call('checkpoint', () => this.#lowest());
  }

  shares(): Promise<readonly ShareProgress[]> {
    return this.#call('checkpoint', () =>
      this.#data.workers.map(({ checkpoint, tail }) => ({ checkpoint, tail })),
    );
  }

  hold(at: Checkpoint, until: number): Promise<void> {
    return this.#call('hold', () => {
      this.#data.hold = { at: { ...at }, until };
    });
  }

  unhold(): Promise<void> {
    return this.#call('unhold', () => {
      this.#data.hold = undefined;
    });
  }

  snapshot(): Promise<GenerationSnapshot> {
    return this.#call('snapshot', () => {
      const kept = copyOf(this.#data).tables;
      return new MemorySnapshot(this.#tables, kept, this.#lowest());
    });
  }

  present(): Promise<boolean> {
    return this.#perform('present', this.spec.generation, () => this.#isThere());
  }

  async close(): Promise<void> {}

  #call<T>(operation: StoreOperation, run: () => T): Promise<T> {
    return this.#perform(operation, this.spec.generation, () => {
      if (!this.#isThere()) {
        const { projection, generation } = this.spec;
        throw new StoreLostError(`the store of ${projection} g${generation} is gone`);
      }
      return run();
    });
  }

  #isThere(): boolean {
    return this.#database.get(this.spec.generation) === this.#data;
  }

  #lowest(): Checkpoint {
    return lowestCheckpoint(
      this.#data.workers.map(({ checkpoint }) => checkpoint),
      this.spec.split,
    );
  }

  #worker(worker: number): WorkerState {
    const state = this.#data.workers[worker];
    if (!state) throw new RangeError(`worker ${worker} of ${this.spec.workers}`);
    return state;
  }

  #rows(table: string): Map<string, Row> {
    const rows = this.#data.tables.get(table);
    if (!rows) throw new TypeError(`${this.spec.projection} has no table ${table}`);
    return rows;
  }

  /** Checks all rows before it writes the first one: a batch with a bad row writes nothing. */
  #write({ changes }: Batch): void {
    const checked = changes.map(({ table: name, key, row }) => {
      const table = this.#tables.get(name);
      if (!table) throw new TypeError(`${this.spec.projection} has no table ${name}`);
      return {
        rows: this.#rows(name),
        key: encodeKey(key),
        row: row && checkedRow(table, key, row),
      };
    });
    for (const { rows, key, row } of checked) {
      if (row === null) rows.delete(key);
      else rows.set(key, row);
    }
  }
}

class MemorySnapshot implements GenerationSnapshot {
  readonly checkpoint: Checkpoint;
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #kept: ReadonlyMap<string, ReadonlyMap<string, Row>>;

  constructor(
    tables: ReadonlyMap<string, Table>,
    kept: ReadonlyMap<string, ReadonlyMap<string, Row>>,
    checkpoint: Checkpoint,
  ) {
    this.#tables = tables;
    this.#kept = kept;
    this.checkpoint = checkpoint;
  }

  async count(table: string): Promise<number> {
    return this.#of(table).size;
  }

  async *rows(table: string): AsyncIterable<readonly Row[]> {
    const key = this.#tables.get(table)?.key ?? [];
    const sorted = [...this.#of(table).values()].sort((a, b) => compareKeys(key, a, b));
    for (let first = 0; first < sorted.length; first += pageRows) {
      yield sorted.slice(first, first + pageRows);
    }
  }

  async problems(): Promise<readonly string[]> {
    return [];
  }

  async close(): Promise<void> {}

  #of(table: string): ReadonlyMap<string, Row> {
    const rows = this.#kept.get(table);
    if (!rows) throw new TypeError(`there is no table ${table}`);
    return rows;
  }
}

const pageRows = 1_000;

function encodeKey(key: readonly Cell[]): string {
  return JSON.stringify(
    key.map((cell) =>
      cell instanceof Uint8Array ? { blob: Buffer.from(cell).toString('hex') } : cell,
    ),
  );
}

function checkedRow(table: Table, key: readonly Cell[], row: Row): Row {
  const kept: { [column: string]: Cell } = {};
  for (const [column, type] of Object.entries(table.columns)) {
    const cell = row[column];
    const right =
      (cell === null && !table.key.includes(column)) ||
      (type === 'text' && typeof cell === 'string') ||
      (type === 'integer' && Number.isSafeInteger(cell)) ||
      (type === 'blob' && cell instanceof Uint8Array);
    if (cell === undefined || !right) {
      throw new TypeError(`${table.name}.${column} must be ${type}, not ${typeof cell}`);
    }
    kept[column] = cell instanceof Uint8Array ? new Uint8Array(cell) : cell;
  }
  const same = table.key.every((column, n) => compareCells(row[column], key[n]) === 0);
  if (!same) throw new TypeError(`the key of a row of ${table.name} is not the key of its change`);
  return kept;
}

function compareKeys(key: readonly string[], a: Row, b: Row): number {
  for (const column of key) {
    const order = compareCells(a[column], b[column]);
    if (order !== 0) return order;
  }
  return 0;
}

/** Integers by value, blobs by their bytes, text by its UTF-8 bytes (not by UTF-16 units, as `<` would). */
function compareCells(a: Cell | undefined, b: Cell | undefined): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (a === b) return 0;
  return Buffer.compare(bytesOf(a), bytesOf(b));
}

function bytesOf(cell: Cell | undefined): Uint8Array {
  if (cell instanceof Uint8Array) return cell;
  return Buffer.from(cell === null || cell === undefined ? '' : String(cell));
}
