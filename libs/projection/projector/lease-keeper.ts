import { sameCheckpoint } from '@annals/event-log';
import { type GenerationStore, StoreLostError } from '../store.ts';
import type { BatchCommitter } from './batch-committer.ts';
import type { SessionCourse } from './session-course.ts';
import { isDue, type ShareMemory } from './share-memory.ts';
import type { ReportStatus } from './share-status.ts';
import { projectorLimits, type ShareWork } from './share-work.ts';

/** What holds a session together beside its work: renews the lease, and notices a store that is gone. */
export class LeaseKeeper {
  readonly #work: Pick<ShareWork, 'worker' | 'holder' | 'clock'>;
  readonly #store: Pick<GenerationStore, 'acquire' | 'present'>;
  readonly #epoch: number;
  readonly #committer: Pick<BatchCommitter, 'stored' | 'isSending'>;
  readonly #course: SessionCourse;

  constructor(
    work: Pick<ShareWork, 'worker' | 'holder' | 'clock'>,
    store: Pick<GenerationStore, 'acquire' | 'present'>,
    epoch: number,
    committer: Pick<BatchCommitter, 'stored' | 'isSending'>,
    course: SessionCourse,
  ) {
    this.#work = work;
    this.#store = store;
    this.#epoch = epoch;
    this.#committer = committer;
    this.#course = course;
  }

  /** Works until the session ends, and ends it where a halted partition is due; `onTick` is called after each look. */
  async keep(
    halted: ShareMemory['halted'],
    report: ReportStatus,
    onTick: () => void,
  ): Promise<void> {
    const { clock } = this.#work;
    const { tickMs, leaseTtlMs } = projectorLimits;
    const course = this.#course;
    let renewedAt = clock.now();
    for (;;) {
      await clock.sleep(tickMs, course.signal);
      if (course.signal.aborted) return;
      try {
        if (!(await this.#store.present())) {
          return course.end({ kind: 'lost', detail: 'the store was removed or replaced' });
        }
        const now = clock.now();
        if (now - renewedAt >= leaseTtlMs / 3 || now < renewedAt) {
          if (!(await this.#renew(now))) return course.end({ kind: 'again' });
          renewedAt = now;
        }
        for (const one of halted.values()) {
          if (isDue(one, now)) return course.end({ kind: 'again' });
        }
      } catch (error) {
        if (error instanceof StoreLostError)
          return course.end({ kind: 'lost', detail: error.message });
        report({}, error);
      }
      onTick();
    }
  }

  /** False when the lease is another's, or the store went back while nothing was written. */
  async #renew(now: number): Promise<boolean> {
    const { worker, holder } = this.#work;
    const { stored, isSending: wasSending } = this.#committer;
    const lease = await this.#store.acquire(worker, holder, now, projectorLimits.leaseTtlMs);
    if (lease.kind === 'busy' || lease.epoch !== this.#epoch) return false;
    const isQuiet = !wasSending && !this.#committer.isSending && this.#committer.stored === stored;
    return !isQuiet || sameCheckpoint(lease.checkpoint, stored);
  }
}
