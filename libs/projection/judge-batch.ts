import { createHash } from 'node:crypto';
import { type Checkpoint, coversAll, sameCheckpoint } from '@annals/event-log';
import { isHolding } from './holds.ts';
import type { Batch, CommitResult } from './store.ts';

/** What a store has of one share when a batch of it comes. */
export interface JudgedShare {
  readonly epoch: number;
  readonly checkpoint: Checkpoint;
  readonly batches: number;
  /** The content of the last batch, as `contentIfItStays` said; anything else where that is not known. */
  readonly stayed: string | null | undefined;
  readonly hold: { readonly at: Checkpoint; readonly until: number } | undefined;
}

/** The rule of `commit`, for stores that judge here: undefined when the batch is to be applied. */
export function judgeBatch(
  batch: Batch,
  { epoch, checkpoint, batches, stayed, hold }: JudgedShare,
  now: number,
): CommitResult | undefined {
  const stale = { kind: 'stale', epoch, checkpoint } as const;
  if (epoch !== batch.epoch) return stale;
  if (!sameCheckpoint(checkpoint, batch.from)) {
    return sameCheckpoint(checkpoint, batch.to) ? { kind: 'already-applied' } : stale;
  }
  if (batches !== batch.after) {
    // The checkpoint of a batch that stays does not tell whether it was applied: its number and content do.
    const isCopy = batches === batch.after + 1 && (stayed ?? '') === contentIfItStays(batch);
    return isCopy ? { kind: 'already-applied' } : stale;
  }
  if (hold && isHolding(hold.until, now) && !coversAll(hold.at, batch.to)) {
    return { kind: 'held', at: hold.at };
  }
  return undefined;
}

/** Tells a batch that leaves the checkpoint where it is from all others; null for one that moves it. */
export function contentIfItStays({ from, to, tail, changes }: Batch): string | null {
  if (!sameCheckpoint(from, to)) return null;
  const content = changes.map(({ table, key, row }) => [table, key, row]);
  return createHash('sha1')
    .update(JSON.stringify([tail, content]))
    .digest('base64url');
}
