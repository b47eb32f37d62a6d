import type { Checkpoint } from '@annals/event-log';
import {
  type Cell,
  type GenerationSpec,
  KeptRows,
  lowestCheckpoint,
  type Row,
  type RowKey,
  StoreLostError,
} from '@annals/projection';
import { keyBytes, toBound } from './cells.ts';
import { TableMarks } from './changed-tables.ts';
import type { CassandraConnection, DriverRow } from './connection.ts';
import { mayPass } from './errors.ts';
import { mapBounded } from './in-flight.ts';
import { KeptReads } from './kept-reads.ts';
import { limits } from './limits.ts';
import { type Marker, readableMarker, readMarker, tableNamesOf } from './marker.ts';
import { quoted } from './names.ts';
import { type OrderReads, orderReads } from './order-reads.ts';
import { orderOfIndex } from './orders.ts';
import { rankTableOf } from './rank-nodes.ts';
import { type RankReads, RankTree } from './rank-reads.ts';
import { type OrderRows, TableRows } from './table-rows.ts';
import { type Applied, WorkerRows } from './worker-rows.ts';

/** What was read, and what it is good for. */
export interface Read<T> {
  readonly value: T;
  /** What every part of it covers. */
  readonly checkpoint: Checkpoint;
  /** Whether all parts are of this one checkpoint; else some are of a later one. */
  readonly exact: boolean;
}

/** What one read asks for. */
export interface CassandraReads {
  /** Rows by key, in their order. */
  load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>;
  /**
   * The same for rows of a table that changes seldom: those that this reader has in memory, and that no batch has changed
   * since as the look that ends the read tells, are not asked for.
   */
  loadKept(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>;
  /** The counts of one group of a ranked table. */
  ranks(table: string, group: readonly Cell[]): RankReads;
  /** The rows of one group in an order of a table, by the name of its index. */
  order(table: string, index: string, group: readonly Cell[]): OrderReads;
}

/** Reads of one generation, for read models. */
export interface CassandraReader {
  readonly spec: GenerationSpec;
  /**
   * Runs `run`, and again (three times at most unless told) where batches came between its parts. Throws
   * StoreLostError when the generation is gone, CassandraStoreError on broken I/O.
   */
  read<T>(
    run: (reads: CassandraReads) => Promise<T>,
    options?: { readonly readsMax?: number },
  ): Promise<Read<T>>;
  /** What all workers' rows cover. */
  checkpoint(): Promise<Checkpoint>;
  /** The rows of these keys, in their order, at no one checkpoint. */
  rows(table: string, keys: readonly (readonly Cell[])[]): Promise<readonly (Row | undefined)[]>;
  /** How many rows of a group of a ranked table have a score above this one. */
  countAbove(table: string, group: readonly Cell[], score: number): Promise<number>;
  /**
   * The columns of the first rows of a group of a ranked table, by score downwards, then by key. Throws a
   * TypeError for a table that is not sorted by score, because an index sorts its groups.
   */
  top(table: string, group: readonly Cell[], limit: number): Promise<readonly Row[]>;
}

/**
 * `lost` when there is no such generation, or another log's of the same number. Its orders are whole only after
 * `finishBuilding`. `name` is what the store calls the projection, where that is not its own name.
 */
export async function openGenerationReader(
  connection: CassandraConnection,
  { id, projection, generation }: Pick<GenerationSpec, 'id' | 'projection' | 'generation'>,
  name = projection,
): Promise<CassandraReader | 'lost'> {
  const marker = await readableMarker(connection, name, generation);
  return marker?.spec.id === id ? new GenerationReader(connection, marker) : 'lost';
}

export class GenerationReader implements CassandraReader {
  readonly spec: GenerationSpec;
  readonly #connection: CassandraConnection;
  readonly #marker: Marker;
  readonly #tables: ReadonlyMap<string, TableRows>;
  readonly #workers: WorkerRows;
  /** How far the workers were when somebody last looked. */
  #seen: readonly Applied[] | undefined;
  /** What was read where two looks said the same; forgotten where the store went back. */
  #kept = new KeptRows(limits.keptRowsMax);
  /** Whether what one look says is so for the next: where less than a quorum answers, it may be of before. */
  readonly #mayKeep: boolean;

