import type { Checkpoint } from '@annals/event-log';
import { StoreLostError } from '@annals/projection';
import type { GenerationReader, ReadTransaction } from '@annals/store-sqlite';

/**
 * Every answer is read at one checkpoint, its `asOf`, unless `exact` is false: then a store on other machines had no
 * quiet moment, and parts of it are of a later one. `lost`: the store is gone, which is not the same as empty.
 */
export type Answer<T> =
  | ({ readonly kind: 'answer'; readonly asOf: Checkpoint; readonly exact?: false } & T)
  | { readonly kind: 'lost' };

/** What every read model of payments can be waited for. */
export interface Followed {
  /** Resolves as soon as answers cover `checkpoint`; `late` after `timeoutMs`. */
  waitFor(
    checkpoint: Checkpoint,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<'reached' | 'late' | 'lost'>;
}

/** The live generation of a projection's store: what an app makes of a `LiveReader` of `store-sqlite`. */
export interface LiveGeneration extends Followed {
  current():
    | { readonly kind: 'ready'; readonly reader: Pick<GenerationReader, 'read'> }
    | { readonly kind: 'lost' };
}

/** Reads in one transaction. */
export function answer<T extends object>(
  live: LiveGeneration,
  read: (reads: ReadTransaction) => T,
): Answer<T> {
  const current = live.current();
  if (current.kind === 'lost') return { kind: 'lost' };
  try {
    return current.reader.read((reads) => {
      const asOf = reads.checkpoint();
      return { kind: 'answer', asOf, ...read(reads) };
    });
  } catch (error) {
    if (error instanceof StoreLostError) return { kind: 'lost' };
    throw error;
  }
}
