import { advance, type Checkpoint, EventDecodeError, type StoredEvent } from '@annals/event-log';
import {
  deadLetterLimits,
  failedLetter,
  type ParkedStreams,
  waitingLetter,
} from '../dead-letters.ts';
import { type Fold, type FoldGate, HandlerError } from '../fold.ts';
import { type InShare, shareOf } from '../shares.ts';
import type { BatchCommitter } from './batch-committer.ts';
import type { PendingBatch } from './pending-batch.ts';
import type { SessionEnd } from './session-course.ts';
import type { ReportStatus } from './share-status.ts';
import type { ShareWork } from './share-work.ts';

type ApplierWork = Pick<
  ShareWork,
  'projection' | 'cipher' | 'worker' | 'workers' | 'control' | 'onFailure'
>;

/** Decodes and folds the events of a share; one that cannot be applied is parked, or halts it. */
export class EventApplier {
  readonly #work: ApplierWork;
  readonly #fold: Pick<Fold, 'add'>;
  readonly #parked: ParkedStreams;
  readonly #pending: PendingBatch;
  readonly #committer: Pick<BatchCommitter, 'commit'>;
  readonly #report: ReportStatus;
  readonly #inShare: InShare;

  constructor(
    work: ApplierWork,
    fold: Pick<Fold, 'add'>,
    parked: ParkedStreams,
    pending: PendingBatch,
    committer: Pick<BatchCommitter, 'commit'>,
    report: ReportStatus,
  ) {
    this.#work = work;
    this.#fold = fold;
    this.#parked = parked;
    this.#pending = pending;
    this.#committer = committer;
    this.#report = report;
    this.#inShare = shareOf(work.projection, work.worker, work.workers);
  }

  /** Applies events up to a checkpoint. Where one halts the share, what comes before it is committed. */
  async apply(events: readonly StoredEvent[], to: Checkpoint): Promise<SessionEnd | undefined> {
    const { projection, cipher, workers } = this.#work;
    const mine =
      workers === 1 ? events : events.filter((one) => this.#inShare(one.stream, one.partition));
    try {
      if (mine.length > 0) {
        const decoded = await projection.decode(mine, cipher);
        await this.#fold.add(decoded, this.#gate(mine));
      }
    } catch (error) {
      if (error instanceof EventDecodeError) return this.#haltUnreadable(events, error);
      if (!(error instanceof HandlerError)) throw error;
      this.#pending.count(mine.slice(0, error.index));
      return this.#halt(events, mine[error.index] as StoredEvent, 'handler-failed', error);
    }
    this.#pending.count(mine);
    this.#pending.read(events);
    this.#pending.moveTo(to);
    return undefined;
  }

  #gate(stored: readonly StoredEvent[]): FoldGate {
    const { discarded } = this.#work.control();
    const full = `there are ${deadLetterLimits.lettersMax} dead letters already`;
    return {
      skip: (event, index) => {
        if (!this.#parked.has(event.stream)) return false;
        if (this.#parked.full) throw new HandlerError(event, index, new Error(full));
        this.#parked.park(waitingLetter(event));
        return true;
      },
      failed: (event, index, error) => {
        if (discarded.has(event.id)) return true;
        if (this.#work.onFailure === 'halt' || this.#parked.full) return false;
        this.#parked.park(failedLetter(event, stored[index] as StoredEvent, error, 1));
        this.#report({ parked: this.#parked.letters }, error);
        return true;
      },
    };
  }

  /** Applies what comes before an event that cannot be read, then stops there. */
  async #haltUnreadable(
    events: readonly StoredEvent[],
    error: EventDecodeError,
  ): Promise<SessionEnd> {
    const place = events.findIndex(
      ({ stream, revision }) => stream === error.event.stream && revision === error.event.revision,
    );
    const unreadable = events[place];
    if (!unreadable) throw error;
    const end = await this.apply(events.slice(0, place), this.#pending.to);
    return end ?? this.#halt(events, unreadable, error.code, error);
  }

  /** Commits up to the event that cannot be applied. */
  async #halt(
    events: readonly StoredEvent[],
    event: StoredEvent,
    reason: string,
    error: Error,
  ): Promise<SessionEnd> {
    const before = events.slice(0, events.indexOf(event));
    this.#pending.read(before);
    for (const { partition, position } of before) {
      this.#pending.moveTo(advance(this.#pending.to, partition, position));
    }
    const end = await this.#committer.commit();
    if (end) return end;
    const { id, stream, revision, type, partition } = event;
    const halt = {
      reason,
      event: { id, stream, revision, type, partition },
      detail: error.message,
    };
    return { kind: 'halted', halt };
  }
}
