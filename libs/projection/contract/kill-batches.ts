import type { Batch } from '../store.ts';
import { at, entry, matches, put, putEntry, tailOf } from './samples.ts';

/** What the committing child is told. */
export interface KillTask {
  readonly module: string;
  readonly argument: string;
  readonly holder: string;
  /** Whose shares it works on. */
  readonly workers: readonly number[];
  /** It ends after so many batches of each; without it goes on until it is killed. */
  readonly batchesMax?: number;
  /** Whether it says, in the midst of it, that building is finished. */
  readonly finish: boolean;
}

export const killWorkers = 2;
/** Rows of each batch in each of the two tables. */
export const killBatchRows = 40;

/** Batch number `n` (from 1) of a worker: raises the score of all its entries to `n`, and adds matches. */
export function killBatch(worker: number, epoch: number, n: number): Batch {
  const rows = Array.from({ length: killBatchRows }, (_, row) => row);
  return {
    worker,
    epoch,
    from: at(n - 1),
    to: at(n),
    after: n - 1,
    tail: tailOf(at(n)),
    changes: [
      ...rows.map((row) => putEntry(entry(`w${worker}`, `p${row}`, n))),
      ...rows.map((row) => put(matches, { id: `w${worker}-${n}-${row}`, points: row })),
    ],
  };
}
