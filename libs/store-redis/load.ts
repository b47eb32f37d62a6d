import type { Row, RowKey } from '@annals/projection';
import type { Reply } from './connection.ts';
import { limits } from './limits.ts';
import type { ShardNames } from './names.ts';
import { KeyList, ListWriter } from './piece-writer.ts';
import { loadScript } from './scripts.ts';
import type { Shards } from './shards.ts';
import type { TableLayout } from './table-layout.ts';

interface Wanted {
  readonly key: RowKey['key'];
  readonly layout: TableLayout;
  readonly bucket: string;
  readonly field: string;
  /** Place among the keys asked for. */
  readonly at: number;
}

/** Fields of one hash. */
export interface WantedFields {
  /** The key of the hash without the shard's tag. */
  readonly bucket: string;
  readonly fields: readonly string[];
}

/** Asks one shard for the values of some fields; gives them one after another. */
export type AskRows = (
  names: ShardNames,
  wanted: readonly WantedFields[],
) => Promise<readonly Reply[]>;

/** Rows by key, in their order: one script for each shard and some thousand keys, all sent at once. */
export function loadRows(shards: Shards, keys: readonly RowKey[]): Promise<(Row | undefined)[]> {
  return rowsBy(shards, keys, async (names, wanted) => {
    const numbers = new KeyList(1);
    const list = new ListWriter();
    const all = list.begin();
    for (const { bucket, fields } of wanted) {
      list.end(list.begin(), 2);
      list.number(numbers.numberOf(names.tag + bucket));
      list.texts(fields);
    }
    list.end(all, wanted.length);
    const [, ...values] = await shards.run(names, loadScript, numbers.names, [list.cells.take()]);
    return values;
  });
}

export async function rowsBy(
  shards: Shards,
  keys: readonly RowKey[],
  ask: AskRows,
): Promise<(Row | undefined)[]> {
  const byShard = shards.names.map((): Wanted[] => []);
  for (const [at, key] of keys.entries()) {
    const { shard, layout, bucket, field } = shards.place(key);
    byShard[shard]?.push({ key: key.key, layout, bucket, field, at });
  }
  const rows = new Array<Row | undefined>(keys.length).fill(undefined);
  await Promise.all(
    byShard.flatMap((wanted, shard) =>
      chunksOf(wanted, limits.loadKeysMax).map((some) =>
        loadSome(shards.names[shard] as ShardNames, some, rows, ask),
      ),
    ),
  );
  return rows;
}

async function loadSome(
  names: ShardNames,
  wanted: readonly Wanted[],
  rows: (Row | undefined)[],
  ask: AskRows,
): Promise<void> {
  const byBucket = new Map<string, Wanted[]>();
  for (const one of wanted) {
    const same = byBucket.get(one.bucket);
    if (same) same.push(one);
    else byBucket.set(one.bucket, [one]);
  }
  const values = await ask(
    names,
    [...byBucket].map(([bucket, some]) => ({ bucket, fields: some.map(({ field }) => field) })),
  );
  let next = 0;
  for (const some of byBucket.values()) {
    for (const { at, layout, key } of some) {
      const value = values[next];
      next += 1;
      rows[at] = value instanceof Buffer ? layout.read(key, value) : undefined;
    }
  }
}

function chunksOf<T>(all: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let first = 0; first < all.length; first += size)
    chunks.push(all.slice(first, first + size));
  return chunks;
}
