import { type Checkpoint, decodeCheckpoint, type RecordedEvent } from '@annals/event-log';
import type { ControlEventType, GenerationHalt, Until, Verification } from './events.ts';

/** One generation, as the log tells it. */
export interface Generation {
  readonly generation: number;
  /** The id of the event that told of it; see `GenerationSpec`. */
  readonly id: string;
  readonly version: number;
  readonly workers: number;
  /** A point-in-time generation ends there, and stays as it is. */
  readonly until: Until | undefined;
  readonly createdBy: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Where its rebuild had caught up with the log; from then on the projector follows it. */
  readonly rebuilt: { readonly checkpoint: Checkpoint; readonly at: number } | undefined;
  /** Where its rebuild last stopped; undefined once it is finished. */
  readonly halted: (GenerationHalt & { readonly at: number }) | undefined;
  readonly verified: (Verification & { readonly at: number }) | undefined;
  readonly dropped: boolean;
}

/** What a projection's control stream says: the fold of all its events. */
export interface ProjectionState {
  readonly projection: string;
  /** The revision of the last event folded; -1 when there is none. */
  readonly revision: number;
  readonly generations: ReadonlyMap<number, Generation>;
  /** The generations that were made live and not rolled back, oldest first; the last one is live. */
  readonly promotions: readonly number[];
  /** The revision of the last request to retry, by `retryKey`. */
  readonly retries: ReadonlyMap<string, number>;
  /** Ids of events that were discarded. */
  readonly discarded: ReadonlySet<string>;
}

export function retryKey(generation: number, stream: string): string {
  return `${generation}/${stream}`;
}

export function emptyState(projection: string): ProjectionState {
  return {
    projection,
    revision: -1,
    generations: new Map(),
    promotions: [],
    retries: new Map(),
    discarded: new Set(),
  };
}

export function liveGeneration(state: ProjectionState): number | undefined {
  return state.promotions.at(-1);
}

/** Whether the running projector follows a generation: it is whole, and not a point in time. */
export function isFollowed(generation: Generation): boolean {
  return !generation.dropped && generation.rebuilt !== undefined && generation.until === undefined;
}

/** What the last verification of a generation says of it. */
export type Verdict =
  | 'never-verified'
  /** It was compared with nothing; what its store derives from rows is right. */
  | 'consistent-in-itself'
  | 'found-same'
  | 'found-different';

export function verdictOf({ verified }: Pick<Generation, 'verified'>): Verdict {
  if (!verified) return 'never-verified';
  if (!verified.same || verified.problems > 0) return 'found-different';
  return verified.against === undefined ? 'consistent-in-itself' : 'found-same';
}

export function evolve(
  state: ProjectionState,
  event: RecordedEvent<ControlEventType>,
): ProjectionState {
  return { ...evolveData(state, event), revision: event.revision };
}

function evolveData(
  state: ProjectionState,
  event: RecordedEvent<ControlEventType>,
): ProjectionState {
  switch (event.type) {
    case 'generation-created': {
      const { generation, version, workers, until, created_by: createdBy } = event.data;
      const created: Generation = {
        generation,
        id: event.id,
        version,
        workers,
        until,
        createdBy,
        createdAt: event.recordedAt,
        rebuilt: undefined,
        halted: undefined,
        verified: undefined,
        dropped: false,
      };
      return { ...state, generations: new Map(state.generations).set(generation, created) };
    }
    case 'generation-rebuilt': {
      const checkpoint = decodeCheckpoint(event.data.checkpoint) ?? {};
      return changed(state, event.data.generation, {
        rebuilt: { checkpoint, at: event.recordedAt },
        halted: undefined,
      });
    }
    case 'generation-halted':
      return changed(state, event.data.generation, {
        halted: { ...event.data, at: event.recordedAt },
      });
    case 'generation-verified':
      return changed(state, event.data.generation, {
        verified: { ...event.data, at: event.recordedAt },
      });
    case 'generation-promoted':
      return { ...state, promotions: [...state.promotions, event.data.generation] };
    case 'generation-rolled-back':
      return { ...state, promotions: rolledBackTo(state.promotions, event.data.generation) };
    case 'generation-dropped': {
      const promotions = state.promotions.filter((one) => one !== event.data.generation);
      return { ...changed(state, event.data.generation, { dropped: true }), promotions };
    }
    case 'dead-letter-retry-requested': {
      const key = retryKey(event.data.generation, event.data.stream);
      return { ...state, retries: new Map(state.retries).set(key, event.revision) };
    }
    case 'dead-letter-discarded':
      return { ...state, discarded: new Set(state.discarded).add(event.data.event_id) };
  }
}

function rolledBackTo(promotions: readonly number[], generation: number): readonly number[] {
  const place = promotions.lastIndexOf(generation, -2);
  return place < 0 ? [generation] : promotions.slice(0, place + 1);
}

function changed(
  state: ProjectionState,
  generation: number,
  change: Partial<Generation>,
): ProjectionState {
  const before = state.generations.get(generation);
  if (!before) throw new Error(`${state.projection}: g${generation} was never created`);
  const generations = new Map(state.generations).set(generation, { ...before, ...change });
  return { ...state, generations };
}
