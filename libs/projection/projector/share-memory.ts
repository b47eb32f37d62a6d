import type { Checkpoint } from '@annals/event-log';
import type { Fold } from '../fold.ts';
import type { Halt } from './share-work.ts';

/** What outlives a session: a share begins a new one whenever its memory may no longer fit the store. */
export interface ShareMemory {
  readonly fold: Fold;
  /** Where somebody holds the generation, as the store last said. */
  ceiling: Checkpoint | undefined;
  /** Partitions stopped at an event, and when they are tried again. */
  readonly halted: Map<number, { readonly halt: Halt; readonly retryAt: number }>;
  /** The revision of the last request to retry that was worked off, by stream. */
  readonly retried: Map<string, number>;
}
