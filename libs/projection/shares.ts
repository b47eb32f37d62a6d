import { deadLetterTable } from './dead-letters.ts';
import { textHash } from './key-filter.ts';
import type { Projection } from './projection.ts';
import type { GenerationSpec } from './store.ts';

/** Which events belong to one worker's share of the work. */
export type InShare = (stream: string, partition: number) => boolean;

/**
 * Deals out the events of a projection. By stream: FNV-1a of its name (or its `shareKey`) modulo the number of workers;
 * by partition: its number modulo the number of workers. Fixed for a generation: it decides who
 * writes a row.
 */
export function shareOf(projection: Projection, worker: number, workers: number): InShare {
  if (workers === 1) return () => true;
  if (projection.split === 'partition') return (_, partition) => partition % workers === worker;
  const keyOf = projection.shareKey ?? ((stream) => stream);
  return (stream) => textHash(keyOf(stream)) % workers === worker;
}

export function generationSpec(
  projection: Projection,
  { generation, id, workers }: Pick<GenerationSpec, 'generation' | 'id' | 'workers'>,
): GenerationSpec {
  return {
    id,
    projection: projection.name,
    version: projection.version,
    generation,
    tables: [...projection.tables, deadLetterTable],
    workers,
    split: projection.split,
  };
}

/** More than any log here has: the partitions of a share are told to the log as a list. */
export const partitionsMax = 256;

/** The partitions one share reads; undefined for all. */
export function partitionsOfShare(
  projection: Projection,
  worker: number,
  workers: number,
): readonly number[] | undefined {
  if (workers === 1 || projection.split === 'stream') return undefined;
  const all = Array.from({ length: partitionsMax }, (_, partition) => partition);
  return all.filter((partition) => partition % workers === worker);
}
