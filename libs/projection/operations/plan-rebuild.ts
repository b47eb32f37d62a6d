import { type Checkpoint, EventDecodeError } from '@annals/event-log';
import { deadLetterTable } from '../dead-letters.ts';
import { Fold } from '../fold.ts';
import { readControl } from '../generations/control-stream.ts';
import { newestUnfinished, nextGeneration } from '../generations/decide.ts';
import type { Operation } from './operation.ts';

export interface RebuildPlan {
  readonly projection: string;
  readonly version: number;
  /** The generation a rebuild would fill. */
  readonly generation: number;
  /** Whether it goes on with an interrupted rebuild. */
  readonly resumes: boolean;
  readonly events: number;
  readonly eventsByType: ReadonlyMap<string, number>;
  /** Reading and folding a sample of the log, events per second; undefined when the log is empty or the clock stands still. */
  readonly sampledEventsPerSecond: number | undefined;
  /** At that rate; writing the rows comes on top. */
  readonly estimateMs: number | undefined;
}

const sampleEventsMax = 5_000;
const samplePageEvents = 1_000;

/** What a rebuild would do, without doing it: counts by type, and how long it may take. */
export async function planRebuild(
  operation: Pick<Operation, 'log' | 'projection' | 'cipher' | 'clock'>,
): Promise<RebuildPlan> {
  const { log, projection } = operation;
  const { name, version, categories } = projection;
  const { state } = await readControl(log, name);
  const eventsByType = await log.count({ categories });
  const events = [...eventsByType.values()].reduce((sum, count) => sum + count, 0);
  const unfinished = newestUnfinished(state);
  const resumed = unfinished?.version === version && !unfinished.until ? unfinished : undefined;
  const rate = await sampledRate(operation);
  return {
    projection: name,
    version,
    generation: resumed?.generation ?? nextGeneration(state),
    resumes: resumed !== undefined,
    events,
    eventsByType,
    sampledEventsPerSecond: rate,
    estimateMs: rate === undefined ? undefined : (events / rate) * 1_000,
  };
}

async function sampledRate({
  log,
  projection,
  cipher,
  clock,
}: Pick<Operation, 'log' | 'projection' | 'cipher' | 'clock'>): Promise<number | undefined> {
  const fold = new Fold({ projection, tables: [deadLetterTable] });
  fold.reset(() => Promise.resolve([]), true);
  const since = clock.now();
  let from: Checkpoint | 'start' = 'start';
  let events = 0;
  while (events < sampleEventsMax) {
    const filter = { categories: projection.categories };
    const page = await log.read(from, filter, { limit: samplePageEvents });
    // What cannot be read or applied is for the rebuild to say: the sample leaves it out.
    const decoded = await projection.decode(page.events, cipher).catch(unreadable);
    await fold.add(decoded, { skip: () => false, failed: () => true });
    events += page.events.length;
    if (page.end) break;
    from = page.checkpoint;
  }
  const elapsedMs = clock.now() - since;
  return events === 0 || elapsedMs <= 0 ? undefined : (events * 1_000) / elapsedMs;
}

function unreadable(error: unknown): readonly never[] {
  if (error instanceof EventDecodeError) return [];
  throw error;
}
