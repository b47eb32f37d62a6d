import { type Checkpoint, encodeCheckpoint } from '@annals/event-log';
import { readControl } from '../generations/control-stream.ts';
import { newestUnfinished, nextGeneration, type Refused } from '../generations/decide.ts';
import type { ProjectionState } from '../generations/state.ts';
import type { Halt } from '../projector/share-work.ts';
import { generationSpec } from '../shares.ts';
import type { ProjectionStore } from '../store.ts';
import { leftToRead } from './left-to-read.ts';
import { runShares, withGeneration } from './operation.ts';
import { goesOnWith, type RebuildRequest, requestProblem } from './rebuild-request.ts';

export interface PlanOptions extends RebuildRequest {
  /** An empty store of the same kind, to throw away: a sample of the log is written there, for the rate. */
  readonly scratch: ProjectionStore;
}

export interface RebuildPlan {
  readonly kind: 'planned';
  readonly projection: string;
  readonly version: number;
  /** The generation a rebuild would fill. */
  readonly generation: number;
  readonly workers: number;
  /** Whether it goes on with an interrupted rebuild. */
  readonly resumes: boolean;
  /** Events it would apply: those up to its end, without those that an interrupted run has applied. */
  readonly events: number;
  readonly eventsByType: ReadonlyMap<string, number>;
  /**
   * Events a second that a sample of the log was read, folded and written with, pauses of a throttle
   * counted in; undefined when there are too few events to tell, or the sample could not be applied.
   */
  readonly eventsPerSecond: number | undefined;
  /** At that rate. */
  readonly estimateMs: number | undefined;
  /** Where the sample, and so the rebuild, stops. */
  readonly halt: Halt | undefined;
}

/** Below this a rate says more about opening files than about the log. */
const sampleEventsMin = 1_000;
const sampleEventsMax = 20_000;
const samplePageEvents = 2_000;

/** What a rebuild would do, without doing it: counts by type, and how long it may take. */
export async function planRebuild(options: PlanOptions): Promise<RebuildPlan | Refused> {
  const problem = await requestProblem(options);
  if (problem) return problem;
  const { log, projection, until, throttle } = options;
  const { state } = await readControl(log, projection.name);
  const begun = await begunRebuild(options, state);
  const workers = begun?.checkpoints.length ?? options.workers ?? 1;
  const checkpoints = begun?.checkpoints ?? Array.from({ length: workers }, () => ({}));
  const eventsByType = await leftToRead(options, { checkpoints, until });
  const events = [...eventsByType.values()].reduce((sum, count) => sum + count, 0);
  const sample = await measured(options, state, workers, events);
  const rate = sample.rate === undefined ? undefined : sample.rate * (throttle?.share ?? 1);
  return {
    kind: 'planned',
    projection: projection.name,
    version: projection.version,
    generation: begun?.generation ?? nextGeneration(state),
    workers,
    resumes: begun !== undefined,
    events,
    eventsByType,
    eventsPerSecond: rate,
    estimateMs: rate === undefined ? undefined : (events / rate) * 1_000,
    halt: sample.halt,
  };
}

/** The interrupted rebuild it would go on with; one whose store is gone is begun anew. */
async function begunRebuild(options: PlanOptions, state: ProjectionState) {
  const unfinished = newestUnfinished(state);
  if (!unfinished || !goesOnWith(unfinished, options)) return undefined;
  const checkpoints = await withGeneration(options, unfinished, async (opened) =>
    (await opened.shares()).map(({ checkpoint }) => checkpoint),
  );
  return checkpoints === 'lost' ? undefined : { ...unfinished, checkpoints };
}

interface Sample {
  readonly rate: number | undefined;
  readonly halt: Halt | undefined;
}

/** Rebuilds the beginning of the log into the scratch store, as a rebuild does. */
async function measured(
  options: PlanOptions,
  state: ProjectionState,
  workers: number,
  eventsLeft: number,
): Promise<Sample> {
  const { projection, scratch: store, clock } = options;
  if (eventsLeft < sampleEventsMin) return { rate: undefined, halt: undefined };
  const { end, events } = await sampleEnd(options, Math.min(eventsLeft, sampleEventsMax));
  const generation = { generation: 1, id: `sample of ${options.holder}`, workers };
  await store.create(generationSpec(projection, generation));
  try {
    const since = clock.now();
    const until = { checkpoint: encodeCheckpoint(end) };
    const ended = await runShares(
      { ...options, store },
      { generation, state, until, onFailure: 'halt' },
    );
    if (ended.kind !== 'finished') {
      return { rate: undefined, halt: ended.kind === 'halted' ? ended.halt : undefined };
    }
    await withGeneration({ store, projection }, generation, async (opened) =>
      opened.finishBuilding?.(),
    );
    const elapsedMs = clock.now() - since;
    return { rate: elapsedMs > 0 ? (events * 1_000) / elapsedMs : undefined, halt: undefined };
  } finally {
    await store.drop(generation.generation);
  }
}

/** Where the first `wanted` events of the projection end, or the log does. */
async function sampleEnd(
  { log, projection }: Pick<PlanOptions, 'log' | 'projection'>,
  wanted: number,
): Promise<{ readonly end: Checkpoint; readonly events: number }> {
  let end: Checkpoint = {};
  let events = 0;
  while (events < wanted) {
    const filter = { categories: projection.categories };
    const limit = Math.min(samplePageEvents, wanted - events);
    const page = await log.read(end, filter, { limit });
    events += page.events.length;
    end = page.checkpoint;
    if (page.end) break;
  }
  return { end, events };
}
