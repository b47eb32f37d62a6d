import type { Checkpoint } from '@annals/event-log';

export type ShareState =
  | 'starting'
  /** Another process holds the lease. */
  | 'waiting'
  | 'catching-up'
  | 'live'
  /** A comparison holds the generation at a checkpoint, for a bounded time. */
  | 'held'
  /** An event cannot be read or applied; `detail` names it. Tried again from time to time. */
  | 'halted'
  /** The store is gone or is another one: to be repaired by a rebuild. */
  | 'lost'
  /** The store or the log answers with errors; tried again. */
  | 'failing'
  | 'stopped';

/** How one worker's share of one generation stands, as this process knows it. */
export interface ShareStatus {
  readonly projection: string;
  readonly generation: number;
  readonly worker: number;
  readonly state: ShareState;
  /** What the state is due to, as a sentence; undefined while all is well. */
  readonly detail: string | undefined;
  /** Whether this process had the lease when it last asked. Without it the figures below are not the share's. */
  readonly leased: boolean;
  readonly checkpoint: Checkpoint;
  /** Whether nothing was left to read when it last looked. */
  readonly caughtUp: boolean;
  /** Events applied by this process. */
  readonly events: number;
  readonly batches: number;
  readonly lastBatchEvents: number;
  readonly lastBatchRows: number;
  /** When the last event applied was recorded (milliseconds since 1970). */
  readonly lastRecordedAt: number | undefined;
  /** Dead letters in this share. */
  readonly parked: number;
  /** Errors met since the start. */
  readonly errors: number;
}

export type Observation =
  | { readonly kind: 'state'; readonly status: ShareStatus }
  /** A batch is in the store. */
  | { readonly kind: 'committed'; readonly status: ShareStatus }
  /** Something failed and is tried again, or an event was parked. */
  | { readonly kind: 'trouble'; readonly status: ShareStatus; readonly error: unknown };

export type Observe = (observation: Observation) => void;

export function initialStatus(projection: string, generation: number, worker: number): ShareStatus {
  return {
    projection,
    generation,
    worker,
    state: 'starting',
    detail: undefined,
    leased: false,
    checkpoint: {},
    caughtUp: false,
    events: 0,
    batches: 0,
    lastBatchEvents: 0,
    lastBatchRows: 0,
    lastRecordedAt: undefined,
    parked: 0,
    errors: 0,
  };
}

/** What changed, and the error that was met: it is tried again. */
export type ReportStatus = (change: Partial<ShareStatus>, error?: unknown) => void;

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
