import type { Checkpoint } from '@annals/event-log';
import { encodeCheckpoint } from '@annals/event-log';
import type { GenerationHalt, Until, Verification } from './events.ts';
import { type Generation, liveGeneration, type ProjectionState, verdictOf } from './state.ts';

export type RefusalReason =
  | 'no-generation'
  | 'no-such-generation'
  | 'not-rebuilt'
  | 'frozen'
  | 'dropped'
  | 'already-live'
  | 'found-different'
  | 'live'
  | 'other-version'
  | 'nothing-before'
  | 'lost'
  | 'exists'
  | 'too-many-workers'
  | 'until-invalid'
  | 'no-such-letter'
  | 'not-live';

/** Nothing was changed; `detail` is a sentence for an operator. */
export interface Refused {
  readonly kind: 'refused';
  readonly reason: RefusalReason;
  readonly detail: string;
  /** The generation that was found different. */
  readonly generation?: number;
}

export function refused(reason: RefusalReason, detail: string): Refused {
  return { kind: 'refused', reason, detail };
}

/** A control event that is to be appended; times and most ids are added where it is appended. */
export type ControlEvent =
  | {
      readonly type: 'generation-created';
      /** Also in the store's marker; see `GenerationSpec`. */
      readonly id: string;
      readonly data: {
        readonly generation: number;
        readonly version: number;
        readonly workers: number;
        readonly until?: Until;
        readonly created_by: string;
      };
    }
  | {
      readonly type: 'generation-rebuilt';
      readonly data: { readonly generation: number; readonly checkpoint: string };
    }
  | { readonly type: 'generation-halted'; readonly data: GenerationHalt }
  | { readonly type: 'generation-verified'; readonly data: Verification }
  | {
      readonly type: 'generation-promoted';
      readonly data: { readonly generation: number; readonly previous?: number };
    }
  | {
      readonly type: 'generation-rolled-back';
      readonly data: { readonly generation: number; readonly previous: number };
    }
  | { readonly type: 'generation-dropped'; readonly data: { readonly generation: number } }
  | {
      readonly type: 'dead-letter-retry-requested';
      readonly data: { readonly generation: number; readonly stream: string };
    }
  | {
      readonly type: 'dead-letter-discarded';
      readonly data: {
        readonly generation: number;
        readonly stream: string;
        readonly revision: number;
        readonly event_id: string;
      };
    };

export type Decision =
  | { readonly kind: 'events'; readonly events: readonly ControlEvent[] }
  | Refused;

function events(...decided: readonly ControlEvent[]): Decision {
  return { kind: 'events', events: decided };
}

export interface NewGeneration {
  readonly generation: number;
  readonly id: string;
  readonly version: number;
  readonly workers: number;
  readonly until: Until | undefined;
  readonly createdBy: string;
}

function created(spec: NewGeneration): ControlEvent {
  const { generation, id, version, workers, until, createdBy } = spec;
  const data = { generation, version, workers, created_by: createdBy };
  return { type: 'generation-created', id, data: until ? { ...data, until } : data };
}

/** The number of the next generation: numbers are never used again. */
export function nextGeneration(state: ProjectionState): number {
  return Math.max(0, ...state.generations.keys()) + 1;
}

/** Whether there is no generation, and none was ever live: a projector that starts makes one by itself. */
export function hasNone({ generations, promotions }: ProjectionState): boolean {
  return promotions.length === 0 && [...generations.values()].every(({ dropped }) => dropped);
}

/** The first generation of a projection is live from the start: there is nothing it could lag behind. */
export function decideFirst(state: ProjectionState, spec: NewGeneration): Decision {
  if (!hasNone(state)) {
    return refused('exists', `${state.projection} has generations already`);
  }
  return events(
    created(spec),
    { type: 'generation-rebuilt', data: { generation: spec.generation, checkpoint: '' } },
    { type: 'generation-promoted', data: { generation: spec.generation } },
  );
}

export function decideCreate(state: ProjectionState, spec: NewGeneration): Decision {
  if (spec.generation < nextGeneration(state)) {
    return refused('exists', `${state.projection} has had a generation g${spec.generation}`);
  }
  return events(created(spec));
}

export function decideRebuilt(
  state: ProjectionState,
  generation: number,
  checkpoint: Checkpoint,
): Decision {
  const held = existing(state, generation);
  if ('kind' in held) return held;
  if (held.rebuilt) return { kind: 'events', events: [] };
  const data = { generation, checkpoint: encodeCheckpoint(checkpoint) };
  return events({ type: 'generation-rebuilt', data });
}

/** Told once, however often the rebuild is tried again and stops at the same event for the same reason. */
export function decideHalted(state: ProjectionState, halt: GenerationHalt): Decision {
  const held = existing(state, halt.generation);
  if ('kind' in held) return held;
  const { halted } = held;
  const isKnown = halted?.event_id === halt.event_id && halted.reason === halt.reason;
  if (held.rebuilt || isKnown) return { kind: 'events', events: [] };
  return events({ type: 'generation-halted', data: halt });
}

