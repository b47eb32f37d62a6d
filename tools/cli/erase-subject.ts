import { hostname } from 'node:os';
import { newId } from '@annals/core';
import { type Checkpoint, coversAll, EventTypes, eventType } from '@annals/event-log';
import {
  drop,
  type GenerationReport,
  type Operation,
  type Projection,
  type ProjectionStore,
  projectionStatus,
} from '@annals/projection';
import { type Embedded, projections, runEmbeddedProjector } from '@annals/projector';
import {
  type Erasure,
  eraseSubject,
  erasureEvent,
  erasureStream,
  subjectErased,
} from '@annals/subject-keys';
import type { CommandContext } from './context.ts';
import { operationOn } from './operations.ts';

/** One generation of one projection. */
export interface Place {
  readonly projection: Projection;
  readonly report: GenerationReport;
}

/** What became of a generation that may have held the subject's data. */
export interface Purge {
  readonly projection: string;
  readonly generation: number;
  /**
   * `purged`: it has passed the erasure, and no byte of older rows is left. `dropped`: it could not
   * pass it, and is gone. `lost`: its store was gone already. `behind`: it did not come to the
   * erasure in time. `blocked`: a reader held older bytes for too long. `live`: made by other code.
   */
  readonly result: 'purged' | 'dropped' | 'lost' | 'behind' | 'blocked' | 'live';
}

const erasures = new EventTypes([eventType(subjectErased)]);

/** Appends the erasure and destroys the key; in this order, see `eraseSubject`. */
export function recordErasure({ log, keys, cipher, clock }: Embedded, subject: string) {
  const appendErased = async (erased: string) => {
    const encoded = await erasures.encode([erasureEvent(erased, clock.now())], cipher);
    if (encoded.kind !== 'encoded') throw new TypeError('an erasure holds no personal data');
    return log.append(erasureStream(erased), encoded.events, { expected: 'any' });
  };
  return eraseSubject({ appendErased, keys }, subject);
}

export type RecordedErasure = Extract<
  Awaited<ReturnType<typeof recordErasure>>,
  Erasure<{ readonly kind: 'stored' }> & { readonly kind: 'erased' }
>;

/** Every generation of every projection that is not dropped. */
export async function allPlaces(embedded: Embedded): Promise<Place[]> {
  const { log, clock } = embedded;
  const places: Place[] = [];
  for (const projection of projections) {
    const store = embedded.storeFor(projection);
    const { generations } = await projectionStatus({ log, store, projection, clock });
    places.push(...generations.map((report) => ({ projection, report })));
  }
  return places;
}

/** Whether no projector brings this generation past a new event; at most a rebuild that goes on. */
export function standsStill({ report }: Place): boolean {
  return report.kind !== 'followed' && report.kind !== 'lost';
}

const pollMs = 100;
/** How long a running projector gets to show that it is there, before this process does its work. */
const graceMs = 2_000;

/**
 * Purges every place: those that follow the log when they have passed `goal`, within `waitMs`; the
 * others by dropping them. Where no projector runs, this process does its work meanwhile.
 */
export async function purgeAll(
  context: CommandContext,
  embedded: Embedded,
  places: readonly Place[],
  options: { readonly goal: Checkpoint; readonly waitMs: number },
): Promise<Purge[]> {
  const stop = new AbortController();
  const deadline = context.io.clock.now() + options.waitMs;
  const helping = helpAfterGrace(context, stop.signal);
  try {
    return await Promise.all(
      places.map(async (place): Promise<Purge> => {
        const { projection, report } = place;
        const result = await purge(context, embedded, place, { goal: options.goal, deadline });
        return { projection: projection.name, generation: report.generation, result };
      }),
    );
  } finally {
    stop.abort();
    await helping;
  }
}

async function purge(
  context: CommandContext,
  embedded: Embedded,
  place: Place,
  wanted: { readonly goal: Checkpoint; readonly deadline: number },
): Promise<Purge['result']> {
  const { projection, report } = place;
  const { generation, kind, isLive } = report;
  if (kind === 'lost') return 'lost';
  const store = embedded.storeFor(projection);
  const operation = operationOn(context, embedded, projection);
  const isRebuilt = kind === 'building' && (await isLeased(store, generation, operation));
  if (standsStill(place) && !isRebuilt) {
    if (isLive) return 'live';
    const outcome = await drop({ ...operation, generation });
    return outcome.kind === 'dropped' ? 'dropped' : 'live';
  }
  const reached = await reachedBy(context, store, generation, wanted);
  if (reached !== 'reached') return reached;
  const opened = await store.open(generation);
  if (opened === 'lost') return 'lost';
  try {
    return (await opened.purge?.()) ?? 'purged';
  } finally {
    await opened.close();
  }
}

/** How long a lease is taken to find out that nobody works on a generation. */
const probeTtlMs = 1_000;

/** Whether somebody works on an unfinished rebuild: it comes to the erasure by itself then. */
async function isLeased(
  store: ProjectionStore,
  generation: number,
  { holder, clock }: Pick<Operation, 'holder' | 'clock'>,
): Promise<boolean> {
  const opened = await store.open(generation);
  if (opened === 'lost') return false;
  try {
    for (let worker = 0; worker < opened.spec.workers; worker += 1) {
      const lease = await opened.acquire(worker, holder, clock.now(), probeTtlMs);
      if (lease.kind === 'busy') return true;
      await opened.release(worker, lease.epoch);
    }
    return false;
  } finally {
    await opened.close();
  }
}

async function reachedBy(
  { io }: CommandContext,
  store: ProjectionStore,
  generation: number,
  { goal, deadline }: { readonly goal: Checkpoint; readonly deadline: number },
): Promise<'reached' | 'behind' | 'lost'> {
  for (;;) {
    const opened = await store.open(generation);
    if (opened === 'lost') return 'lost';
    const checkpoint = await opened.checkpoint().finally(() => opened.close());
    if (coversAll(checkpoint, goal)) return 'reached';
    if (io.signal.aborted || io.clock.now() >= deadline) return 'behind';
    await io.clock.sleep(pollMs, io.signal);
  }
}

/** Follows the log in this process, too: leases see to it that a running projector is not disturbed. */
async function helpAfterGrace(context: CommandContext, stop: AbortSignal): Promise<void> {
  const { dataFolder, masterKey, io } = context;
  await io.clock.sleep(graceMs, stop);
  if (stop.aborted) return;
  const projector = await runEmbeddedProjector({
    dataFolder,
    masterKey,
    holder: `cli/${hostname()}/${process.pid}/${newId()}`,
    signal: stop,
    onTrouble: (projection, detail) => context.output.remark(`${projection}: ${detail}`),
  });
  await projector.done;
}
