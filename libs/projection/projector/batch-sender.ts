import type { Clock } from '@annals/core';
import { type Checkpoint, encodeCheckpoint, sameCheckpoint } from '@annals/event-log';
import { type Batch, type CommitResult, type GenerationStore, StoreLostError } from '../store.ts';
import { bounded } from './bounds.ts';
import type { PendingBatch, SealedBatch } from './pending-batch.ts';
import type { SessionCourse, SessionEnd } from './session-course.ts';
import type { ShareMemory } from './share-memory.ts';
import { messageOf, type ReportStatus } from './share-status.ts';
import { projectorLimits } from './share-work.ts';

/** Brings one batch into the store, however often it has to be sent, and also past a hold. */
export class BatchSender {
  readonly #store: Pick<GenerationStore, 'commit'>;
  readonly #clock: Clock;
  readonly #course: SessionCourse;
  readonly #pending: PendingBatch;
  readonly #memory: Pick<ShareMemory, 'ceiling'>;
  readonly #report: ReportStatus;
  #sending = false;

  constructor(
    store: Pick<GenerationStore, 'commit'>,
    clock: Clock,
    course: SessionCourse,
    pending: PendingBatch,
    memory: Pick<ShareMemory, 'ceiling'>,
    report: ReportStatus,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#course = course;
    this.#pending = pending;
    this.#memory = memory;
    this.#report = report;
  }

  /** Whether the store is at work on a batch just now. */
  get isSending(): boolean {
    return this.#sending;
  }

  /**
   * Sends until the store says what became of it. `taken` is told of the batch that the store has then, which may
   * end before the one that was given.
   */
  async send(
    { batch: first, events }: SealedBatch,
    taken: (batch: Batch) => Promise<SessionEnd | undefined>,
  ): Promise<SessionEnd | undefined> {
    const { from, to, changes } = first;
    if (changes.length === 0 && sameCheckpoint(from, to)) return taken(first);
    let batch = first;
    let backoffMs: number = projectorLimits.backoffMsMin;
    for (;;) {
      const result = await this.#commit(batch);
      if (!result) {
        await this.#clock.sleep(backoffMs, this.#course.signal);
        backoffMs = Math.min(backoffMs * 2, projectorLimits.backoffMsMax);
      } else if (result.kind === 'held') {
        const next = await this.#held(batch, result.at, events);
        if (!next || !('changes' in next)) return next;
        batch = next;
      } else if (result.kind === 'stale') {
        return { kind: 'again' };
      } else {
        this.#pending.stored();
        return taken(batch);
      }
      if (this.#course.ended) return this.#course.ended;
    }
  }

  /** Undefined when the outcome is unknown: the same batch is sent again. */
  async #commit(batch: Batch): Promise<CommitResult | undefined> {
    this.#sending = true;
    try {
      return await this.#store.commit(batch);
    } catch (error) {
      if (error instanceof StoreLostError) throw error;
      this.#report({ state: 'failing', detail: messageOf(error) }, error);
      return undefined;
    } finally {
      this.#sending = false;
    }
  }

  /** The store is held at `at`: what may go on is cut out of the batch, the rest waits. */
  async #held(
    batch: Batch,
    at: Checkpoint,
    events: number,
  ): Promise<Batch | SessionEnd | undefined> {
    const to = bounded(batch.from, batch.to, at);
    if (events === 0 && batch.changes.length === 0) {
      // Nothing to write but the checkpoint: as far as it may go now, the rest some other time.
      const isStuck = sameCheckpoint(to, batch.from) || sameCheckpoint(to, batch.to);
      if (!isStuck) return { ...batch, to, tail: this.#pending.tailUpTo(to) };
      this.#pending.beginAt(batch.from);
      // Who waits for this one to come back asks again at once.
      await this.#clock.sleep(projectorLimits.heldPollMs, this.#course.signal);
      return undefined;
    }
    if (!sameCheckpoint(to, batch.from)) {
      // Also where no event of ours lies before the hold: whoever compares waits for our checkpoint.
      this.#memory.ceiling = at;
      return { kind: 'again' };
    }
    this.#report({ state: 'held', detail: `held at ${encodeCheckpoint(at)} for a comparison` });
    await this.#clock.sleep(projectorLimits.heldPollMs, this.#course.signal);
    return batch;
  }
}
