import type { Cell, GenerationSpec, Row } from '@annals/projection';
import { keyBytes, toBound } from './cells.ts';
import type { CassandraConnection, DriverRow } from './connection.ts';
import { mapBounded } from './in-flight.ts';
import { limits } from './limits.ts';
import { readMarker, tableNamesOf } from './marker.ts';
import { quoted } from './names.ts';
import { type OrderRows, TableRows } from './table-rows.ts';

/** Reads of one generation, for read models. Not at one checkpoint: Cassandra has no such reads. */
export interface CassandraReader {
  /** The rows of these keys, in their order. */
  rows(table: string, keys: readonly (readonly Cell[])[]): Promise<readonly (Row | undefined)[]>;
  /** How many rows of a group of a ranked table have a score above this one: counted by the server, O(their number). */
  countAbove(table: string, group: readonly Cell[], score: number): Promise<number>;
  /** The columns of the first rows of a group of a ranked table, by score downwards, then by key. */
  top(table: string, group: readonly Cell[], limit: number): Promise<readonly Row[]>;
}

/**
 * `lost` when there is no such generation, or another log's of the same number. Its ranks are whole only after
 * `finishBuilding`. `name` is what the store calls the projection, where that is not its own name.
 */
export async function openGenerationReader(
  connection: CassandraConnection,
  { id, projection, generation }: Pick<GenerationSpec, 'id' | 'projection' | 'generation'>,
  name = projection,
): Promise<CassandraReader | 'lost'> {
  const marker = await readMarker(connection, name, generation);
  if (marker?.spec.id !== id) return 'lost';
  const tables = tableNamesOf(marker).map(
    (names, number) => new TableRows(connection, marker, names, number),
  );
  const tableOf = (name: string): TableRows => {
    const table = tables.find((one) => one.table.name === name);
    if (!table) throw new TypeError(`${projection} has no table ${name}`);
    return table;
  };
  const rankedOf = (name: string): OrderRows => {
    const table = tableOf(name);
    const [ranked] = table.orders;
    // The order of a ranked table comes before those of its indexes.
    if (!table.table.ranked || !ranked) throw new TypeError(`${name} is not ranked`);
    return ranked;
  };
  return {
    rows: async (name, keys) => {
      const loaded = await tableOf(name).load(keys);
      return keys.map((key) => loaded.get(keyBytes(key).toString('latin1'))?.row);
    },
    countAbove: (name, group, score) => countAbove(connection, rankedOf(name), group, score),
    top: (name, group, limit) => top(connection, rankedOf(name), group, limit),
  };
}

async function countAbove(
  connection: CassandraConnection,
  ranked: OrderRows,
  group: readonly Cell[],
  score: number,
): Promise<number> {
  const column = quoted(ranked.order.sorted[0]?.column ?? '');
  const query = `SELECT count(*) AS n FROM ${ranked.name} WHERE ${inGroup(ranked)} AND ${column} > ?`;
  const counts = await mapBounded(shardsOf(ranked), limits.bucketsReadMax, async (shard) => {
    const bound = [...group.map(toBound), shard, BigInt(score)];
    const [row] = await connection.execute(query, bound);
    return Number(row?.n ?? 0);
  });
  return counts.reduce((sum, count) => sum + count, 0);
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
