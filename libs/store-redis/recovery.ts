import { peekScript, rollbackScript } from './commit-scripts.ts';
import { limits } from './limits.ts';
import type { ShardNames } from './names.ts';
import { textOf, wordOf } from './replies.ts';
import { areEqual, batchesOf, type Shards, type WorkerStamp } from './shards.ts';

/**
 * Brings all shards to one checkpoint of a worker. A batch that was cut off, or a failover that lost the
 * last writes of some shards, leaves others ahead of them; those go back, by what they kept of the past,
 * to the last batch that all have. Nobody else may write for this worker meanwhile: its epoch was made
 * known in every shard before.
 */
export async function bringTogether(
  shards: Shards,
  worker: number,
  epoch: number,
): Promise<'together' | 'apart'> {
  for (let round = 0; round < limits.undoRecordsMax; round += 1) {
    const stamps = (await shards.stamps()).map((all) => all[worker] as WorkerStamp);
    if (areEqual(stamps.map((stamp) => [stamp]))) return 'together';
    const counts = stamps.map(batchesOf);
    const least = Math.min(...counts);
    const isAhead = stamps.map(({ open }, n) => open !== undefined || counts[n] !== least);
    // As many batches in each, but not the same ones: a late message of somebody who lost the lease.
    const target = isAhead.includes(true) ? least : least - 1;
    const came = await Promise.all(
      shards.names.map((names, n) =>
        goBack(shards, names, { worker, epoch, stamp: stamps[n] as WorkerStamp, target }),
      ),
    );
    if (came.includes(false)) return 'apart';
  }
  return 'apart';
}

interface WayBack {
  readonly worker: number;
  readonly epoch: number;
  readonly stamp: WorkerStamp;
  /** With how many batches it ends. */
  readonly target: number;
}

/** Takes pieces back, newest first, until no more than `target` batches are there, each of them whole. */
async function goBack(
  shards: Shards,
  names: ShardNames,
  { worker, epoch, stamp, target }: WayBack,
): Promise<boolean> {
  const undo = names.undo(worker);
  let batches = batchesOf(stamp) + (stamp.open === undefined ? 0 : 1);
  while (batches > target) {
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
    if (record[2] === '1') batches -= 1;
  }
  return true;
}
