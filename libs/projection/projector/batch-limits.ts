import type { GenerationStore } from '../store.ts';
import { projectorLimits, type ShareWork } from './share-work.ts';

/** How much a share reads and writes in one piece. */
export interface BatchLimits {
  readonly pageEventsMax: number;
  readonly batchEventsMax: number;
  readonly batchRowsMax: number;
}

export function batchLimits(
  { mode, throttleShare }: Pick<ShareWork, 'mode' | 'throttleShare'>,
  store: Pick<GenerationStore, 'batchRowsMax' | 'buildBatchRowsMax'>,
): BatchLimits {
  const isBuilding = mode === 'build';
  const batchRowsMax = Math.min(
    projectorLimits.batchRowsMax,
    (isBuilding ? store.buildBatchRowsMax : undefined) ?? store.batchRowsMax ?? Infinity,
  );
  // Most events write a row or two: a page of them is to fit in a batch.
  const pageEventsMax = Math.min(
    isBuilding ? projectorLimits.buildPageEventsMax : projectorLimits.pageEventsMax,
    Math.ceil(batchRowsMax / 2),
  );
  return { pageEventsMax, batchEventsMax: batchEventsMax(isBuilding, throttleShare), batchRowsMax };
}

function batchEventsMax(isBuilding: boolean, throttleShare: number | undefined): number {
  if (throttleShare !== undefined) return projectorLimits.throttledBatchEventsMax;
  return isBuilding ? projectorLimits.buildBatchEventsMax : projectorLimits.batchEventsMax;
}
