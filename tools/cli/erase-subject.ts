import { hostname } from 'node:os';
import { newId } from '@annals/core';
import { type Checkpoint, EventTypes, eventType } from '@annals/event-log';
import {
  type GenerationReport,
  type Projection,
  type PurgeOutcome,
  projectionStatus,
  purge,
} from '@annals/projection';
import { projections, runEmbeddedProjector, type Site } from '@annals/projector';
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
  readonly result: PurgeOutcome['kind'];
}

const erasures = new EventTypes([eventType(subjectErased)]);

/** Appends the erasure and destroys the key; in this order, see `eraseSubject`. */
export function recordErasure({ log, keys, cipher, clock }: Site, subject: string) {
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
export async function allPlaces(embedded: Site): Promise<Place[]> {
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
  embedded: Site,
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
        const result = await purgePlace(context, embedded, place, { goal: options.goal, deadline });
        return { projection: projection.name, generation: report.generation, result };
      }),
    );
  } finally {
    stop.abort();
    await helping;
  }
}

/** Purges one place, again and again until it has passed the erasure or the time is over. */
async function purgePlace(
  context: CommandContext,
  embedded: Site,
  { projection, report }: Place,
  { goal, deadline }: { readonly goal: Checkpoint; readonly deadline: number },
): Promise<Purge['result']> {
  const { io } = context;
  for (;;) {
    const outcome = await purge({
      ...operationOn(context, embedded, projection),
      generation: report.generation,
      erased: goal,
      isAbandoned: (isWorkedOn) => !isWorkedOn,
    });
    if (outcome.kind !== 'behind') return outcome.kind;
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
