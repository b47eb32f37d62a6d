import type { Checkpoint, Position } from './port.ts';

/** Whether a reader at `checkpoint` has seen the event at `position` of `partition`. */
export function covers(checkpoint: Checkpoint, partition: number, position: Position): boolean {
  const held = checkpoint[partition];
  return held !== undefined && held >= position;
}

/** Whether `checkpoint` has seen all that `other` has. */
export function coversAll(checkpoint: Checkpoint, other: Checkpoint): boolean {
  for (const partition in other) {
    const held = checkpoint[partition];
    if (held === undefined || held < (other[partition] as Position)) return false;
  }
  return true;
}

export function sameCheckpoint(a: Checkpoint, b: Checkpoint): boolean {
  return coversAll(a, b) && coversAll(b, a);
}

/** `checkpoint` moved on to `position` in `partition`; never back. */
export function advance(checkpoint: Checkpoint, partition: number, position: Position): Checkpoint {
  return covers(checkpoint, partition, position)
    ? checkpoint
    : { ...checkpoint, [partition]: position };
}

/** The partitions named in `checkpoint`, ascending. */
export function partitionsOf(checkpoint: Checkpoint): number[] {
  return Object.keys(checkpoint)
    .map(Number)
    .sort((a, b) => a - b);
}

/** One line of text for headers, files and databases: `0:0000000000000042,1:…`; empty at the beginning. */
export function encodeCheckpoint(checkpoint: Checkpoint): string {
  return partitionsOf(checkpoint)
    .map((partition) => `${partition}:${checkpoint[partition]}`)
    .join(',');
}

const checkpointPattern = /^(?:\d{1,5}:[0-9A-Za-z._]{1,64}(?:,\d{1,5}:[0-9A-Za-z._]{1,64})*)?$/;

/** What `encodeCheckpoint` wrote, or undefined when `text` is nothing of the kind. */
export function decodeCheckpoint(text: string): Checkpoint | undefined {
  if (!checkpointPattern.test(text)) return undefined;
  const checkpoint: { [partition: number]: Position } = {};
  for (const entry of text === '' ? [] : text.split(',')) {
    const [partition, position] = entry.split(':') as [string, string];
    checkpoint[Number(partition)] = position;
  }
  // Leading zeros, another order and partitions named twice are not what was written.
  return encodeCheckpoint(checkpoint) === text ? checkpoint : undefined;
}
