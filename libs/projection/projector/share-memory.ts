import type { Checkpoint } from '@annals/event-log';
import type { Fold } from '../fold.ts';
import { type Halt, projectorLimits } from './share-work.ts';

export interface HaltedPartition {
  readonly halt: Halt;
  readonly since: number;
}

/** Also where the clock was set back: what it says then of the time that has passed is no reason to wait. */
export function isDue({ since }: HaltedPartition, now: number): boolean {
  return now < since || now - since >= projectorLimits.haltRetryMs;
}

/** What outlives a session: a share begins a new one whenever its memory may no longer fit the store. */
export interface ShareMemory {
  readonly fold: Fold;
  /** Where somebody holds the generation, as the store last said. */
  ceiling: Checkpoint | undefined;
  /** Partitions stopped at an event, and since when: some time later they are tried again. */
  readonly halted: Map<number, HaltedPartition>;
  /** The revision of the last request to retry that was worked off, by stream. */
  readonly retried: Map<string, number>;
}
