import type { Clock, SubjectCipher } from '@annals/core';
import type { Checkpoint, EventLog, StoredEvent } from '@annals/event-log';
import type { Until } from '../generations/events.ts';
import type { ProjectionState } from '../generations/state.ts';
import type { FailurePolicy, Projection } from '../projection.ts';
import type { ProjectionStore } from '../store.ts';
import type { Observe } from './share-status.ts';

export const projectorLimits = {
  /** Events of one page of the log. */
  pageEventsMax: 2_000,
  /** The same in a rebuild: few enough that what is read, decoded and folded of them dies young. */
  buildPageEventsMax: 250,
  /** Events in one batch while catching up. */
  batchEventsMax: 20_000,
  /** The same in a rebuild, whose store only appends: few enough that the garbage collector meets them young. */
  buildBatchEventsMax: 4_000,
  /** Events in one batch of a throttled rebuild: short bursts between its pauses. */
  throttledBatchEventsMax: 2_000,
  /** Changed rows in one batch, checked between pages. */
  batchRowsMax: 20_000,
  /** UTF-16 units of event data in one batch, checked between pages. */
  batchDataLengthMax: 32_000_000,
  /** How long a batch is filled while catching up. */
  batchFillMs: 1_000,
  /** How often a checkpoint is moved on that no event of the projection moved. */
  idleCommitMs: 1_000,
  /** How long a lease is good for without renewal: how long nobody works after a kill -9. Losing one to a slow batch only costs work. */
  leaseTtlMs: 4_000,
  /** How often leases are renewed, stores looked after and waiting workers look again. */
  tickMs: 1_000,
  /** How often a held batch is sent again. */
  heldPollMs: 50,
  /** How long a halted partition waits before its event is tried again. */
  haltRetryMs: 30_000,
  /** Pauses between attempts after errors. */
  backoffMsMin: 100,
  backoffMsMax: 5_000,
} as const;

/** What one worker needs to do its share of one generation. */
export interface ShareWork {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly projection: Projection;
  readonly store: ProjectionStore;
  readonly generation: number;
  /** The id of its generation, by which the store's is known to be the same one. */
  readonly id: string;
  readonly worker: number;
  readonly workers: number;
  /** Who holds the lease: another name for each process, also after a restart. */
  readonly holder: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly observe?: Observe | undefined;
  /** The newest known state of the projection's control stream. */
  readonly control: () => ProjectionState;
  /** Calls back when the control state changed. Returns what ends that. */
  readonly onControlChange?: (listener: () => void) => () => void;
  readonly onFailure: FailurePolicy;
  /** `follow` goes on until stopped, whatever happens; `build` ends when it has caught up, and at any trouble. */
  readonly mode: 'follow' | 'build';
  readonly until?: Until | undefined;
  /** Whether a build waits for another holder's lease to run out: it may have been killed. */
  readonly waitsForLease?: boolean;
  /** The part of the time a build may work: above 0, at most 1. */
  readonly throttleShare?: number | undefined;
}

/** Why an event stops a share. */
export interface Halt {
  readonly reason: string;
  readonly event: Pick<StoredEvent, 'id' | 'stream' | 'revision' | 'type' | 'partition'>;
  readonly detail: string;
}

export type ShareEnd =
  | { readonly kind: 'stopped'; readonly checkpoint: Checkpoint }
  /** Only of a build: all there was, or all up to its end. */
  | { readonly kind: 'finished'; readonly checkpoint: Checkpoint }
  | { readonly kind: 'halted'; readonly halt: Halt }
  | { readonly kind: 'busy'; readonly holder: string; readonly until: number }
  | { readonly kind: 'lost'; readonly detail: string }
  /** The log does not hold what the generation was folded from: it went back, and may have grown again. */
  | { readonly kind: 'diverged'; readonly detail: string };
