import { type Checkpoint, covers, type EventLog, limits } from '@annals/event-log';
import { deadLetterTable } from '../dead-letters.ts';
import { readControl } from '../generations/control-stream.ts';
import type { Verification } from '../generations/events.ts';
import { openGeneration } from '../generations/make-generation.ts';
import { type Generation, liveGeneration } from '../generations/state.ts';
import type { Projection } from '../projection.ts';
import { projectorLimits } from '../projector/share-work.ts';
import { type GenerationStore, StoreLostError } from '../store.ts';
import { divergenceOf, type Operation, withGeneration } from './operation.ts';

/** How far a generation is behind the log. */
export interface Behind {
  readonly events: number;
  /** True when there may be more: counting stops at the events of one page. */
  readonly orMore: boolean;
  /** Milliseconds since the first event it has not applied was recorded; 0 when there is none. */
  readonly ms: number;
}

export interface GenerationReport {
  readonly generation: number;
  readonly version: number;
  readonly workers: number;
  readonly isLive: boolean;
  /**
   * `followed`: a projector keeps it up to date, while one runs: see `workedOnBy`. `building`: its rebuild is not finished.
   * `frozen`: a point in time. `version-mismatch`: made by other code. `lost`: the store is gone, or
   * was made from another log.
   */
  readonly kind: 'followed' | 'building' | 'frozen' | 'version-mismatch' | 'lost';
  /** Why it is lost, as a sentence. */
  readonly lost: string | undefined;
  readonly until: Generation['until'];
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly rebuiltAt: number | undefined;
  /** Where its rebuild stopped and stands; undefined while it has not, and when it has gone on since. */
  readonly halted: Generation['halted'];
  readonly verified: (Verification & { readonly at: number }) | undefined;
  /** Why the log is not the one that it was folded from, as the end of a sentence. */
  readonly diverged: string | undefined;
  readonly checkpoint: Checkpoint | undefined;
  readonly behind: Behind | undefined;
  /** Undefined while it is being built. */
  readonly parked: number | undefined;
  /** Who holds the lease of each share now, by worker; undefined where nobody does, or the store does not tell. */
  readonly workedOnBy: readonly (string | undefined)[] | undefined;
}

export interface ProjectionReport {
  readonly projection: string;
  readonly codeVersion: number;
  readonly live: number | undefined;
  /** All that are not dropped, oldest first. */
  readonly generations: readonly GenerationReport[];
}

export type StatusOptions = Pick<Operation, 'log' | 'store' | 'projection' | 'clock'>;

/** How all generations of one projection stand, read from the log and the store. */
export async function projectionStatus(options: StatusOptions): Promise<ProjectionReport> {
  const { log, projection } = options;
  const { state } = await readControl(log, projection.name);
  const live = liveGeneration(state);
  const generations: GenerationReport[] = [];
  for (const one of state.generations.values()) {
    if (one.dropped) continue;
    const report = await generationReport(options, one, one.generation === live);
    const workedOnBy = await workersOf(options, one);
    generations.push({ ...report, workedOnBy, halted: await haltOf(options, one, report) });
  }
  const known = { projection: projection.name, codeVersion: projection.version };
  if (!generations.some(({ kind }) => kind === 'lost')) return { ...known, live, generations };
  // What was dropped since the log was read is not lost.
  const { generations: now } = (await readControl(log, projection.name)).state;
  const there = generations.filter(({ generation }) => !now.get(generation)?.dropped);
  return { ...known, live, generations: there };
}

async function generationReport(
  options: StatusOptions,
  one: Generation,
  isLive: boolean,
): Promise<Omit<GenerationReport, 'workedOnBy' | 'halted'>> {
  const { generation, version, workers, until, createdAt, rebuilt, verified } = one;
  const known = { generation, version, workers, isLive, until, createdAt, verified };
  const rebuiltAt = rebuilt?.at;
  const { log, projection, clock } = options;
  const held = await storeReport(options, one);
  if (held.kind === 'lost') {
    const nothing = { checkpoint: undefined, behind: undefined, parked: undefined };
    const { detail: lost } = held;
    return { ...known, rebuiltAt, kind: 'lost', lost, diverged: undefined, ...nothing };
  }
  const behind = until ? undefined : await behindOf(log, projection, held.checkpoint, clock.now());
  const { checkpoint, parked, diverged } = held;
  const kind = kindOf(one, projection);
  return { ...known, rebuiltAt, kind, lost: undefined, diverged, checkpoint, parked, behind };
}

/** Where the rebuild stopped, unless a later run has passed that event. */
async function haltOf(
  { log }: StatusOptions,
  { halted }: Generation,
  { checkpoint }: Pick<GenerationReport, 'checkpoint'>,
): Promise<Generation['halted']> {
  if (!halted || !checkpoint) return undefined;
  const page = await log.readStream(halted.stream, { from: halted.revision, limit: 1 });
  const event = page.events[0];
  const isPassed = event && covers(checkpoint, event.partition, event.position);
  return isPassed ? undefined : halted;
}

async function workersOf(
  options: StatusOptions,
  one: Generation,
): Promise<GenerationReport['workedOnBy']> {
  const leases = await withGeneration(options, one, async (opened) => opened.leases?.());
  if (leases === undefined || leases === 'lost') return undefined;
  const now = options.clock.now();
  return leases.map((lease) => {
    // One that outlasts a lease was given before a clock was set back.
    const isGood = lease && lease.until > now && lease.until <= now + projectorLimits.leaseTtlMs;
    return isGood ? lease.holder : undefined;
  });
}

function kindOf(one: Generation, projection: Projection): GenerationReport['kind'] {
  if (one.version !== projection.version) return 'version-mismatch';
  if (one.until) return 'frozen';
  return one.rebuilt ? 'followed' : 'building';
}

async function storeReport(options: StatusOptions, one: Generation) {
  const found = await openGeneration(options.store, options.projection.name, one);
  if (found.kind === 'lost') return found;
  const { opened } = found;
  try {
    const diverged = await divergenceOf(options, opened);
    const held = one.rebuilt ? await snapshotReport(opened) : await buildingReport(opened);
    return { kind: 'there', diverged, ...held } as const;
  } catch (error) {
    if (error instanceof StoreLostError) return { kind: 'lost', detail: error.message } as const;
    throw error;
  } finally {
    await opened.close();
  }
}

async function snapshotReport(opened: GenerationStore) {
  const snapshot = await opened.snapshot();
  try {
    return { checkpoint: snapshot.checkpoint, parked: await snapshot.count(deadLetterTable.name) };
  } finally {
    await snapshot.close();
  }
}

/** A snapshot would make the store sort in what it has put aside: whoever looks must not slow a rebuild down. */
async function buildingReport(opened: GenerationStore) {
  return { checkpoint: await opened.checkpoint(), parked: undefined };
}

async function behindOf(
  log: EventLog,
  { categories }: Projection,
  checkpoint: Checkpoint,
  now: number,
): Promise<Behind> {
  const limit = limits.pageEventsDefault;
  const { events } = await log.read(checkpoint, { categories }, { limit });
  const first = events[0]?.recordedAt;
  const ms = first === undefined ? 0 : Math.max(0, now - first);
  return { events: events.length, orMore: events.length >= limit, ms };
}