  constructor(connection: CassandraConnection, marker: Marker) {
    this.spec = marker.spec;
    this.#connection = connection;
    this.#marker = marker;
    const tables = tableNamesOf(marker).map(
      (names, number) => new TableRows(connection, marker, names, number),
    );
    this.#tables = new Map(tables.map((rows) => [rows.table.name, rows]));
    this.#workers = new WorkerRows(connection, marker);
    this.#mayKeep = !['one', 'local-one'].includes(connection.place.consistency);
  }

  /**
   * What is read lies between two looks at how far the workers are. Rows of a batch are written only after
   * `started` says so: where the second look finds no batch started after the first, none came between. The
   * first look may be any former one. Rows that were in memory count when the second look says that no batch since has
   * begun to change their table; else all is read again, once more than `readsMax` and without them if it comes to that.
   */
  async read<T>(
    run: (reads: CassandraReads) => Promise<T>,
    { readsMax = limits.exactReadsMax }: { readonly readsMax?: number } = {},
  ): Promise<Read<T>> {
    return this.#guarded(async () => {
      let before = this.#seen ?? (await this.#look());
      for (let attempt = 1; ; attempt += 1) {
        const kept = new KeptReads(this.#kept, new TableMarks(before), {
          ...{ mayUse: attempt <= readsMax, mayKeep: this.#mayKeep },
        });
        const reads = new Reads(this.#connection, this.#tables, kept, this.spec.workers);
        const value = await run(reads);
        const after = await this.#look();
        const wereKeptRight = kept.settle(new TableMarks(after)) && !wentBack(before, after);
        const quiet = after.every(({ started, seq }, n) => {
          const first = before[n]?.seq;
          return seq === first && started <= first;
        });
        if (wereKeptRight && (quiet || attempt >= readsMax)) {
          const exact = quiet && reads.exact;
          return { value, checkpoint: this.#lowest(before), exact };
        }
        before = after;
      }
    });
  }

  async checkpoint(): Promise<Checkpoint> {
    return this.#guarded(async () => this.#lowest(await this.#look()));
  }

  async #look(): Promise<readonly Applied[]> {
    const earlier = this.#seen;
    const seen = await this.#workers.applied();
    // A restore brings back batches of before, and with them marks that were told of what it took away.
    if (earlier && wentBack(earlier, seen)) this.#kept = new KeptRows(limits.keptRowsMax);
    this.#seen = seen;
    return seen;
  }

