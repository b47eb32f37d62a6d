import { setTimeout as delay } from 'node:timers/promises';
import type { SubjectCipher } from '@annals/core';
import {
  type Checkpoint,
  coversAll,
  EventDecodeError,
  type EventLog,
  partitionsOf,
  sameCheckpoint,
} from '@annals/event-log';
import {
  type GenerationHalt,
  type GenerationReport,
  mismatchText,
  type Projection,
  type ProjectionReport,
  projectionStatus,
  verdictOf,
} from '@annals/projection';
import { openReadModels, projectionsOf, type ReadModels } from '@annals/projector';
import { type CommandContext, opened } from './context.ts';

/** Logs and read models, for looking only. */
export async function withReadModels<T>(
  context: CommandContext,
  work: (models: ReadModels) => Promise<T>,
): Promise<T> {
  const models = await opened(context, (opening) => openReadModels(context.site, opening));
  try {
    return await work(models);
  } finally {
    await models.close();
  }
}

/** A generation as it stands, and how it moves. */
export interface ObservedGeneration extends GenerationReport {
  /** Events applied per second while it was looked at. */
  readonly eventsPerSecond: number;
  /** What keeps it from being right or up to date, as a sentence. */
  readonly problem: string | undefined;
}

export interface ObservedProjection extends Omit<ProjectionReport, 'generations'> {
  readonly generations: readonly ObservedGeneration[];
}

/** A log that was written to within this time may be written to now. */
const recentMs = 10_000;

/** How long a read model is watched for its rate. */
const watchedMs = 500;

/** How every projection stands: read from log and stores, twice where something may be moving. */
export async function observeAll(
  { io, site }: CommandContext,
  { main, logOf, storeOf }: ReadModels,
): Promise<ObservedProjection[]> {
  const projections = projectionsOf(site);
  const reportAll = () =>
    Promise.all(
      projections.map((projection) => {
        const log = logOf(projection);
        return projectionStatus({ log, store: storeOf(projection), projection, clock: io.clock });
      }),
    );
  const before = await reportAll();
  const began = performance.now();
  if (await mayMove(main.log, before, io.clock.now())) {
    await delay(watchedMs, undefined, { signal: io.signal }).catch(() => undefined);
  }
  const after = await reportAll();
  const seconds = (performance.now() - began) / 1_000;
  return Promise.all(
    after.map(async (report, index) => {
      const projection = projections[index] as Projection;
      const generations = report.generations.map((one) => {
        const earlier = before[index]?.generations.find((it) => it.generation === one.generation);
        return observed(logOf(projection), projection, one, earlier, seconds);
      });
      return { ...report, generations: await Promise.all(generations) };
    }),
  );
}

/** Whether there is a rate to measure: something lags, or the log was written to just now. */
async function mayMove(
  log: EventLog,
  reports: readonly ProjectionReport[],
  now: number,
): Promise<boolean> {
  const lags = reports.some(({ generations }) => {
    return generations.some(({ behind }) => behind !== undefined && behind.events > 0);
  });
  if (lags) return true;
  const last = await log.read('end', {}, { direction: 'backward', limit: 1 });
  const recordedAt = last.events[0]?.recordedAt;
  return recordedAt !== undefined && now - recordedAt < recentMs;
}

async function observed(
  log: EventLog,
  projection: Projection,
  report: GenerationReport,
  earlier: GenerationReport | undefined,
  seconds: number,
): Promise<ObservedGeneration> {
  const from = earlier?.checkpoint;
  const to = report.checkpoint;
  const applied = from && to ? await eventsBetween(log, projection, from, to) : 0;
  const moved = !from || !to || !sameCheckpoint(from, to);
  const problem = await problemOf(log, projection, report, moved);
  return { ...report, eventsPerSecond: seconds > 0 ? applied / seconds : 0, problem };
}

async function eventsBetween(
  log: EventLog,
  { categories }: Projection,
  from: Checkpoint,
  to: Checkpoint,
): Promise<number> {
  let events = 0;
  for (let at = from; !coversAll(at, to); ) {
    const page = await log.read(at, { categories });
    events += page.events.filter(({ partition, position }) => {
      return (to[partition] ?? '') >= position;
    }).length;
    at = page.checkpoint;
    if (page.end) break;
  }
  return events;
}

async function problemOf(
  log: EventLog,
  projection: Projection,
  report: GenerationReport,
  moved: boolean,
): Promise<string | undefined> {
  const { name } = projection;
  if (report.kind === 'lost') {
    return report.isLive
      ? `its store is lost (${report.lost}): annals rebuild ${name}, then annals promote ${name}`
      : `its store is lost (${report.lost}): annals drop ${name} --generation g${report.generation}`;
  }
  if (report.kind === 'version-mismatch') {
    return mismatchText({
      projection: name,
      version: report.version,
      codeVersion: projection.version,
    });
  }
  if (report.diverged !== undefined) {
    return `${report.diverged} (was the log restored from an older backup?): annals rebuild ${name}`;
  }
  if (verdictOf(report) === 'found-different') {
    const again = `annals verify ${name} --generation g${report.generation}`;
    return `its last verification found differences: ${again}`;
  }
  if (report.halted) return haltedText(name, report.halted);
  if (report.kind !== 'followed' || moved || !report.checkpoint || !report.behind?.events) {
    return undefined;
  }
  const unreadable = await unreadableNext(log, projection, report.checkpoint);
  if (unreadable) return unreadable;
  const workers = workersOf(report);
  return workers && workers.length > 0
    ? `it does not move: the log of ${workers.join(' and ')} says what stops it`
    : 'it does not move: no projector runs';
}

const haltReasons: { readonly [reason in string]?: string } = {
  'missing-key':
    'the key of its subject is not in the key store: restore that from its backup, then',
  'unknown-type': 'this program knows no such type: use a newer one, then',
  'unknown-version': 'this program knows no such version: use a newer one, then',
};

function haltedText(name: string, { reason, stream, revision, type, event_id }: GenerationHalt) {
  const at = `${stream}@${revision} (${type}, ${event_id})`;
  const why = haltReasons[reason] ?? `${reason}: once the cause is removed,`;
  return `its rebuild stopped at ${at}: ${why} annals rebuild ${name}`;
}

/** The processes at work on a generation now, as HOST/PID; undefined where its store does not tell. */
export function workersOf({ workedOnBy }: GenerationReport): readonly string[] | undefined {
  const names = workedOnBy?.filter((holder) => holder !== undefined).map(processOf);
  return names && [...new Set(names)];
}

/** A holder is HOST/PID and an id that tells it from others before and after; a command is cli/HOST/PID. */
function processOf(holder: string): string {
  return holder.replace(/\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}.*$/, '');
}

const noKeys = new Error('no key is opened for looking');
const withoutKeys: SubjectCipher = { keyring: () => Promise.reject(noKeys) };

/** Why the next events cannot be read, where that can be told without a key. */
async function unreadableNext(
  log: EventLog,
  projection: Projection,
  from: Checkpoint,
): Promise<string | undefined> {
  const filter = { categories: projection.categories, partitions: partitionsOf(await log.head()) };
  const { events } = await log.read(from, filter, { limit: 100 });
  for (const event of events) {
    try {
      await projection.decode([event], withoutKeys);
    } catch (error) {
      if (error instanceof EventDecodeError) return `it is halted: ${error.message}`;
      if (error !== noKeys) throw error;
    }
  }
  return undefined;
}
