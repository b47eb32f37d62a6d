import type { Cell, Row, RowKey } from '@annals/projection';
import type { Borders } from './borders.ts';
import type { Reply } from './connection.ts';
import type { KeptRows } from './kept-rows.ts';
import { rowsBy, type WantedFields } from './load.ts';
import type { ShardNames } from './names.ts';
import { OrderReads } from './order-reads.ts';
import { KeyList, ListWriter } from './piece-writer.ts';
import { partKinds, readScript } from './read-scripts.ts';
import { listOf, someText, textOf } from './replies.ts';
import type { Shards, WorkerStamp } from './shards.ts';

/** Writes one part of a read into its script's arguments. */
export type WritePart = (list: ListWriter, keys: KeyList) => void;

interface Part {
  readonly names: ShardNames;
  readonly write: WritePart;
  readonly answered: (reply: Reply) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * The reads of one attempt, with the stamps of all their answers. What is asked for without waiting
 * in between goes out together: one script for each shard, or one for all where one server has them,
 * which then shows them at one moment too.
 */
export class StampedReads {
  readonly shards: Shards;
  readonly stamps: (readonly WorkerStamp[])[] = [];
  readonly #kept: KeptRows;
  /** Marks of the tables by shard and table; undefined where two answers differed. */
  readonly #marks = new Map<string, string | undefined>();
  #waiting: Part[] = [];
  /** Versions of the borders by which was asked, and those that the shards stood at as they answered. */
  readonly #asked = new Set<string>();
  readonly #met = new Set<string>();

  constructor(shards: Shards, kept: KeptRows) {
    this.shards = shards;
    this.#kept = kept;
  }

  load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]> {
    return rowsBy(this.shards, keys, async (names, wanted) => {
      const answers = await Promise.all(wanted.map((some) => this.#askFields(names, some)));
      return answers.length === 1 ? (answers[0] as readonly Reply[]) : answers.flat();
    });
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
    const missing: { readonly at: number; readonly key: RowKey; readonly place: KeptPlace }[] = [];
    for (const [at, key] of keys.entries()) {
      const { shard, layout, bucket, field } = this.shards.place(key);
      this.#kept.add(layout.number);
      const place = { shard, table: layout.number, name: `${bucket} ${field}` };
      const mark = this.#marks.get(`${shard} ${place.table}`);
      const held =
        mark === undefined ? undefined : this.#kept.get(shard, place.table, mark, place.name);
      if (held) rows[at] = held.row;
      else missing.push({ at, key, place });
    }
    if (missing.length === 0) return rows;
    const loaded = await this.load(missing.map(({ key }) => key));
    for (const [n, { at, place }] of missing.entries()) {
      rows[at] = loaded[n];
      const { shard, table, name } = place;
      const mark = this.#marks.get(`${shard} ${table}`);
      if (mark !== undefined) this.#kept.put(shard, table, mark, name, loaded[n]);
    }
    return rows;
  }

  async #askFields(names: ShardNames, { bucket, fields }: WantedFields): Promise<readonly Reply[]> {
    const values = await this.ask(names, (list, keys) => {
      list.end(list.begin(), 3);
      list.number(partKinds.rows);
      list.number(keys.numberOf(names.tag + bucket));
      list.texts(fields);
    });
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

  ask(names: ShardNames, write: WritePart): Promise<Reply> {
    return new Promise((answered, failed) => {
      if (this.#waiting.length === 0) queueMicrotask(() => this.#sendAll());
      this.#waiting.push({ names, write, answered, failed });
    });
  }

  #sendAll(): void {
    const parts = this.#waiting;
    this.#waiting = [];
    const { isCluster } = this.shards.connection;
    const together = isCluster ? [...Map.groupBy(parts, ({ names }) => names).values()] : [parts];
    for (const some of together) void this.#send(some);
  }

  async #send(parts: readonly Part[]): Promise<void> {
    try {
      const tables = this.#kept.tables;
      const shards = [...new Set(parts.map(({ names }) => names))];
      const { keys, asked } = written(parts, shards, tables);
      const args = [this.shards.spec.workers, asked];
      const reply = await this.shards.runOver(readScript, keys, args);
      const [, stamps = null, answers = null] = reply;
      for (const [n, stamp] of listOf(stamps).entries()) {
        this.#take(shards[n] as ShardNames, listOf(stamp), tables);
      }
      for (const [n, answer] of listOf(answers).entries()) parts[n]?.answered(answer);
    } catch (error) {
      for (const { failed } of parts) failed(error);
    }
  }

  /** The stamp of one shard: how far each worker has come there, and which batches changed the tables. */
  #take(names: ShardNames, said: readonly Reply[], tables: readonly number[]): void {
    const { workers } = this.shards.spec;
    const marksFrom = 1 + 3 * workers;
    this.stamps.push(stampOf(said.slice(0, marksFrom)));
    const [borders = null, moving = null] = said.slice(marksFrom + tables.length * workers);
    this.#met.add(moving === null ? textOf(borders) : bordersMoving);
    const shard = this.shards.names.indexOf(names);
    for (const [n, table] of tables.entries()) {
      const from = marksFrom + n * workers;
      const mark = JSON.stringify(said.slice(from, from + workers).map(textOf));
      const name = `${shard} ${table}`;
      const isOther = this.#marks.has(name) && this.#marks.get(name) !== mark;
      this.#marks.set(name, isOther ? undefined : mark);
      this.#kept.marked(shard, table, mark);
    }
  }
}

/** No version of borders is called so. */
const bordersMoving = 'moving';

interface KeptPlace {
  readonly shard: number;
  readonly table: number;
  readonly name: string;
}

function written(
  parts: readonly Part[],
  shards: readonly ShardNames[],
  tables: readonly number[],
): { readonly keys: string[]; readonly asked: Buffer } {
  const keys = new KeyList(0);
  const list = new ListWriter();
  list.end(list.begin(), 3);
  list.end(list.begin(), shards.length);
  for (const { state } of shards) list.number(keys.numberOf(state));
  list.end(list.begin(), parts.length);
  for (const { write } of parts) write(list, keys);
  list.end(list.begin(), tables.length);
  for (const table of tables) list.number(table);
  return { keys: keys.names, asked: list.cells.take() };
}

function stampOf(said: readonly Reply[]): WorkerStamp[] {
  const workers: WorkerStamp[] = [];
  for (let n = 1; n < said.length; n += 3) {
    const [at = null, open, batch = null] = said.slice(n, n + 3);
    workers.push({ at: textOf(at), open: someText(open), batch: textOf(batch) });
  }
  return workers;
}
