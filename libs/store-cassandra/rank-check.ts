import type { Cell, Row } from '@annals/projection';
import { hash64 } from './cells.ts';
import { pause } from './connection.ts';
import { mapBounded } from './in-flight.ts';
import { limits } from './limits.ts';
import { scoreIn } from './rank-keeper.ts';
import { childNode, nodeOf, rankLevels, rankTableOf } from './rank-nodes.ts';
import type { TableRows } from './table-rows.ts';

const attemptsMax = 3;

/**
 * Compares the counts of a ranked table with its rows, and each level of nodes with the one above it: by sums
 * of hashes, each taken as often as it is counted. As with orders, a batch that comes between makes them
 * differ for a moment, so a difference counts only when it is there again and again.
 */
export async function rankProblems(
  table: TableRows,
  tables: ReadonlyMap<string, TableRows>,
): Promise<readonly string[]> {
  const rankTable = rankTableOf(table.table);
  const nodes = rankTable && tables.get(rankTable.name);
  if (!nodes) return [];
  let problems: string[] = [];
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    problems = differences(table, await rowSums(table), await nodeSums(nodes));
    if (problems.length === 0) return [];
    await pause(limits.settleMsMax / 2);
  }
  return problems;
}

/** Rows, and the sum of a hash of where each is counted. */
interface Sum {
  count: number;
  sum: bigint;
}

/** What level n says of the level below it, and what that says itself; the rows are level 0. */
interface LevelSums {
  readonly said: Sum[];
  readonly held: Sum[];
}

function differences({ table }: TableRows, rows: Sum, { said, held }: LevelSums): string[] {
  const problems: string[] = [];
  for (let level = 1; level <= rankLevels; level += 1) {
    const own = level === 1 ? rows : (held[level - 1] as Sum);
    const counted = said[level] as Sum;
    if (own.count === counted.count && own.sum === counted.sum) continue;
    const what = level === 1 ? 'rows' : `rows in nodes of level ${level - 1}`;
    problems.push(
      `ranks of ${table.name}: ${counted.count} counted for ${own.count} ${what}` +
        (counted.count === own.count ? ', and some of them elsewhere' : ''),
    );
  }
  return problems;
}

async function rowSums(table: TableRows): Promise<Sum> {
  const sum: Sum = { count: 0, sum: 0n };
  await eachRow(table, (row) => {
    const at = scoreIn(table.table, row);
    if (at) add(sum, 1, [...at.group, at.score]);
  });
  return sum;
}

async function nodeSums(nodes: TableRows): Promise<LevelSums> {
  const none = () => Array.from({ length: rankLevels + 1 }, (): Sum => ({ count: 0, sum: 0n }));
  const sums: LevelSums = { said: none(), held: none() };
  const groupCells = nodes.table.key.length - 3;
  await eachRow(nodes, (row) => {
    const key = nodes.table.key.map((column) => row[column] as Cell);
    const group = key.slice(0, groupCells);
    const [level, node, worker] = key.slice(groupCells) as [number, number, number];
    let total = 0;
    for (const [child, count] of nodeOf(row, level)?.entries() ?? []) {
      const below = childNode({ level, node, child });
      // Rows are counted whoever wrote them; a worker's nodes only say something of its own.
      const place = level === 1 ? [...group, below] : [...group, below, worker];
      add(sums.said[level] as Sum, count, place);
      total += count;
    }
    if (total > 0) add(sums.held[level] as Sum, total, [...group, node, worker]);
  });
  return sums;
}

function add(sum: Sum, count: number, place: readonly Cell[]): void {
  sum.count += count;
  sum.sum = BigInt.asUintN(64, sum.sum + BigInt(count) * hash64(place));
}

async function eachRow(table: TableRows, visit: (row: Row) => void): Promise<void> {
  const buckets = Array.from({ length: table.buckets }, (_, bucket) => bucket);
  await mapBounded(buckets, limits.bucketsReadMax, async (bucket) => {
    let from: string | undefined;
    do {
      const page = await table.page(bucket, limits.snapshotPageRows, from);
      for (const { row } of page.rows) visit(row);
      from = page.next;
    } while (from !== undefined);
  });
}
