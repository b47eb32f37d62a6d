import type { Clock } from '@annals/core';
import type { Checkpoint, EventMark, StoredEvent } from '@annals/event-log';
import type { Fold } from '../fold.ts';
import type { Batch } from '../store.ts';
import type { BatchLimits } from './batch-limits.ts';
import { LogTail } from './log-tail.ts';
import { projectorLimits } from './share-work.ts';

/** A batch that is on its way, and what it was folded from. */
export interface SealedBatch {
  readonly batch: Batch;
  readonly events: number;
  readonly lastRecordedAt: number | undefined;
}

/** The share that a batch is made for, and where it begins. */
interface Leased {
  readonly worker: number;
  readonly epoch: number;
  readonly checkpoint: Checkpoint;
  readonly tail: string;
  readonly batches: number;
}

/** What is folded and not sent. It begins where the batch that was sent last ends. */
export class PendingBatch {
  readonly #worker: number;
  readonly #epoch: number;
  readonly #fold: Pick<Fold, 'changes' | 'sealed' | 'dirtyRows'>;
  readonly #limits: BatchLimits;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #tail: LogTail;
  #from: Checkpoint;
  #to: Checkpoint;
  /** How many batches the store has of this share. */
  #batches: number;
  #events = 0;
  #dataLength = 0;
  #since: number;
  #lastRecordedAt: number | undefined;

  constructor(
    leased: Leased,
    fold: Pick<Fold, 'changes' | 'sealed' | 'dirtyRows'>,
    limits: BatchLimits,
    clock: Pick<Clock, 'now'>,
  ) {
    this.#worker = leased.worker;
    this.#epoch = leased.epoch;
    this.#fold = fold;
    this.#limits = limits;
    this.#clock = clock;
    this.#tail = new LogTail(leased.tail);
    this.#from = leased.checkpoint;
    this.#to = leased.checkpoint;
    this.#batches = leased.batches;
    this.#since = clock.now();
  }

  get from(): Checkpoint {
    return this.#from;
  }

  get to(): Checkpoint {
    return this.#to;
  }

  get events(): number {
    return this.#events;
  }

  /** All up to there is folded, or is nothing to fold. */
  moveTo(to: Checkpoint): void {
    this.#to = to;
  }

  /** A batch that was sealed ended there after all: the rest of its way is pending again. */
  beginAt(from: Checkpoint): void {
    this.#from = from;
  }

  /** The store has the batch that was sealed last. */
  stored(): void {
    this.#batches += 1;
  }

  /** These are folded. */
  count(events: readonly StoredEvent[]): void {
    if (events.length === 0) return;
    if (this.#events === 0) this.#since = this.#clock.now();
    this.#events += events.length;
    this.#lastRecordedAt = events.at(-1)?.recordedAt;
    for (const event of events) this.#dataLength += event.data.length;
  }

  /** These were read, also those that are another share's. */
  read(events: readonly EventMark[]): void {
    this.#tail.take(events);
  }

  tailUpTo(to: Checkpoint): string {
    return this.#tail.upTo(to);
  }

  get hasRowsForABatch(): boolean {
    return this.#fold.dirtyRows >= this.#limits.batchRowsMax;
  }

  get isFull(): boolean {
    const waited = this.#clock.now() - this.#since;
    return (
      this.#events >= this.#limits.batchEventsMax ||
      this.hasRowsForABatch ||
      this.#dataLength >= projectorLimits.batchDataLengthMax ||
      waited >= projectorLimits.batchFillMs ||
      waited < 0
    );
  }

  /** Makes a batch of it, which is to be sent now; what comes is folded on top of it. */
  seal(): SealedBatch {
    const changes = this.#fold.changes();
    this.#fold.sealed();
    const batch: Batch = {
      worker: this.#worker,
      epoch: this.#epoch,
      from: this.#from,
      to: this.#to,
      after: this.#batches,
      tail: this.#tail.upTo(this.#to),
      changes,
    };
    const sealed = { batch, events: this.#events, lastRecordedAt: this.#lastRecordedAt };
    this.#from = this.#to;
    this.#events = 0;
    this.#dataLength = 0;
    return sealed;
  }
}
