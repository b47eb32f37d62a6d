import { limits } from './limits.ts';
import { scannedKeys } from './marker.ts';
import type { ShardNames } from './names.ts';
import { rankPageScript } from './order-scripts.ts';
import { textOf } from './replies.ts';
import { setScript } from './scripts.ts';
import type { Shards } from './shards.ts';
import type { TableLayout } from './table-layout.ts';

/**
 * Lets readers come. Where commits left the orders out until now (a generation that an earlier version began), they
 * are made first. From the first step on commits keep them, so that rows may change while theirs are made; a
 * crash leaves that state, and all is done again: placing a row where it is changes nothing.
 */
export async function finishBuilding(shards: Shards): Promise<void> {
  const states = await shards.states(['building']);
  if (states.every(([building]) => building === '0')) return;
  if (states.every(([building]) => building === '0' || building === '4')) {
    await setBuilding(shards, '0');
    return;
  }
  await setBuilding(shards, '2');
  for (const layout of shards.layouts) {
    if (layout.orders.length > 0) await rankTable(shards, layout);
  }
  await setBuilding(shards, '0');
}

async function setBuilding(shards: Shards, building: '0' | '2'): Promise<void> {
  await Promise.all(
    shards.names.map((names) => shards.run(names, setScript, [], ['building', building])),
  );
}

/** Ranks the rows of a table in the orders that lie with them; calls `onPage` on the way. */
export async function rankTable(
  shards: Shards,
  layout: TableLayout,
  onPage: () => Promise<void> = async () => undefined,
): Promise<void> {
  for await (const { names, bucket } of bucketsOf(shards, layout)) {
    const orders = layout.orderKeys(bucket).map((key) => names.tag + key);
    let cursor = '0';
    do {
      const args = [cursor, limits.rankPageRows, ownOrders(layout)];
      const keys = [names.tag + bucket, ...orders];
      const [, next = null] = await shards.run(names, rankPageScript, keys, args);
      cursor = textOf(next);
      await onPage();
    } while (cursor !== '0');
  }
}

/** For a script: the orders whose places lie with their rows. */
export function ownOrders({ ranged }: TableLayout): string {
  return ranged.map((isRanged) => (isRanged ? '0' : '1')).join('');
}

export interface FoundBucket {
  readonly names: ShardNames;
  /** Its key without the shard's tag. */
  readonly bucket: string;
}

/** The hashes that hold rows of a table, in all shards; some may come twice. */
export async function* bucketsOf(shards: Shards, layout: TableLayout): AsyncIterable<FoundBucket> {
  yield* keysOf(shards, `r${layout.number}:`);
}

/** Keys that begin with `beginning` behind their shard's tag. */
export async function* keysOf(shards: Shards, beginning: string): AsyncIterable<FoundBucket> {
  const byTag = new Map(shards.names.map((names) => [names.tag, names]));
  const [tag] = shards.first.tag.split(`${shards.instance}:`);
  const match = `${tag}${shards.instance}:*}:${beginning}*`;
  for (const node of await shards.connection.masters()) {
    for await (const keys of scannedKeys(node, match)) {
      for (const key of keys.map(String)) {
        const end = key.indexOf('}:') + 2;
        const names = byTag.get(key.slice(0, end));
        if (names && key.startsWith(beginning, end)) yield { names, bucket: key.slice(end) };
      }
    }
  }
}
