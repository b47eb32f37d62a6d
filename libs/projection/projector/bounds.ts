import {
  advance,
  type Checkpoint,
  covers,
  decodeCheckpoint,
  partitionsOf,
  type StoredEvent,
} from '@annals/event-log';
import type { Until } from '../generations/events.ts';

/** `target`, but in no partition past `limit`, and never behind `reached`. A partition `limit` does not name stays where it is. */
export function bounded(reached: Checkpoint, target: Checkpoint, limit: Checkpoint): Checkpoint {
  let to = reached;
  for (const partition of partitionsOf(target)) {
    const wanted = target[partition] as string;
    const most = limit[partition];
    if (most !== undefined) to = advance(to, partition, wanted < most ? wanted : most);
  }
  return to;
}

/** The part of a delivery that a point-in-time generation takes. */
export interface Included {
  readonly events: readonly StoredEvent[];
  readonly to: Checkpoint;
}

/**
 * Where a point-in-time generation ends in each partition. By time it ends before the first event
 * recorded after it: a clock that went back must not let a later event of a stream in without an
 * earlier one. What is included depends on the log alone, so a resumed rebuild ends at the same event.
 */
export class End {
  readonly #time: number;
  readonly #checkpoint: Checkpoint | undefined;
  readonly #ended = new Set<number>();

  constructor(until: Until) {
    this.#time = 'time' in until ? until.time : Number.POSITIVE_INFINITY;
    this.#checkpoint = 'checkpoint' in until ? decodeCheckpoint(until.checkpoint) : undefined;
  }

  include(events: readonly StoredEvent[], reached: Checkpoint, to: Checkpoint): Included {
    const included = events.filter((event) => this.#includes(event));
    let end = reached;
    for (const { partition, position } of included) end = advance(end, partition, position);
    for (const partition of partitionsOf(to)) {
      if (this.#ended.has(partition)) continue;
      end = advance(end, partition, to[partition] as string);
    }
    if (this.#checkpoint) end = bounded(reached, end, this.#checkpoint);
    return { events: included, to: end };
  }

  #includes(event: StoredEvent): boolean {
    const { partition, position, recordedAt } = event;
    if (this.#checkpoint) return covers(this.#checkpoint, partition, position);
    if (recordedAt > this.#time) this.#ended.add(partition);
    return !this.#ended.has(partition);
  }

  /** Whether a share at `reached` can find nothing more to include; `head` names the partitions there are. */
  isReached(reached: Checkpoint, head: Checkpoint): boolean {
    if (!this.#checkpoint) return partitionsOf(head).every((one) => this.#ended.has(one));
    const checkpoint = this.#checkpoint;
    return partitionsOf(checkpoint).every((one) => covers(reached, one, checkpoint[one] as string));
  }
}
