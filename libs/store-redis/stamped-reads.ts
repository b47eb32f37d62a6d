import type { Cell, Row, RowKey } from '@annals/projection';
import type { Reply } from './connection.ts';
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
  #waiting: Part[] = [];

  constructor(shards: Shards) {
    this.shards = shards;
  }

  load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]> {
    return rowsBy(this.shards, keys, async (names, wanted) => {
      const answers = await Promise.all(wanted.map((some) => this.#askFields(names, some)));
      return answers.length === 1 ? (answers[0] as readonly Reply[]) : answers.flat();
    });
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
    return new OrderReads(this, { table, order, number, key: order.keyOfGroup(group) });
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
      const { keys, asked } = written(parts);
      const args = [this.shards.spec.workers, asked];
      const reply = await this.shards.runOver(readScript, keys, args);
      const [, stamps = null, answers = null] = reply;
      for (const stamp of listOf(stamps)) this.stamps.push(stampOf(stamp));
      for (const [n, answer] of listOf(answers).entries()) parts[n]?.answered(answer);
    } catch (error) {
      for (const { failed } of parts) failed(error);
    }
  }
}

function written(parts: readonly Part[]): { readonly keys: string[]; readonly asked: Buffer } {
  const keys = new KeyList(0);
  const list = new ListWriter();
  list.end(list.begin(), 2);
  const shards = new Set(parts.map(({ names }) => names));
  list.end(list.begin(), shards.size);
  for (const { state } of shards) list.number(keys.numberOf(state));
  list.end(list.begin(), parts.length);
  for (const { write } of parts) write(list, keys);
  return { keys: keys.names, asked: list.cells.take() };
}

function stampOf(reply: Reply): WorkerStamp[] {
  const said = listOf(reply);
  const workers: WorkerStamp[] = [];
  for (let n = 1; n < said.length; n += 3) {
    const [at = null, open, batch = null] = said.slice(n, n + 3);
    workers.push({ at: textOf(at), open: someText(open), batch: textOf(batch) });
  }
  return workers;
}
