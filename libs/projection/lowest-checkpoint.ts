import { type Checkpoint, type Position, partitionsOf } from '@annals/event-log';
import type { Split } from './projection.ts';

/**
 * What all workers of a generation have reached, as `GenerationStore.checkpoint` defines it. Split by
 * stream, a partition that one worker has not begun has been reached by nobody.
 */
export function lowestCheckpoint(workers: readonly Checkpoint[], split: Split): Checkpoint {
  const lowest: { [partition: number]: Position } = {};
  const partitions = new Set(workers.flatMap(partitionsOf));
  for (const partition of [...partitions].sort((a, b) => a - b)) {
    const positions = workers.map((checkpoint) => checkpoint[partition]);
    const known = positions.filter((position) => position !== undefined);
    if (split === 'stream' && known.length < positions.length) continue;
    lowest[partition] = known.reduce((low, position) => (position < low ? position : low));
  }
  return lowest;
}
