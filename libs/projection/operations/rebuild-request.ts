import { coversAll, decodeCheckpoint, encodeCheckpoint, partitionsOf } from '@annals/event-log';
import { type Refused, refused } from '../generations/decide.ts';
import type { Until } from '../generations/events.ts';
import type { Generation } from '../generations/state.ts';
import type { Operation } from './operation.ts';

/** What a rebuild is asked to do; also what its plan is told. */
export interface RebuildRequest extends Operation {
  /** Shares the work is split in; 1 unless told. An unfinished rebuild goes on with its own number. */
  readonly workers?: number | undefined;
  /** Ends the generation there: a point in time, which is never live and never followed. */
  readonly until?: Until | undefined;
  /** `share`: the part of the time the rebuild may work, above 0, at most 1. */
  readonly throttle?: { readonly share: number } | undefined;
}

/** What of a request makes no sense, before anything is written. */
export async function requestProblem(options: RebuildRequest): Promise<Refused | undefined> {
  const { log, projection, workers = 1, until, clock } = options;
  const head = await log.head();
  const partitions = Math.max(1, partitionsOf(head).length);
  if (!Number.isSafeInteger(workers) || workers < 1) {
    return refused('too-many-workers', `${workers} is not a number of workers`);
  }
  if (projection.split === 'partition' && workers > partitions) {
    const detail =
      `${projection.name} is split by partition, and the log has ${partitions}: ` +
      `at most ${partitions} workers`;
    return refused('too-many-workers', detail);
  }
  if (!until) return undefined;
  if ('time' in until) {
    if (until.time <= clock.now()) return undefined;
    return refused('until-invalid', 'the time to end at is in the future');
  }
  const checkpoint = decodeCheckpoint(until.checkpoint);
  if (!checkpoint) return refused('until-invalid', `${until.checkpoint} is not a position`);
  if (coversAll(head, checkpoint)) return undefined;
  return refused(
    'until-invalid',
    `the log ends at ${encodeCheckpoint(head)}, before that position`,
  );
}

/** Whether this request goes on with a rebuild that was begun and not finished. */
export function goesOnWith(
  unfinished: Generation,
  { projection, until }: Pick<RebuildRequest, 'projection' | 'until'>,
): boolean {
  return (
    unfinished.version === projection.version &&
    JSON.stringify(unfinished.until ?? null) === JSON.stringify(until ?? null)
  );
}
