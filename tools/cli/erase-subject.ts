import { hostname } from 'node:os';
import { newId } from '@annals/core';
import { type Checkpoint, type EventLog, EventTypes, eventType } from '@annals/event-log';
import {
  type GenerationReport,
  type Projection,
  type PurgeOutcome,
  projectionStatus,
  purge,
} from '@annals/projection';
import { productOf, projectionsOf, runSiteProjector, type Site } from '@annals/projector';
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

/**
 * Appends the erasure to every log and destroys the key; in this order, see `eraseSubject`. `goals` is where
 * each log has it.
 */
export async function recordErasure({ logs, keys, cipher, clock }: Site, subject: string) {
  const goals = new Map<EventLog, Checkpoint>();
  const appendErased = async (erased: string) => {
    const encoded = await erasures.encode([erasureEvent(erased, clock.now())], cipher);
    if (encoded.kind !== 'encoded') throw new TypeError('an erasure holds no personal data');
    const results: Awaited<ReturnType<EventLog['append']>>[] = [];
    for (const { log } of logs) {
      const result = await log.append(erasureStream(erased), encoded.events, { expected: 'any' });
      if (result.kind !== 'stored') return result;
      goals.set(log, { [result.partition]: result.position });
      results.push(result);
    }
    // The first log is that of the whole site: its position is the one that is told.
    const [first] = results;
    if (!first) throw new RangeError('a site has a log');
    return first;
  };
  return { erasure: await eraseSubject({ appendErased, keys }, subject), goals };
}

export type RecordedErasure = Extract<
  Awaited<ReturnType<typeof recordErasure>>['erasure'],
  Erasure<{ readonly kind: 'stored' }> & { readonly kind: 'erased' }
>;

/** Every generation of every projection that is not dropped. */
export async function allPlaces(site: Site): Promise<Place[]> {
  const { clock } = site;
  const places: Place[] = [];
  for (const projection of projectionsOf(site.config)) {
    const log = site.logOf(productOf(projection));
    const store = site.storeFor(projection);
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
 * Purges every place: those that follow a log when they have passed its goal, within `waitMs`; the
 * others by dropping them. Where no projector runs, this process does its work meanwhile.
 */
export async function purgeAll(
  context: CommandContext,
  site: Site,
  places: readonly Place[],
  options: { readonly goals: ReadonlyMap<EventLog, Checkpoint>; readonly waitMs: number },
): Promise<Purge[]> {
  const stop = new AbortController();
  const deadline = context.io.clock.now() + options.waitMs;
  const helping = helpAfterGrace(context, site, stop.signal);
  try {
    return await Promise.all(
      places.map(async (place): Promise<Purge> => {
        const { projection, report } = place;
        const goal = options.goals.get(site.logOf(productOf(projection))) ?? {};
        const result = await purgePlace(context, site, place, { goal, deadline });
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
  site: Site,
  { projection, report }: Place,
  { goal, deadline }: { readonly goal: Checkpoint; readonly deadline: number },
): Promise<Purge['result']> {
  const { io } = context;
  for (;;) {
    const outcome = await purge({
      ...operationOn(context, site, projection),
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
async function helpAfterGrace(
  context: CommandContext,
  site: Site,
  stop: AbortSignal,
): Promise<void> {
  const { io } = context;
  await io.clock.sleep(graceMs, stop);
  if (stop.aborted) return;
  const projector = await runSiteProjector({
    site: site.config,
    holder: `cli/${hostname()}/${process.pid}/${newId()}`,
    signal: stop,
    onTrouble: (projection, detail) => context.output.remark(`${projection}: ${detail}`),
  });
  await projector.done;
}
