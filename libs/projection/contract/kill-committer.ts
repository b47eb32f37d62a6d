import { writeSync } from 'node:fs';
import type { Batch, GenerationStore, ProjectionStore } from '../store.ts';
import { type KillTask, killBatch } from './kill-batches.ts';

/**
 * The child process of the process tests: commits until it is killed, or has done its batches. Each acknowledged batch
 * is one line on stdout, written at once: `worker batch`. Anything unexpected ends it with exit code 1.
 */

const task = JSON.parse(process.argv[2] ?? '{}') as KillTask;
const { openStore } = (await import(task.module)) as {
  openStore(argument: string): Promise<ProjectionStore>;
};
const store = await openStore(task.argument);
const generation = await store.open(1);
if (generation === 'lost') throw new Error('generation 1 is lost');

/** The former child is dead, so this one may take its leases: it lives ten minutes later than all. */
const now = Date.now() + 600_000 * Number(task.holder.split('-')[1]);

const shares = [];
for (const worker of task.workers) {
  const lease = await generation.acquire(worker, task.holder, now, 60_000);
  if (lease.kind !== 'acquired') throw new Error(JSON.stringify(lease));
  shares.push({ worker, epoch: lease.epoch, next: Number(lease.checkpoint[0] ?? 0) + 1 });
}

/** Written before this returns. A pipe whose reader is slow is full for a while. */
function acknowledge(line: string): void {
  for (;;) {
    try {
      writeSync(1, line);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

/** What the former child had begun besides its batch may hold this one up, until its time is over. */
async function commit(to: GenerationStore, batch: Batch): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += 100) {
    const result = await to.commit(batch);
    if (result.kind === 'applied') return;
    if (result.kind !== 'held' || waitedMs > 20_000) throw new Error(JSON.stringify(result));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const rounds = task.batchesMax ?? Number.POSITIVE_INFINITY;
for (let round = 0; round < rounds; round += 1) {
  for (const share of shares) {
    await commit(generation, killBatch(share.worker, share.epoch, share.next));
    acknowledge(`${share.worker} ${share.next}\n`);
    share.next += 1;
  }
  if (round === 3 && task.finish) await generation.finishBuilding?.();
}
await generation.close();
await store.close();
