import type { Cell, Row, RowKey } from '@annals/projection';
import type { Borders } from './borders.ts';
import type { Reply } from './connection.ts';
import type { GatheredReads, ShardStamp, StampTaker, WritePart } from './gathered-reads.ts';
import { type KeptTables, placeOf } from './kept-tables.ts';
import { limits } from './limits.ts';
import { rowsBy, type WantedFields } from './load.ts';
import type { ShardNames } from './names.ts';
import { OrderReads } from './order-reads.ts';
import { partKinds } from './read-scripts.ts';
import { listOf } from './replies.ts';
import type { Shards, WorkerStamp } from './shards.ts';

/**
 * The reads of one attempt, with the stamps of all their answers. What is asked for without waiting
 * in between goes out together, also with what others ask for: one script for each shard, or one for all where one server has them,
 * which then shows them at one moment too.
 */
export class StampedReads implements StampTaker {
  readonly shards: Shards;
  readonly stamps: (readonly WorkerStamp[])[] = [];
  readonly #gathered: GatheredReads;
  readonly #kept: KeptTables;
  /** Marks of the tables by shard and table; undefined where two answers differed. */
  readonly #marks = new Map<string, string | undefined>();
  /** Marks that were taken to be what they were last, by shard and table, until the shard says so. */
  readonly #assumed = new Map<string, string>();
  readonly #assumesMarks: boolean;
  #wasMistaken = false;
  /** Versions of the borders by which was asked, and those that the shards stood at as they answered. */
  readonly #asked = new Set<string>();
  readonly #met = new Set<string>();

  /** `assumesMarks`: whether kept rows are used before their shard has said that they are what they were. */
  constructor(
    shards: Shards,
    gathered: GatheredReads,
    kept: KeptTables,
    { assumesMarks }: { readonly assumesMarks: boolean },
  ) {
    this.#assumesMarks = assumesMarks;
    this.shards = shards;
    this.#gathered = gathered;
    this.#kept = kept;
  }

  load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]> {
    return rowsBy(this.shards, keys, async (names, wanted) => {
      const answers = await Promise.all(wanted.map((some) => this.#askFields(names, some)));
      return answers.length === 1 ? (answers[0] as readonly Reply[]) : answers.flat();
    });
  }

  /** Whether every shard whose kept rows were used has said since that they are what they were. */
  hasAssumedRight(): boolean {
    return !this.#wasMistaken && this.#assumed.size === 0;
  }

  /** Whether all was asked by the borders that every shard had, and none was changing them. */
  haveBordersHeld(): boolean {
    if (this.#asked.size === 0) return true;
    const [met = bordersMoving] = this.#met;
    if (this.#met.size === 1 && this.#asked.size === 1 && this.#asked.has(met)) return true;
    // Whatever is known now may be of before.
    this.shards.borders.seen(bordersMoving);
    return false;
  }

  /** Where the places of a group are cut. No promise where that is known. */
  bordersOf(key: string): Borders | Promise<Borders> {
    const { borders } = this.shards;
    const known = borders.get(key);
    if (!known) return this.#askBorders(key);
    this.#asked.add(borders.version);
    return known;
  }

  async #askBorders(key: string): Promise<Borders> {
    const { version, borders } = await this.shards.askBorders(key);
    this.#asked.add(version);
    return borders;
  }

  async loadKept(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]> {
    const rows = new Array<Row | undefined>(keys.length).fill(undefined);
    const missing: MissingRow[] = [];
    for (const [at, key] of keys.entries()) {
      const { shard, layout, bucket, field } = this.shards.place(key);
      this.#kept.add(layout.number);
      const place = placeOf(shard, layout.number);
      const name = `${bucket} ${field}`;
      const mark = this.#markOf(place);
      const held = mark === undefined ? undefined : this.#kept.rows.get(place, mark, name);
      if (held) rows[at] = held.row;
      else missing.push({ at, key, place, name });
    }
    if (missing.length === 0) return rows;
    const loaded = await this.load(missing.map(({ key }) => key));
    for (const [n, { at, place, name }] of missing.entries()) {
      rows[at] = loaded[n];
      const mark = this.#marks.get(place);
      if (mark !== undefined) this.#kept.rows.put(place, mark, name, loaded[n]);
    }
    return rows;
  }

  #markOf(place: string): string | undefined {
    const mark = this.#marks.get(place);
    if (mark !== undefined || !this.#assumesMarks || this.#marks.has(place)) return mark;
    const last = this.#kept.rows.markOf(place);
    if (last !== undefined) this.#assumed.set(place, last);
    return last;
  }

  async #askFields(names: ShardNames, { bucket, fields }: WantedFields): Promise<readonly Reply[]> {
    const values = await this.ask(
      names,
      (list, keys) => {
        list.end(list.begin(), 3);
        list.number(partKinds.rows);
        list.number(keys.numberOf(names.tag + bucket));
        list.texts(fields);
      },
      Math.ceil(fields.length / limits.rowsInCount),
    );
    return listOf(values);
  }

  order(table: string, name: string, group: readonly Cell[]): OrderReads {
    const layout = this.shards.layout(table);
    const number = layout.orders.findIndex((one) => one.name === name);
    const order = layout.orders[number];
    if (!order) throw new TypeError(`the table ${table} has no order ${name} in Redis`);
    const isRanged = layout.ranged[number] === true;
    return new OrderReads(this, { table, order, number, isRanged, key: order.keyOfGroup(group) });
  }

  /** Asks one shard. `weight`: how long Redis takes for it, in counts of a value. */
  ask(names: ShardNames, write: WritePart, weight = 1): Promise<Reply> {
    return this.#gathered.ask(this, [names], weight, write);
  }

  /** Asks all shards of one server for what is one answer there. */
  askTogether(write: WritePart): Promise<Reply> {
    const { names } = this.shards;
    return this.#gathered.ask(this, names, names.length, write);
  }

  /** The stamp of one shard: how far each worker has come there, and which batches changed the tables. */
  take({ shard, workers, borders = bordersMoving, marks }: ShardStamp): void {
    this.stamps.push(workers);
    this.#met.add(borders);
    for (const [table, mark] of marks) {
      const place = placeOf(shard, table);
      const assumed = this.#assumed.get(place);
      if (assumed !== undefined && assumed !== mark) this.#wasMistaken = true;
      this.#assumed.delete(place);
      const isOther = this.#marks.has(place) && this.#marks.get(place) !== mark;
      this.#marks.set(place, isOther ? undefined : mark);
    }
  }
}

/** No version of borders is called so. */
const bordersMoving = 'moving';

/** A row that is not kept, with where it would be. */
interface MissingRow {
  readonly at: number;
  readonly key: RowKey;
  readonly place: string;
  readonly name: string;
}
