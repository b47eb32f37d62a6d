import type { Cell, Row } from '@annals/projection';
import { keyBytes, toBound } from './cells.ts';
import type { Bound, CassandraConnection } from './connection.ts';
import { mapBounded } from './in-flight.ts';
import { limits } from './limits.ts';
import { quoted } from './names.ts';
import type { OrderRows } from './table-rows.ts';

/** One group of an order, scattered over its partitions and gathered in order. Rows have the order's columns. */
export interface OrderReads {
  /** The first rows: from these cells on, or after them. `skip` rows are read and left out. */
  forward(range: {
    readonly from?: readonly Cell[];
    readonly after?: readonly Cell[];
    readonly skip?: number;
    readonly limit: number;
  }): Promise<readonly Row[]>;
  /** The last rows before these cells, the nearest first. */
  backward(range: {
    readonly before: readonly Cell[];
    readonly limit: number;
  }): Promise<readonly Row[]>;
}

interface Scan {
  readonly order: OrderRows;
  readonly query: string;
  readonly params: readonly Bound[];
  readonly backward: boolean;
  readonly skip: number;
  readonly limit: number;
}

/** Throws a TypeError for an order that goes up by one column and down by another. */
export function orderReads(
  connection: CassandraConnection,
  order: OrderRows,
  group: readonly Cell[],
): OrderReads {
  const { sorted } = order.order;
  if (sorted.some(({ desc }) => desc)) {
    throw new TypeError(`the order by ${order.columns.join(', ')} is not an ascending one`);
  }
  const columns = order.columns.map(quoted).join(', ');
  const grouped = [...order.order.group.map(quoted), 'annals_shard'].map((one) => `${one} = ?`);
  const select = `SELECT ${columns} FROM ${order.name} WHERE ${grouped.join(' AND ')}`;
  const downwards = sorted.map(({ column }) => `${quoted(column)} DESC`).join(', ');
  const bound = (sign: '>=' | '>' | '<', cells: readonly Cell[]) => {
    const named = sorted.slice(0, cells.length).map(({ column }) => quoted(column));
    return ` AND (${named.join(', ')}) ${sign} (${cells.map(() => '?').join(', ')})`;
  };
  const scan = (scan: Omit<Scan, 'order' | 'params'> & { readonly cells: readonly Cell[] }) =>
    gather(
      connection,
      { ...scan, order, params: [...group, ...scan.cells].map(toBound) },
      group.length,
    );
  return {
    forward: ({ from, after, skip = 0, limit }) => {
      const cells = after ?? from ?? [];
      const range = cells.length === 0 ? '' : bound(after ? '>' : '>=', cells);
      return scan({ query: `${select}${range}`, cells, backward: false, skip, limit });
    },
    backward: ({ before, limit }) => {
      const query = `${select}${bound('<', before)} ORDER BY ${downwards}`;
      return scan({ query, cells: before, backward: true, skip: 0, limit });
    },
  };
}

interface Gathered {
  readonly place: Buffer;
  readonly row: Row;
}

type ReadPage = (from: string | undefined) => Promise<{
  readonly rows: readonly Gathered[];
  readonly next: string | undefined;
}>;

/** The rows of one partition in order, a page at a time. */
class ShardCursor {
  readonly #read: ReadPage;
  #rows: readonly Gathered[] = [];
  #place = 0;
  #next: string | undefined;
  #ended = false;

  constructor(read: ReadPage) {
    this.#read = read;
  }

  get head(): Gathered | undefined {
    return this.#rows[this.#place];
  }

  step(): void {
    this.#place += 1;
  }

  async fill(): Promise<void> {
    while (!this.#ended && this.#place >= this.#rows.length) {
      const { rows, next } = await this.#read(this.#next);
      this.#rows = rows;
      this.#place = 0;
      this.#next = next;
      this.#ended = next === undefined;
    }
  }
}

async function gather(
  connection: CassandraConnection,
  { order, query, params, backward, skip, limit }: Scan,
  groupCells: number,
): Promise<readonly Row[]> {
  if (limit <= 0) return [];
  const share = Math.ceil((skip + limit) / order.shards) + limits.orderPageRowsMin;
  const pageRows = Math.min(limits.orderPageRowsMax, share, skip + limit);
  const shards = Array.from({ length: order.shards }, (_, shard) => shard);
  const cursors = shards.map((shard) => {
    const bound = [...params.slice(0, groupCells), shard, ...params.slice(groupCells)];
    return new ShardCursor(async (from) => {
      const page = await connection.page(query, bound, pageRows, from);
      const rows = page.rows.map((held) => {
        const cells = order.cellsOf(held);
        const row = Object.fromEntries(
          order.columns.map((column, n) => [column, cells[n] as Cell]),
        );
        return { place: keyBytes(cells.slice(groupCells)), row };
      });
      return { rows, next: page.next };
    });
  });
  await mapBounded(cursors, limits.bucketsReadMax, (cursor) => cursor.fill());
  const found: Row[] = [];
  for (let passed = 0; found.length < limit; passed += 1) {
    const first = cursors.reduce<ShardCursor | undefined>(
      (best, cursor) => nearer(best, cursor, backward),
      undefined,
    );
    if (!first?.head) break;
    if (passed >= skip) found.push(first.head.row);
    first.step();
    await first.fill();
  }
  return found;
}

function nearer(
  best: ShardCursor | undefined,
  cursor: ShardCursor,
  backward: boolean,
): ShardCursor | undefined {
  if (!cursor.head) return best;
  if (!best?.head) return cursor;
  const order = Buffer.compare(cursor.head.place, best.head.place);
  return (backward ? order > 0 : order < 0) ? cursor : best;
}