  #lowest(applied: readonly Applied[]): Checkpoint {
    return lowestCheckpoint(
      applied.map(({ checkpoint }) => checkpoint),
      this.spec.split,
    );
  }

  async rows(
    table: string,
    keys: readonly (readonly Cell[])[],
  ): Promise<readonly (Row | undefined)[]> {
    const loaded = await this.#guarded(() => tableOf(this.#tables, table).load(keys));
    return keys.map((key) => loaded.get(keyBytes(key).toString('latin1'))?.row);
  }

  async countAbove(table: string, group: readonly Cell[], score: number): Promise<number> {
    const { value } = await this.read((reads) => reads.ranks(table, group).counts([score]));
    const [{ below, at } = { below: 0, at: 0 }] = value.counts;
    return value.total - below - at;
  }

  top(table: string, group: readonly Cell[], limit: number): Promise<readonly Row[]> {
    const rows = tableOf(this.#tables, table);
    const { ranked } = rows.table;
    const byScore = rows.orders.find(
      ({ order: { sorted } }) => sorted[0]?.column === ranked?.score && sorted[0]?.desc,
    );
    if (!ranked || !byScore) throw new TypeError(`${table} is not sorted by its score`);
    return this.#guarded(() => top(this.#connection, byScore, group, limit));
  }

  /** Whatever fails when the generation is gone fails because of that. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof StoreLostError || error instanceof TypeError) throw error;
      // Who does not answer does not say either whether the generation is there.
      if (mayPass(error)) throw error;
      const { projection, spec, instance } = this.#marker;
      const marker = await readMarker(this.#connection, projection, spec.generation).catch(
        () => this.#marker,
      );
      throw marker?.instance === instance ? error : this.#workers.lost(error);
    }
  }
}

function wentBack(earlier: readonly Applied[], later: readonly Applied[]): boolean {
  return later.some(({ seq, started }, n) => {
    const last = earlier[n];
    return last !== undefined && (seq < last.seq || started < last.started);
  });
}

function tableOf(tables: ReadonlyMap<string, TableRows>, name: string): TableRows {
  const table = tables.get(name);
  if (!table) throw new TypeError(`there is no table ${name}`);
  return table;
}

class Reads implements CassandraReads {
  /** Whether all that was counted was counted to the end. */
  exact = true;
  readonly #connection: CassandraConnection;
  readonly #tables: ReadonlyMap<string, TableRows>;
  readonly #kept: KeptReads;
  readonly #workers: number;

  constructor(
    connection: CassandraConnection,
    tables: ReadonlyMap<string, TableRows>,
    kept: KeptReads,
    workers: number,
  ) {
    this.#connection = connection;
    this.#tables = tables;
    this.#kept = kept;
    this.#workers = workers;
  }

  async load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]> {
    const byTable = Map.groupBy(keys, ({ table }) => table);
    const found = new Map(
      await Promise.all(
        [...byTable].map(async ([table, some]) => {
          const loaded = await tableOf(this.#tables, table).load(some.map(({ key }) => key));
          return [table, loaded] as const;
        }),
      ),
    );
    return keys.map(
      ({ table, key }) => found.get(table)?.get(keyBytes(key).toString('latin1'))?.row,
    );
  }

  async loadKept(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]> {
    const names = keys.map(({ key }) => keyBytes(key).toString('latin1'));
    const held = keys.map(({ table }, n) => this.#kept.get(table, names[n] as string));
    const missing = [...keys.keys()].filter((n) => !held[n]);
    const loaded = await this.load(missing.map((n) => keys[n] as RowKey));
    const rows = held.map((one) => one?.row);
    for (const [at, n] of missing.entries()) {
      rows[n] = loaded[at];
      this.#kept.loaded((keys[n] as RowKey).table, names[n] as string, loaded[at]);
    }
    return rows;
  }

  ranks(table: string, group: readonly Cell[]): RankReads {
    const rankTable = rankTableOf(tableOf(this.#tables, table).table);
    if (!rankTable) throw new TypeError(`${table} is not ranked`);
    const tree = new RankTree(tableOf(this.#tables, rankTable.name), group, this.#workers);
    return {
      counts: (scores) => tree.counts(scores),
      select: (place) => tree.select(place),
      distinct: async (scores) => {
        const distinct = await tree.distinct(scores);
        this.exact &&= distinct.exact;
        return distinct;
      },
    };
  }

  order(table: string, index: string, group: readonly Cell[]): OrderReads {
    const rows = tableOf(this.#tables, table);
    const columns = rows.table.indexes?.[index];
    if (!columns) throw new TypeError(`${table} has no index ${index}`);
    const wanted = JSON.stringify(orderOfIndex(rows.table, columns));
    const order = rows.orders.find((one) => JSON.stringify(one.order) === wanted);
    if (!order) throw new TypeError(`${table} is not kept in the order ${index}`);
    return orderReads(this.#connection, order, group);
  }
}

/** The best of every shard, then the best of these. */
async function top(
  connection: CassandraConnection,
  ranked: OrderRows,
  group: readonly Cell[],
  limit: number,
): Promise<readonly Row[]> {
  if (!Number.isInteger(limit) || limit < 1 || limit > limits.topMax) {
    throw new RangeError(`1 to ${limits.topMax} rows, not ${limit}`);
  }
  const columns = ranked.columns.map(quoted).join(', ');
  const query = `SELECT ${columns} FROM ${ranked.name} WHERE ${inGroup(ranked)} LIMIT ${limit}`;
  const found: DriverRow[] = [];
  await mapBounded(shardsOf(ranked), limits.bucketsReadMax, async (shard) => {
    const bound = [...group.map(toBound), shard];
    for await (const page of connection.pages(query, bound, limits.snapshotPageRows)) {
      found.push(...page);
    }
  });
  const score = ranked.order.sorted[0]?.column ?? '';
  const keyed = found.map((held) => {
    const cells = ranked.cellsOf(held);
    const row = Object.fromEntries(ranked.columns.map((column, n) => [column, cells[n] as Cell]));
    const rest = ranked.order.sorted.slice(1).map(({ column }) => row[column] as Cell);
    return { row, rest: keyBytes(rest) };
  });
  keyed.sort(
    (a, b) => Number(b.row[score]) - Number(a.row[score]) || Buffer.compare(a.rest, b.rest),
  );
  return keyed.slice(0, limit).map(({ row }) => row);
}

function shardsOf({ shards }: OrderRows): number[] {
  return Array.from({ length: shards }, (_, shard) => shard);
}

function inGroup({ order }: OrderRows): string {
  return [...order.group.map(quoted), 'annals_shard']
    .map((column) => `${column} = ?`)
    .join(' AND ');
}
