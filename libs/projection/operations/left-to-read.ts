import {
  type Checkpoint,
  covers,
  type EventLog,
  partitionsOf,
  type StoredEvent,
} from '@annals/event-log';
import type { Until } from '../generations/events.ts';
import { lowestCheckpoint } from '../lowest-checkpoint.ts';
import type { Projection } from '../projection.ts';
import { End } from '../projector/bounds.ts';
import { shareOf } from '../shares.ts';

/** What a rebuild has before it: where each of its workers stands, and where it ends. */
export interface Stretch {
  /** One for each worker; an empty one has read nothing. */
  readonly checkpoints: readonly Checkpoint[];
  readonly until: Until | undefined;
}

/**
 * How many events lie before a rebuild, by type. The whole log is counted by the log itself; a part of
 * it is read, page by page.
 */
export async function leftToRead(
  { log, projection }: { readonly log: EventLog; readonly projection: Projection },
  { checkpoints, until }: Stretch,
): Promise<ReadonlyMap<string, number>> {
  const filter = { categories: projection.categories };
  const isWhole = checkpoints.every((one) => partitionsOf(one).length === 0);
  if (isWhole && !until) return log.count(filter);
  const end = until && new End(until);
  const head = await log.head();
  const isLeft = notYetApplied(projection, checkpoints);
  const counts = new Map<string, number>();
  let reached = lowestCheckpoint(checkpoints, projection.split);
  while (!end?.isReached(reached, head)) {
    const page = await log.read(reached, filter);
    const events = end ? end.include(page.events, reached, page.checkpoint).events : page.events;
    for (const event of events) {
      if (isLeft(event)) counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
    }
    if (page.end) break;
    reached = page.checkpoint;
  }
  return counts;
}

/** Whether the worker to whose share an event belongs has yet to apply it. */
function notYetApplied(
  projection: Projection,
  checkpoints: readonly Checkpoint[],
): (event: StoredEvent) => boolean {
  const shares = checkpoints.map((checkpoint, worker) => {
    return { checkpoint, isMine: shareOf(projection, worker, checkpoints.length) };
  });
  return ({ stream, partition, position }) =>
    shares.some(({ checkpoint, isMine }) => {
      return isMine(stream, partition) && !covers(checkpoint, partition, position);
    });
}
