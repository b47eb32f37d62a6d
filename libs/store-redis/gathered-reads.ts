import type { Reply } from './connection.ts';
import { RedisStoreError } from './errors.ts';
import { type KeptTables, placeOf } from './kept-tables.ts';
import { limits } from './limits.ts';
import type { ShardNames } from './names.ts';
import { KeyList, ListWriter } from './piece-writer.ts';
import { readScript } from './read-scripts.ts';
import { listOf, textOf } from './replies.ts';
import type { Shards, WorkerStamp } from './shards.ts';

/** Writes one part of a read into its script's arguments. */
export type WritePart = (list: ListWriter, keys: KeyList) => void;

/** What a shard said of itself in the same step as the answers. */
export interface ShardStamp {
  /** Its number. */
  readonly shard: number;
  /** For each worker how far it has come there. */
  readonly workers: readonly WorkerStamp[];
  /** The version of its borders; undefined while somebody changes them. */
  readonly borders: string | undefined;
  /** For each table that was asked about, which batches changed it last. */
  readonly marks: ReadonlyMap<number, string>;
}

/** Who asks: is given the stamps of the shards that it asked, before the answers. */
export interface StampTaker {
  take(stamp: ShardStamp): void;
}

interface Part {
  readonly taker: StampTaker;
  /** Shards whose keys it names; one, where they are in a cluster. */
  readonly shards: readonly ShardNames[];
  readonly weight: number;
  readonly write: WritePart;
  readonly answered: (reply: Reply) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * What all reads of a generation ask for before the event loop goes on goes out together: one script for
 * each shard of a cluster, or one for all shards of one server. Most of what a script takes is the same with one part or with fifty:
 * its call, the stamps, the way there and back.
 */
export class GatheredReads {
  readonly #shards: Shards;
  readonly #kept: KeptTables;
  #waiting: Part[] = [];
  /** What each shard said last: it seldom says anything else. */
  readonly #said = new Map<string, { readonly text: string; readonly stamp: ShardStamp }>();

  constructor(shards: Shards, kept: KeptTables) {
    this.#shards = shards;
    this.#kept = kept;
  }

  /** `weight` tells how long Redis takes for it, in counts of a value; no script takes much more than `limits.readWeightMax`. */
  ask(
    taker: StampTaker,
    shards: readonly ShardNames[],
    weight: number,
    write: WritePart,
  ): Promise<Reply> {
    return new Promise((answered, failed) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#sendAll());
      this.#waiting.push({ taker, shards, weight, write, answered, failed });
    });
  }

  #sendAll(): void {
    const parts = this.#waiting;
    this.#waiting = [];
    const { isCluster } = this.#shards.connection;
    const groups = isCluster ? Map.groupBy(parts, ({ shards }) => shards[0]).values() : [parts];
    for (const group of groups) {
      for (const some of cutByWeight(group)) void this.#send(some);
    }
  }

  async #send(parts: readonly Part[]): Promise<void> {
    try {
      const tables = this.#kept.tables;
      const shards = [...new Set(parts.flatMap((part) => part.shards))];
      const { keys, asked, places } = written(parts, shards, tables);
      const args = [this.#shards.spec.workers, asked];
      const [, stamps = null, answers = null] = await this.#shards.runOver(readScript, keys, args);
      this.#tell(parts, shards, listOf(stamps), tables);
      const list = listOf(answers);
      for (const [n, { answered }] of parts.entries()) answered(list[places[n] as number] ?? null);
    } catch (error) {
      const takers = Map.groupBy(parts, ({ taker }) => taker);
      if (takers.size > 1 && isOfOne(error)) {
        for (const some of takers.values()) void this.#send(some);
        return;
      }
      for (const { failed } of parts) failed(error);
    }
  }

  #tell(
    parts: readonly Part[],
    shards: readonly ShardNames[],
    said: readonly Reply[],
    tables: readonly number[],
  ): void {
    const stamps = new Map(
      shards.map((names, n) => [names, this.#stampOf(names, said[n] ?? null, tables)]),
    );
    const told = new Map<StampTaker, Set<ShardNames>>();
    for (const part of parts) {
      let known = told.get(part.taker);
      if (!known) {
        known = new Set();
        told.set(part.taker, known);
      }
      for (const names of part.shards) {
        if (known.has(names)) continue;
        known.add(names);
        part.taker.take(stamps.get(names) as ShardStamp);
      }
    }
  }

  #stampOf(names: ShardNames, said: Reply, tables: readonly number[]): ShardStamp {
    const text = textOf(said);
    const name = `${names.tag} ${tables.length}`;
    const held = this.#said.get(name);
    const stamp =
      held?.text === text
        ? held.stamp
        : this.#read(this.#shards.names.indexOf(names), text, tables);
    if (stamp !== held?.stamp) this.#said.set(name, { text, stamp });
    for (const [table, mark] of stamp.marks)
      this.#kept.rows.marked(placeOf(stamp.shard, table), mark);
    return stamp;
  }

  #read(shard: number, text: string, tables: readonly number[]): ShardStamp {
    const count = this.#shards.spec.workers;
    // The instance comes first, which is ours.
    const fields = text.split('\n').slice(1);
    const workers = Array.from({ length: count }, (_, worker): WorkerStamp => {
      const [at = '', open = '', batch = ''] = fields.slice(3 * worker, 3 * worker + 3);
      return { at, open: open === '' ? undefined : open, batch };
    });
    const marks = new Map(
      tables.map((table, n) => {
        const from = (3 + n) * count;
        return [table, fields.slice(from, from + count).join('\n')];
      }),
    );
    const [borders = '', moving = ''] = fields.slice((3 + tables.length) * count);
    return { shard, workers, marks, borders: moving === '' ? borders : undefined };
  }
}

/** Whether a script failed for what one of its parts asked: the others are asked for by themselves. */
function isOfOne(error: unknown): boolean {
  return error instanceof RedisStoreError && (error.code === 'io' || error.code === 'foreign-keys');
}

function cutByWeight(parts: readonly Part[]): Part[][] {
  const groups: Part[][] = [];
  let weight: number = limits.readWeightMax;
  for (const part of parts) {
    if (weight + part.weight > limits.readWeightMax) {
      groups.push([]);
      weight = 0;
    }
    weight += part.weight;
    groups.at(-1)?.push(part);
  }
  return groups;
}

function written(
  parts: readonly Part[],
  shards: readonly ShardNames[],
  tables: readonly number[],
): { readonly keys: string[]; readonly asked: Buffer; readonly places: readonly number[] } {
  const keys = new KeyList(0);
  const list = new ListWriter();
  /** What is asked twice is asked once: its text, and which of the answers it is. */
  const known = new Map<string, number>();
  list.end(list.begin(), 3);
  list.end(list.begin(), shards.length);
  for (const { state } of shards) list.number(keys.numberOf(state));
  const all = list.begin();
  const places = parts.map(({ write }) => {
    const start = list.cells.length;
    write(list, keys);
    const text = list.cells.view(start).toString('latin1');
    const place = known.get(text) ?? known.size;
    if (place < known.size) list.cells.cut(start);
    else known.set(text, place);
    return place;
  });
  list.end(all, known.size);
  list.end(list.begin(), tables.length);
  for (const table of tables) list.number(table);
  return { keys: keys.names, asked: list.cells.take(), places };
}