export function decideVerified(state: ProjectionState, result: Verification): Decision {
  const held = existing(state, result.generation);
  if ('kind' in held) return held;
  return events({ type: 'generation-verified', data: result });
}

/** What a generation must be to become live. */
export interface FlipTerms {
  /** The version of the projection this program has. */
  readonly version: number;
  /** Also makes a generation live whose last verification found differences. */
  readonly despiteDifferences?: boolean | undefined;
}

/** A generation that was never verified may become live; one that was found different only when told so. */
export function decidePromote(
  state: ProjectionState,
  generation: number,
  { version, despiteDifferences }: FlipTerms,
): Decision {
  const held = existing(state, generation);
  if ('kind' in held) return held;
  const live = liveGeneration(state);
  const name = `${state.projection} g${generation}`;
  if (live === generation) return refused('already-live', `${name} is live already`);
  if (!held.rebuilt) return refused('not-rebuilt', `the rebuild of ${name} is not finished`);
  if (held.until)
    return refused('frozen', `${name} is a point in time: it does not follow the log`);
  if (held.version !== version) return otherVersion(held, state.projection, version);
  if (!despiteDifferences && verdictOf(held) === 'found-different') return different(held, state);
  const data = live === undefined ? { generation } : { generation, previous: live };
  return events({ type: 'generation-promoted', data });
}

/** The same terms as for promote: going back must not make a wrong read model live unseen either. */
export function decideRollback(
  state: ProjectionState,
  { version, despiteDifferences }: FlipTerms,
): Decision {
  const live = liveGeneration(state);
  const generation = state.promotions.at(-2);
  if (live === undefined || generation === undefined) {
    return refused('nothing-before', `${state.projection} has no earlier generation to go back to`);
  }
  const held = existing(state, generation);
  if ('kind' in held) return held;
  if (held.version !== version) return otherVersion(held, state.projection, version);
  if (!despiteDifferences && verdictOf(held) === 'found-different') return different(held, state);
  return events({ type: 'generation-rolled-back', data: { generation, previous: live } });
}

export function decideDrop(state: ProjectionState, generation: number): Decision {
  const held = state.generations.get(generation);
  if (!held) return noSuch(state, generation);
  if (liveGeneration(state) === generation) {
    const detail = `${state.projection} g${generation} is live: promote another one or roll back first`;
    return refused('live', detail);
  }
  // Dropped already: what the store may still hold of it is removed again, and the log stays as it is.
  if (held.dropped) return { kind: 'events', events: [] };
  return events({ type: 'generation-dropped', data: { generation } });
}

export function decideRetry(
  state: ProjectionState,
  generation: number,
  streams: readonly string[],
): Decision {
  const held = existing(state, generation);
  if ('kind' in held) return held;
  return events(
    ...streams.map((stream): ControlEvent => {
      return { type: 'dead-letter-retry-requested', data: { generation, stream } };
    }),
  );
}

export function decideDiscard(
  state: ProjectionState,
  letter: { generation: number; stream: string; revision: number; event_id: string },
): Decision {
  const held = existing(state, letter.generation);
  if ('kind' in held) return held;
  if (state.discarded.has(letter.event_id)) return { kind: 'events', events: [] };
  return events({ type: 'dead-letter-discarded', data: letter });
}

/** The newest generation whose rebuild is finished and that is not live: what verify and promote mean unless told. */
export function newestRebuilt(state: ProjectionState): Generation | undefined {
  const live = liveGeneration(state);
  return [...state.generations.values()]
    .filter((one) => one.rebuilt && !one.dropped && one.generation !== live)
    .filter((one) => live === undefined || one.generation > live)
    .at(-1);
}

/** The newest generation whose rebuild was begun and not finished. */
export function newestUnfinished(state: ProjectionState): Generation | undefined {
  return [...state.generations.values()].filter((one) => !one.rebuilt && !one.dropped).at(-1);
}

export function existing(state: ProjectionState, generation: number): Generation | Refused {
  const held = state.generations.get(generation);
  if (!held) return noSuch(state, generation);
  if (held.dropped) return refused('dropped', `${state.projection} g${generation} was dropped`);
  return held;
}

function noSuch(state: ProjectionState, generation: number): Refused {
  const known = [...state.generations.values()].filter((one) => !one.dropped);
  const names = known.map((one) => `g${one.generation}`).join(', ') || 'none';
  const detail = `${state.projection} has no generation g${generation} (there is: ${names})`;
  return refused('no-such-generation', detail);
}

function different({ generation, verified }: Generation, { projection }: ProjectionState): Refused {
  const against = verified?.against;
  const detail =
    `the last verification of ${projection} g${generation} found differences` +
    // Of two generations either may be the wrong one; the log itself decides.
    (typeof against === 'number'
      ? ` from g${against}: compare it with the log itself`
      : ': rebuild');
  return { ...refused('found-different', detail), generation };
}

function otherVersion(held: Generation, projection: string, version: number): Refused {
  const detail =
    `${projection} g${held.generation} was made by version ${held.version} of the projection, ` +
    `this program has version ${version}: rebuild`;
  return refused('other-version', detail);
}
