import type { Clock } from '@annals/core';
import { storeError } from './errors.ts';
import { repair } from './leases.ts';
import { limits } from './limits.ts';
import { pauseScript } from './scripts.ts';
import { areEqual, type Shards } from './shards.ts';

const lookMs = 20;

/**
 * Makes commits wait, for a moment, and calls `run` when all shards stand at one checkpoint. Where they
 * stay apart a committer was cut off in the midst of a batch; its shards are brought together then, as
 * whoever takes over its lease would.
 */
export async function betweenCommits<T>(
  shards: Shards,
  clock: Clock,
  run: () => Promise<T>,
): Promise<T> {
  const pause = (ms: number) => shards.run(shards.first, pauseScript, [], [ms]);
  await pause(limits.pauseMsMax);
  try {
    for (let waitedMs = 0; waitedMs < limits.cutOffMs; waitedMs += lookMs) {
      if (areEqual(await shards.stamps())) return await run();
      await clock.sleep(lookMs);
    }
    for (let worker = 0; worker < shards.spec.workers; worker += 1) {
      const stamps = (await shards.stamps()).map((all) => all.slice(worker, worker + 1));
      if (!areEqual(stamps)) await repair(shards, worker);
    }
    if (areEqual(await shards.stamps())) return await run();
    throw storeError('busy', `${shards.connection.place}: the shards stand at several checkpoints`);
  } finally {
    await pause(0);
  }
}
