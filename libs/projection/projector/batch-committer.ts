import { type Checkpoint, sameCheckpoint } from '@annals/event-log';
import { type Batch, StoreLostError } from '../store.ts';
import type { BatchSender } from './batch-sender.ts';
import type { PendingBatch, SealedBatch } from './pending-batch.ts';
import type { SessionCourse, SessionEnd } from './session-course.ts';
import type { ShareStatus } from './share-status.ts';
import type { ShareWork } from './share-work.ts';

/** What the store has taken with one batch. */
export type Committed = Pick<
  ShareStatus,
  'checkpoint' | 'lastBatchEvents' | 'lastBatchRows' | 'lastRecordedAt'
>;

/** Commits what is pending, one batch after the other: the next one is folded while one is on its way. */
export class BatchCommitter {
  readonly #work: Pick<ShareWork, 'clock' | 'throttleShare'>;
  readonly #pending: PendingBatch;
  readonly #sender: BatchSender;
  readonly #course: SessionCourse;
  readonly #onCommitted: (committed: Committed) => void;
  /** As far as the store is known to have come. */
  #stored: Checkpoint;
  /** What becomes of the batch that was sent, while the next one is folded. */
  #sent: Promise<SessionEnd | undefined> | undefined;
  /** Something is to be committed as soon as the batch before it is. */
  #due = false;
  #lastCommitAt: number;
  #workedSince: number;

  constructor(
    work: Pick<ShareWork, 'clock' | 'throttleShare'>,
    pending: PendingBatch,
    sender: BatchSender,
    course: SessionCourse,
    onCommitted: (committed: Committed) => void,
  ) {
    this.#work = work;
    this.#pending = pending;
    this.#sender = sender;
    this.#course = course;
    this.#onCommitted = onCommitted;
    this.#stored = pending.from;
    const now = work.clock.now();
    this.#lastCommitAt = now;
    this.#workedSince = now;
  }

  get stored(): Checkpoint {
    return this.#stored;
  }

  /** Whether the store is at work on a batch just now. */
  get isSending(): boolean {
    return this.#sender.isSending;
  }

  /** What becomes of the batch that was sent; undefined when none is under way. */
  get sent(): Promise<SessionEnd | undefined> | undefined {
    return this.#sent;
  }

  /** Whether something waited for the batch before it, and that is there. */
  get isDue(): boolean {
    return this.#due && !this.#sent;
  }

  /** How long ago the last batch was stored. */
  get idleMs(): number {
    return this.#work.clock.now() - this.#lastCommitAt;
  }

  /** What is pending is to be committed as soon as the batch before it is there. */
  dueNext(): void {
    this.#due = true;
  }

  /** Sends what is pending, and waits until the store has said what became of it and of all before it. */
  async commit(): Promise<SessionEnd | undefined> {
    return (await this.commitAhead()) ?? (await this.settled());
  }

  /**
   * Sends what is pending when the batch before it is there. What comes meanwhile is folded on top of it: if the
   * store does not take it, the session ends and all of that is forgotten.
   */
  async commitAhead(): Promise<SessionEnd | undefined> {
    const before = await this.settled();
    if (before) return before;
    const sent = this.#sendPending().catch((error: unknown): SessionEnd => {
      if (error instanceof StoreLostError) return { kind: 'lost', detail: error.message };
      return { kind: 'again', error };
    });
    this.#sent = sent.then((end) => {
      if (end) this.#course.end(end);
      this.#sent = undefined;
      this.#course.wake();
      return end;
    });
    // A pause between batches is one in which nothing is folded either.
    return this.#isThrottled ? this.settled() : undefined;
  }

  /** What became of the batch that is under way, and whether the session goes on. */
  async settled(): Promise<SessionEnd | undefined> {
    return (await this.#sent) ?? this.#course.ended;
  }

  #sendPending(): Promise<SessionEnd | undefined> {
    const sealed = this.#pending.seal();
    this.#due = false;
    return this.#sender.send(sealed, (batch) => this.#taken(batch, sealed));
  }

  /** The store has a batch, which may end before all that was sealed: the rest is pending again. */
  async #taken(
    { from, to, changes }: Batch,
    { batch, events, lastRecordedAt }: SealedBatch,
  ): Promise<SessionEnd | undefined> {
    if (to !== batch.to) this.#pending.beginAt(to);
    const moved = !sameCheckpoint(from, to);
    this.#stored = to;
    this.#lastCommitAt = this.#work.clock.now();
    if (!moved && changes.length === 0) return undefined;
    this.#onCommitted({
      checkpoint: to,
      lastBatchEvents: events,
      lastBatchRows: changes.length,
      lastRecordedAt,
    });
    return this.#rest();
  }

  get #isThrottled(): boolean {
    return (this.#work.throttleShare ?? 1) < 1;
  }

  /** The pause that keeps a throttled build at its share of the time. */
  async #rest(): Promise<SessionEnd | undefined> {
    const { throttleShare: share = 1, clock } = this.#work;
    if (!this.#isThrottled) return undefined;
    const worked = Math.max(0, clock.now() - this.#workedSince);
    await clock.sleep((worked * (1 - share)) / share, this.#course.signal);
    this.#workedSince = clock.now();
    return this.#course.ended;
  }
}
