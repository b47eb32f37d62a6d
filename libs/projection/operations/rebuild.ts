import type { Checkpoint } from '@annals/event-log';
import { decideAndAppend, readControl } from '../generations/control-stream.ts';
import {
  decideCreate,
  decideDrop,
  decideHalted,
  decideRebuilt,
  newestUnfinished,
  nextGeneration,
  type Refused,
  refused,
} from '../generations/decide.ts';
import { finishBuilding, makeGeneration } from '../generations/make-generation.ts';
import type { Generation, ProjectionState } from '../generations/state.ts';
import type { FailurePolicy } from '../projection.ts';
import type { Observation } from '../projector/share-status.ts';
import type { Halt } from '../projector/share-work.ts';
import { type Operation, runShares, seenByDirectory, withGeneration } from './operation.ts';
import { goesOnWith, type RebuildRequest, requestProblem } from './rebuild-request.ts';

export interface RebuildOptions extends RebuildRequest {
  /** What a failing handler does; `halt` unless told: a rebuild is strict. */
  readonly onFailure?: FailurePolicy | undefined;
  readonly onProgress?: ((progress: RebuildProgress) => void) | undefined;
}

export interface RebuildProgress {
  readonly generation: number;
  /** Events applied by this run. */
  readonly events: number;
  /** Events of the projection in the log as it began; those of an earlier, interrupted run included. */
  readonly total: number;
  /** When the last event applied was recorded: milliseconds since 1970. */
  readonly lastRecordedAt: number | undefined;
}

export type RebuildOutcome =
  | {
      readonly kind: 'rebuilt';
      readonly generation: number;
      readonly checkpoint: Checkpoint;
      /** Events applied by this run. */
      readonly events: number;
      /** Whether an interrupted rebuild was gone on with. */
      readonly resumed: boolean;
    }
  /** Stopped by the signal; the same call goes on from here. */
  | {
      readonly kind: 'interrupted';
      readonly generation: number;
      readonly checkpoint: Checkpoint;
      readonly events: number;
    }
  /** An event cannot be read or applied. After the cause is removed the same call goes on. */
  | { readonly kind: 'halted'; readonly generation: number; readonly halt: Halt }
  /** Another process rebuilds it. */
  | {
      readonly kind: 'busy';
      readonly generation: number;
      readonly holder: string;
      readonly until: number;
    }
  /** The new generation's store vanished under the rebuild. */
  | { readonly kind: 'lost'; readonly generation: number; readonly detail: string }
  | Refused;

const attemptsMax = 10;

/**
 * Fills the next generation from the log beside the live one, or goes on with the newest unfinished
 * one of the same version and end. Resolves when it has caught up; a running projector follows it from
 * then on. Rejects when log or store cannot be reached.
 */
export async function rebuild(options: RebuildOptions): Promise<RebuildOutcome> {
  const problem = await requestProblem(options);
  if (problem) return problem;
  const target = await unfinishedOrNew(options);
  if (target.kind === 'refused') return target;
  const { state, resumed } = target;
  const { generation } = target.generation;
  const progress = await progressOf(options, generation);
  const end = await runShares(options, {
    generation: target.generation,
    state,
    until: options.until,
    onFailure: options.onFailure ?? 'halt',
    throttleShare: options.throttle?.share,
    waitsForLease: true,
    observe: progress.observe,
  });
  switch (end.kind) {
    case 'finished': {
      const finished = await finish(options, target.generation);
      if (finished === 'lost') return lost(generation);
      if ('reason' in finished) return finished;
      const { checkpoint } = finished;
      return { kind: 'rebuilt', generation, checkpoint, events: progress.events(), resumed };
    }
    case 'stopped': {
      const checkpoint = await checkpointOf(options, target.generation);
      return { kind: 'interrupted', generation, checkpoint, events: progress.events() };
    }
    case 'halted':
      await recordHalt(options, generation, end.halt);
      return { ...end, generation };
    case 'lost':
      return lost(generation, end.detail);
    case 'diverged':
      // What an earlier run has filled is of no use: a new generation starts from nothing.
      await discard(options, generation);
      return rebuild(options);
    default:
      return { ...end, generation };
  }
}

