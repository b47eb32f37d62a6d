import { failedLetter, type ParkedStreams } from '../dead-letters.ts';
import { retryKey } from '../generations/state.ts';
import type { BatchCommitter } from './batch-committer.ts';
import type { PendingBatch } from './pending-batch.ts';
import type { SessionEnd } from './session-course.ts';
import type { ShareMemory } from './share-memory.ts';
import type { ReportStatus } from './share-status.ts';
import type { ShareWork } from './share-work.ts';

type RetryWork = Pick<ShareWork, 'log' | 'cipher' | 'projection' | 'generation' | 'control'>;

/** Works off the parked events of a share, where somebody asked for it or discarded one. */
export class DeadLetterRetries {
  readonly #work: RetryWork;
  readonly #memory: Pick<ShareMemory, 'fold' | 'retried'>;
  readonly #parked: ParkedStreams;
  readonly #pending: Pick<PendingBatch, 'hasRowsForABatch'>;
  readonly #committer: Pick<BatchCommitter, 'commit'>;
  readonly #report: ReportStatus;

  constructor(
    work: RetryWork,
    memory: Pick<ShareMemory, 'fold' | 'retried'>,
    parked: ParkedStreams,
    pending: Pick<PendingBatch, 'hasRowsForABatch'>,
    committer: Pick<BatchCommitter, 'commit'>,
    report: ReportStatus,
  ) {
    this.#work = work;
    this.#memory = memory;
    this.#parked = parked;
    this.#pending = pending;
    this.#committer = committer;
    this.#report = report;
  }

  async workOffIfDue(stream: string): Promise<SessionEnd | undefined> {
    const { control, generation } = this.#work;
    const { retries, discarded } = control();
    const asked = retries.get(retryKey(generation, stream)) ?? -1;
    const first = this.#parked.of(stream)[0];
    const isAsked = asked > (this.#memory.retried.get(stream) ?? -1);
    if (!first || !(isAsked || discarded.has(first.eventId))) return undefined;
    // Rows and letters in memory must be those in the store: the work gets a batch of its own.
    const end = (await this.#committer.commit()) ?? (await this.#workOff(stream, discarded));
    if (end) return end;
    this.#memory.retried.set(stream, asked);
    this.#report({ parked: this.#parked.letters });
    return undefined;
  }

  /** Applies a stream's parked events in order, up to the first that fails again. */
  async #workOff(stream: string, discarded: ReadonlySet<string>): Promise<SessionEnd | undefined> {
    for (let letter = this.#parked.of(stream)[0]; letter; letter = this.#parked.of(stream)[0]) {
      const isDiscarded = discarded.has(letter.eventId);
      if (!isDiscarded && !(await this.#tryAgain(stream, letter.revision, letter.attempts))) break;
      this.#parked.removeFirst(stream);
      if (!this.#pending.hasRowsForABatch) continue;
      const end = await this.#committer.commit();
      if (end) return end;
    }
    return this.#committer.commit();
  }

  async #tryAgain(stream: string, revision: number, attempts: number): Promise<boolean> {
    const { log, projection, cipher } = this.#work;
    const page = await log.readStream(stream, { from: revision, limit: 1 });
    const stored = page.events[0];
    if (!stored) throw new Error(`the log has no event ${stream}@${revision}, which is parked`);
    const events = await projection.decode([stored], cipher);
    let failure: unknown;
    await this.#memory.fold.add(events, {
      skip: () => false,
      failed: (event, _, error) => {
        failure = error;
        this.#parked.replaceFirst(failedLetter(event, stored, error, attempts + 1));
        return true;
      },
    });
    if (failure === undefined) return true;
    this.#report({}, failure);
    return false;
  }
}
