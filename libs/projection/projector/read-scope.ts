import {
  advance,
  type Checkpoint,
  covers,
  type Delivery,
  type EventMark,
  partitionsOf,
  type StoredEvent,
} from '@annals/event-log';
import { partitionsOfShare } from '../shares.ts';
import { End, type Included } from './bounds.ts';
import type { ShareMemory } from './share-memory.ts';
import type { ShareWork } from './share-work.ts';

/** What of the log a session reads: its partitions, each as far as a point-in-time generation goes. */
export class ReadScope {
  readonly #work: Pick<ShareWork, 'log' | 'projection' | 'worker' | 'workers' | 'mode' | 'until'>;
  readonly #end: End | undefined;
  #head: Checkpoint = {};
  /** The partitions it reads; undefined for all. */
  #partitions: readonly number[] | undefined;

  constructor(
    work: Pick<ShareWork, 'log' | 'projection' | 'worker' | 'workers' | 'mode' | 'until'>,
  ) {
    this.#work = work;
    this.#end = work.until && new End(work.until);
  }

  /** Those of the share, without the halted ones. */
  async choosePartitions(halted: ShareMemory['halted']): Promise<void> {
    const { projection, worker, workers, log } = this.#work;
    this.#partitions = partitionsOfShare(projection, worker, workers);
    if (!this.#end && halted.size === 0) return;
    this.#head = await log.head();
    if (halted.size === 0) return;
    const read = this.#partitions ?? partitionsOf(this.#head);
    this.#partitions = read.filter((one) => !halted.has(one));
  }

  /** Undefined when there is nothing to read. */
  subscribe(
    from: Checkpoint,
    options: { readonly signal: AbortSignal; readonly limit: number },
  ): AsyncIterable<Delivery> | undefined {
    const { log, projection, mode, until } = this.#work;
    const partitions = this.#partitions;
    if (partitions?.length === 0) return undefined;
    if (this.isEndReached(from)) return undefined;
    const filter = { categories: projection.categories, ...(partitions ? { partitions } : {}) };
    // Who follows is told of every event, for readers wait for positions; a build that ends by time must see each one.
    const passes = mode === 'build' && !until && projection.passOver !== undefined;
    const passOver = passes ? { passOver: projection.passOver } : {};
    return log.subscribe(from, filter, { ...options, ...passOver });
  }

  /** Whether the end of a point-in-time generation is reached; without one there is always more to come. */
  isEndReached(reached: Checkpoint): boolean {
    return this.#end?.isReached(reached, this.#head) ?? false;
  }

  /**
   * What of a delivery may be applied, and how far that brings the checkpoint. A delivery may come
   * again, and a checkpoint moves past what the filter left out, also in partitions that are not ours.
   */
  include(events: readonly StoredEvent[], reached: Checkpoint, checkpoint: Checkpoint): Included {
    let to = reached;
    for (const one of this.#partitions ?? partitionsOf(checkpoint)) {
      const position = checkpoint[one];
      if (position !== undefined) to = advance(to, one, position);
    }
    const fresh = events.filter((one) => !covers(reached, one.partition, one.position));
    return this.#end ? this.#end.include(fresh, reached, to) : { events: fresh, to };
  }
}

/** What was passed over and is not behind us: a delivery may come again. */
export function freshlyPassed(
  { passed = [] }: Delivery,
  reached: Checkpoint,
): readonly EventMark[] {
  return passed.filter(({ partition, position }) => !covers(reached, partition, position));
}
