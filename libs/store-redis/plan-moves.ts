import { encodeCheckpoint } from '@annals/event-log';
import type { Batch, CommitResult, RowChange } from '@annals/projection';
import { rangeOf } from './borders.ts';
import type { Reply } from './connection.ts';
import { limits } from './limits.ts';
import type { ShardNames } from './names.ts';
import { KeyList, ListWriter, type SetMove } from './piece-writer.ts';
import { planScript } from './range-scripts.ts';
import { listOf, someText, textOf } from './replies.ts';
import { areEqual, type Shards, storedCheckpoint, type WorkerStamp } from './shards.ts';
import type { SetPlace, TableLayout } from './table-layout.ts';

/** A move in one set of one shard. `waits`: not before all that comes is there, or the row would be missing. */
export type PlannedMove = SetMove & { readonly shard: number; readonly waits: boolean };

/** What a batch does to the orders that are dealt by score, under one version of the borders. */
export interface Planned {
  readonly kind: 'planned';
  readonly borders: string;
  readonly moves: readonly PlannedMove[];
  /** Nothing was asked, as the generation had no orders when it was seen last: that may be over. */
  readonly isAssumed: boolean;
}

export interface Unplanned {
  /**
   * `apart`: the shards stand at several checkpoints, and must go back together first. `unsettled`: the borders
   * are changed now, or a change of them was cut off.
   */
  readonly kind: 'apart' | 'unsettled';
}

export function isUnplanned(result: { readonly kind: string }): result is Unplanned {
  return result.kind === 'apart' || result.kind === 'unsettled';
}

/** A row of the batch whose order is dealt by score. */
interface Wanted {
  readonly change: RowChange;
  readonly layout: TableLayout;
  readonly bucket: string;
  readonly field: string;
}

/** What one shard says of itself, and where rows stand there. */
interface Found {
  readonly stamp: WorkerStamp;
  readonly epoch: string;
  readonly building: string;
  readonly borders: string;
  readonly moving: boolean;
  readonly places: readonly Reply[];
}

/**
 * Finds out which places a batch gives up and takes. Rows lie in other shards than their places, so the former
 * ones are looked up before anything is sent; nobody else writes these rows. A batch that was sent before, in
 * part, is taken back first: its rows would say no more where they stood.
 */
export async function planMoves(
  shards: Shards,
  batch: Batch,
): Promise<Planned | Unplanned | CommitResult> {
  // While the generation is built there are no orders; the first shard says when that is over.
  const unordered = { kind: 'planned', borders: '', moves: [] } as const;
  if (shards.isBuilding) return { ...unordered, isAssumed: true };
  const wanted = shards.names.map((): Wanted[] => []);
  for (const change of batch.changes) {
    const { shard, layout, bucket, field } = shards.place(change);
    if (layout.hasRanges) wanted[shard]?.push({ change, layout, bucket, field });
  }
  const found = await Promise.all(
    shards.names.map((names, n) => ask(shards, names, batch, wanted[n] as readonly Wanted[])),
  );
  const [first] = found as [Found];
  if (first.building === '1') {
    shards.isBuilding = true;
    return { ...unordered, isAssumed: false };
  }
  const stale = { kind: 'stale', epoch: Number(first.epoch) } as const;
  const checkpoint = storedCheckpoint(first.stamp.at);
  if (first.epoch !== String(batch.epoch)) return { ...stale, checkpoint };
  if (!areEqual(found.map(({ stamp }) => [stamp]))) return { kind: 'apart' };
  const { borders } = first;
  if (found.some((one) => one.moving || one.borders !== borders || one.building !== '0')) {
    return { kind: 'unsettled' };
  }
  if (first.stamp.at !== encodeCheckpoint(batch.from)) {
    const isThere = first.stamp.at === encodeCheckpoint(batch.to);
    return isThere ? { kind: 'already-applied' } : { ...stale, checkpoint };
  }
  shards.borders.seen(borders);
  const moves: PlannedMove[] = [];
  for (const [n, some] of wanted.entries()) {
    for (const [at, one] of some.entries()) {
      const value = found[n]?.places[at];
      const before = value instanceof Buffer ? one.layout.readPlaces(value) : [];
      await addMoves(shards, one, before, moves);
    }
  }
  // What was read on the way may be newer than what the shards said before.
  return shards.borders.version === borders
    ? { kind: 'planned', borders, moves, isAssumed: false }
    : { kind: 'unsettled' };
}

async function ask(
  shards: Shards,
  names: ShardNames,
  { worker }: Batch,
  wanted: readonly Wanted[],
): Promise<Found> {
  const parts: Promise<readonly Reply[]>[] = [];
  for (let first = 0; first === 0 || first < wanted.length; first += limits.loadKeysMax) {
    const some = wanted.slice(first, first + limits.loadKeysMax);
    const keys = new KeyList(1);
    const list = new ListWriter();
    list.end(list.begin(), some.length);
    for (const { layout, bucket, field } of some) {
      list.end(list.begin(), 3);
      list.number(keys.numberOf(names.tag + bucket));
      list.number(layout.orders.length);
      list.texts([field]);
    }
    parts.push(shards.run(names, planScript, keys.names, [worker, list.cells.take()]));
  }
  const answers = await Promise.all(parts);
  const places = answers.flatMap((part) => listOf(part[2] ?? null));
  const [, at = null, open, batch = null, epoch = null, building = null, borders = null, moving] =
    listOf(answers[0]?.[1] ?? null);
  return {
    stamp: { at: textOf(at), open: someText(open), batch: textOf(batch) },
    ...{ epoch: textOf(epoch), building: textOf(building), borders: textOf(borders) },
    moving: someText(moving) !== undefined,
    places,
  };
}

async function addMoves(
  shards: Shards,
  { change, layout, bucket }: Wanted,
  before: readonly (SetPlace | undefined)[],
  moves: PlannedMove[],
): Promise<void> {
  const after = change.row === null ? [] : layout.placesOf(change.row);
  for (const [n, key] of layout.orderKeys(bucket).entries()) {
    const [old, next] = [before[n], after[n]];
    if (!layout.ranged[n] || isSame(old, next)) continue;
    shards.touched.add(key);
    const borders = shards.borders.get(key) ?? (await shards.askBorders(key)).borders;
    const from = old && rangeOf(borders, old.score);
    const to = next && rangeOf(borders, next.score);
    // The same member with another score is written over.
    const gone = old && (from !== to || !next?.member.equals(old.member)) ? old.member : undefined;
    if (from === to || from === undefined || to === undefined) {
      const shard = (to ?? from) as number;
      moves.push({ shard, key, gone, come: next, waits: false });
      continue;
    }
    moves.push({ shard: to, key, gone: undefined, come: next, waits: false });
    moves.push({ shard: from, key, gone, come: undefined, waits: true });
  }
}

function isSame(a: SetPlace | undefined, b: SetPlace | undefined): boolean {
  if (!a || !b) return a === b;
  return a.score === b.score && a.member.equals(b.member);
}
