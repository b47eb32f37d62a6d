import { type Checkpoint, coversAll } from '@annals/event-log';
import { readControl } from '../generations/control-stream.ts';
import { openGeneration } from '../generations/make-generation.ts';
import { type Generation, isFollowed, liveGeneration } from '../generations/state.ts';
import { projectorLimits } from '../projector/share-work.ts';
import { type GenerationStore, StoreLostError } from '../store.ts';
import { drop } from './flip.ts';
import type { Operation } from './operation.ts';

export interface PurgeOptions extends Operation {
  readonly generation: number;
  /** Where the last erasure stands in the log. */
  readonly erased: Checkpoint;
  /** Whether an unfinished rebuild is given up: asked each time, and told whether somebody works on it now. */
  readonly isAbandoned: (isWorkedOn: boolean) => boolean;
  /** Whether a generation that stands there was purged of this erasure already. */
  readonly isPurged?: (generation: Generation, checkpoint: Checkpoint) => boolean;
}

/** What became of a generation that may have held data of people who were erased. */
export type PurgeOutcome =
  /** It has passed the erasure, and no byte of older rows is left. */
  | { readonly kind: 'purged'; readonly of: Generation; readonly checkpoint: Checkpoint }
  /** It could not pass it, and is gone. */
  | { readonly kind: 'dropped' }
  /** Its store was gone already. */
  | { readonly kind: 'lost' }
  /** It has not come to the erasure yet, or it is not known yet whether it will. */
  | { readonly kind: 'behind' }
  /** It has passed it, and a reader held older bytes for too long. */
  | { readonly kind: 'blocked' }
  /** It is live and made by other code: it stands still, and must not be dropped. */
  | { readonly kind: 'live' };

/**
 * Sees to it that a generation keeps no bytes of people who were erased, as far as that can be done
 * now. One that goes on is purged once it has passed the erasure. One that never will, because it is
 * a point in time, of other code or an abandoned rebuild, is dropped, unless it is live.
 */
export async function purge(options: PurgeOptions): Promise<PurgeOutcome> {
  const { log, store, projection, generation, isAbandoned } = options;
  const { state } = await readControl(log, projection.name);
  const one = state.generations.get(generation);
  if (!one || one.dropped) return { kind: 'dropped' };
  const found = await openGeneration(store, projection.name, one);
  if (found.kind === 'lost') return { kind: 'lost' };
  try {
    if (isFollowed(one) && one.version === projection.version) {
      return await purgePassed(options, one, found.opened);
    }
    if (liveGeneration(state) === generation) return { kind: 'live' };
    // Also one of a newer program: it is rebuilt for what comes after this one.
    if (!one.rebuilt) {
      const isWorkedOn = await isLeased(options, found.opened);
      if (!isAbandoned(isWorkedOn)) return await purgePassed(options, one, found.opened);
    }
  } catch (error) {
    // Somebody dropped it, or its store went, while it was looked at.
    if (error instanceof StoreLostError) return { kind: 'lost' };
    throw error;
  } finally {
    await found.opened.close();
  }
  const outcome = await drop({ ...options, generation });
  return { kind: outcome.kind === 'dropped' ? 'dropped' : 'live' };
}

async function purgePassed(
  { erased, isPurged }: PurgeOptions,
  of: Generation,
  opened: GenerationStore,
): Promise<PurgeOutcome> {
  const checkpoint = await opened.checkpoint();
  if (isPurged?.(of, checkpoint)) return { kind: 'purged', of, checkpoint };
  if (!coversAll(checkpoint, erased)) return { kind: 'behind' };
  if ((await opened.purge?.()) === 'blocked') return { kind: 'blocked' };
  return { kind: 'purged', of, checkpoint };
}

/**
 * Whether somebody works on a generation. Asked with the length of every other lease: one that runs
 * for longer than that counts as given before a clock was set back, and would be taken away.
 */
async function isLeased({ holder, clock }: Operation, opened: GenerationStore): Promise<boolean> {
  for (let worker = 0; worker < opened.spec.workers; worker += 1) {
    const lease = await opened.acquire(worker, holder, clock.now(), projectorLimits.leaseTtlMs);
    if (lease.kind === 'busy') return true;
    await opened.release(worker, lease.epoch);
  }
  return false;
}
