import { encodeCheckpoint } from '@annals/event-log';
import type { ShardNames } from './names.ts';
import { textOf, wordOf } from './replies.ts';
import { peekScript, rollbackScript } from './scripts.ts';
import { areEqual, earliest, type Shards, storedCheckpoint, type WorkerStamp } from './shards.ts';

/**
 * Brings all shards to one checkpoint of a worker. A batch that was cut off, or a failover that lost the
 * last writes of some shards, leaves others ahead of them; those go back, by what they kept of the past,
 * to the last checkpoint that all have. Nobody else may write for this worker meanwhile: its epoch was
 * made known in every shard before.
 */
export async function bringTogether(
  shards: Shards,
  worker: number,
  epoch: number,
): Promise<'together' | 'apart'> {
  const stamps = (await shards.stamps()).map((all) => all[worker] as WorkerStamp);
  if (areEqual(stamps.map((stamp) => [stamp]))) return 'together';
  const target = earliest(stamps.map(({ at }) => storedCheckpoint(at)));
  if (!target) return 'apart';
  const at = encodeCheckpoint(target);
  const came = await Promise.all(
    shards.names.map((names, n) =>
      goBack(shards, names, { worker, epoch, at, stamp: stamps[n] as WorkerStamp }),
    ),
  );
  return came.every(Boolean) ? 'together' : 'apart';
}

interface WayBack {
  readonly worker: number;
  readonly epoch: number;
  /** Where to. */
  readonly at: string;
  readonly stamp: WorkerStamp;
}

/** Takes pieces back, newest first, until the shard stands at `at` with no batch half there. */
async function goBack(
  shards: Shards,
  names: ShardNames,
  { worker, epoch, at, stamp }: WayBack,
): Promise<boolean> {
  let isThere = stamp.at === at && stamp.open === undefined;
  while (!isThere) {
    const undo = names.undo(worker);
    const peeked = await shards.run(names, peekScript, [undo]);
    if (wordOf(peeked) !== 'record') return false;
    const [, from, to, piece, ...keys] = peeked;
    const record = [from, to, piece].map((one) => textOf(one ?? null));
    const rolled = await shards.run(
      names,
      rollbackScript,
      [undo, ...(keys as Buffer[])],
      [worker, epoch, ...record],
    );
    if (wordOf(rolled) !== 'back') return false;
    isThere = record[0] === at && record[2] === '1';
  }
  return true;
}