/** So that status tells of it when the terminal that showed it is closed. */
async function recordHalt(
  options: RebuildOptions,
  generation: number,
  { reason, event }: Halt,
): Promise<void> {
  const { id, stream, revision, type } = event;
  const halt = { generation, reason, stream, revision, event_id: id, type };
  await decideAndAppend(options, options.projection.name, (state) => decideHalted(state, halt));
}

function lost(generation: number, detail = 'the store was removed'): RebuildOutcome {
  return { kind: 'lost', generation, detail };
}

async function checkpointOf(operation: Operation, generation: Generation): Promise<Checkpoint> {
  const checkpoint = await withGeneration(operation, generation, (opened) => opened.checkpoint());
  return checkpoint === 'lost' ? {} : checkpoint;
}

type Target =
  | {
      readonly kind: 'target';
      readonly generation: Generation;
      readonly state: ProjectionState;
      readonly resumed: boolean;
    }
  | Refused;

async function unfinishedOrNew(options: RebuildOptions): Promise<Target> {
  const { log, projection } = options;
  let refusal: Refused | undefined;
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const { state } = await readControl(log, projection.name);
    const unfinished = newestUnfinished(state);
    if (unfinished && goesOnWith(unfinished, options)) {
      const opened = await withGeneration(options, unfinished, async () => 'there');
      if (opened !== 'lost')
        return { kind: 'target', generation: unfinished, state, resumed: true };
      // Its rows are gone, and a number is never used again.
      await discard(options, unfinished.generation);
      continue;
    }
    const created = await create(options, state);
    if (created.kind === 'target') return created;
    // Somebody else was faster: look again, there may be a rebuild to go on with.
    refusal = created;
  }
  return refusal ?? refused('exists', `${projection.name}: generations come and go too fast`);
}

async function discard(options: RebuildOptions, generation: number): Promise<void> {
  await options.store.drop(generation);
  await decideAndAppend(options, options.projection.name, (now) => decideDrop(now, generation));
}

async function create(options: RebuildOptions, state: ProjectionState): Promise<Target> {
  const { projection, workers = 1, until, holder } = options;
  const { generation, id } = await makeGeneration(options, nextGeneration(state), workers);
  const { version, name } = projection;
  const spec = { generation, id, version, workers, until, createdBy: holder };
  const decided = await decideAndAppend(options, name, (now) => decideCreate(now, spec));
  if (decided.kind === 'refused') return decided;
  const made = decided.state.generations.get(generation);
  if (!made) throw new Error(`${name} g${generation} was created and is not there`);
  return { kind: 'target', generation: made, state: decided.state, resumed: false };
}

async function finish(
  options: RebuildOptions,
  made: Generation,
): Promise<{ readonly checkpoint: Checkpoint } | Refused | 'lost'> {
  const { generation } = made;
  if ((await finishBuilding(options.store, generation)) === 'lost') return 'lost';
  const checkpoint = await checkpointOf(options, made);
  const decided = await decideAndAppend(options, options.projection.name, (state) =>
    decideRebuilt(state, generation, checkpoint),
  );
  if (decided.kind === 'refused') return decided;
  await seenByDirectory(options, decided.state);
  return { checkpoint };
}

async function progressOf(
  { log, projection, until, onProgress }: RebuildOptions,
  generation: number,
) {
  let events = 0;
  const filter = { categories: projection.categories };
  const counts = onProgress ? await log.count(filter) : new Map<string, number>();
  const applied = [...counts].filter(([type]) => until || !(type in (projection.passOver ?? {})));
  const total = applied.reduce((sum, [, count]) => sum + count, 0);
  const observe = ({ kind, status }: Observation) => {
    if (kind !== 'committed') return;
    events += status.lastBatchEvents;
    onProgress?.({ generation, events, total, lastRecordedAt: status.lastRecordedAt });
  };
  return { observe, events: () => events };
}
