import {
  covers,
  coversAll,
  type Delivery,
  partitionsOf,
  type StoredEvent,
} from '@annals/event-log';
import { ParkedStreams, readDeadLetters } from '../dead-letters.ts';
import { shareOf } from '../shares.ts';
import { type Acquired, type GenerationStore, StoreLostError } from '../store.ts';
import { BatchCommitter, type Committed } from './batch-committer.ts';
import { type BatchLimits, batchLimits } from './batch-limits.ts';
import { BatchSender } from './batch-sender.ts';
import { bounded } from './bounds.ts';
import { DeadLetterRetries } from './dead-letter-retries.ts';
import { EventApplier } from './event-applier.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { PendingBatch } from './pending-batch.ts';
import { ReadAhead } from './read-ahead.ts';
import { freshlyPassed, ReadScope } from './read-scope.ts';
import { SessionCourse, type SessionEnd } from './session-course.ts';
import type { ShareMemory } from './share-memory.ts';
import type { ReportStatus } from './share-status.ts';
import { projectorLimits, type ShareWork } from './share-work.ts';

/**
 * One worker's work under one lease: reads, folds, commits. It ends as soon as memory and store may
 * no longer agree; then the share acquires and loads anew. Here is what happens when; how it is done
 * stands with the parts: `ReadScope` and `ReadAhead` read, `EventApplier` folds, `BatchCommitter` commits.
 */
export class ShareSession {
  readonly #work: ShareWork;
  readonly #memory: ShareMemory;
  readonly #store: GenerationStore;
  readonly #report: ReportStatus;
  readonly #limits: BatchLimits;
  readonly #course = new SessionCourse();
  readonly #scope: ReadScope;
  readonly #deliveries: ReadAhead;
  readonly #parked: ParkedStreams;
  readonly #pending: PendingBatch;
  readonly #committer: BatchCommitter;
  readonly #applier: EventApplier;
  readonly #retries: DeadLetterRetries;
  readonly #keeper: LeaseKeeper;
  #tick = false;
  #controlChanged = true;
  #caughtUp = false;
  /** Whether readers may see the generation; asked once in a session. */
  #shown = false;

  constructor(
    work: ShareWork,
    memory: ShareMemory,
    store: GenerationStore,
    lease: Acquired,
    report: ReportStatus,
  ) {
    const course = this.#course;
    const { clock, worker } = work;
    this.#work = work;
    this.#memory = memory;
    this.#store = store;
    this.#report = report;
    this.#limits = batchLimits(work, store);
    this.#scope = new ReadScope(work);
    this.#deliveries = new ReadAhead(course);
    this.#parked = new ParkedStreams(memory.fold);
    this.#pending = new PendingBatch({ worker, ...lease }, memory.fold, this.#limits, clock);
    const sender = new BatchSender(store, clock, course, this.#pending, memory, report);
    this.#committer = new BatchCommitter(work, this.#pending, sender, course, (committed) => {
      this.#reportCommitted(committed);
    });
    this.#applier = new EventApplier(
      work,
      memory.fold,
      this.#parked,
      this.#pending,
      this.#committer,
      report,
    );
    this.#retries = new DeadLetterRetries(
      work,
      memory,
      this.#parked,
      this.#pending,
      this.#committer,
      report,
    );
    this.#keeper = new LeaseKeeper(work, store, lease.epoch, this.#committer, course);
  }

  async run(): Promise<SessionEnd> {
    const { signal, onControlChange } = this.#work;
    const course = this.#course;
    const stop = () => course.end({ kind: 'stopped', checkpoint: this.#committer.stored });
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    const unlisten = onControlChange?.(() => {
      this.#controlChanged = true;
      course.wake();
    });
    const keeping = this.#keeper.keep(this.#memory.halted, this.#report, () => {
      this.#tick = true;
      course.wake();
    });
    try {
      await this.#load();
      return await this.#loop();
    } catch (error) {
      if (error instanceof StoreLostError) return { kind: 'lost', detail: error.message };
      return course.ended ?? { kind: 'again', error };
    } finally {
      unlisten?.();
      signal.removeEventListener('abort', stop);
      // A batch that is held on its way would be sent again and again: nothing waits any more.
      course.end({ kind: 'again' });
      this.#deliveries.letGo();
      await this.#committer.sent;
      await keeping;
    }
  }

  async #load(): Promise<void> {
    const { fold, halted } = this.#memory;
    const { projection, worker, workers, mode } = this.#work;
    const { from } = this.#pending;
    const startedEmpty = partitionsOf(from).length === 0;
    // A rebuild meets most rows for the first time, and what it keeps costs memory beside the service.
    const rowsMax = mode === 'follow' ? this.#store.keptRowsMax : undefined;
    fold.reset((keys) => this.#store.load(keys), startedEmpty, rowsMax);
    const inShare = shareOf(projection, worker, workers);
    this.#parked.reset(startedEmpty ? [] : await readDeadLetters(this.#store, inShare));
    this.#report({ checkpoint: from, parked: this.#parked.letters });
    await this.#scope.choosePartitions(halted);
    const { signal } = this.#course;
    const limit = this.#limits.pageEventsMax;
    const deliveries = this.#scope.subscribe(this.#pending.to, { signal, limit });
    if (deliveries) this.#deliveries.begin(deliveries);
  }

  async #loop(): Promise<SessionEnd> {
    for (;;) {
      if (this.#course.ended) return this.#course.ended;
      const end = (await this.#attend()) ?? (await this.#takeArrived());
      if (end) return end;
      if (this.#scope.isEndReached(this.#pending.to)) return this.#finish();
      if (this.#deliveries.hasArrived || this.#tick || this.#controlChanged) continue;
      await this.#course.woken();
    }
  }

  async #finish(): Promise<SessionEnd> {
    const end = await this.#committer.commit();
    if (end) return end;
    return { kind: 'finished', checkpoint: this.#committer.stored };
  }

  /** What is due beside new events: a batch that waited, a checkpoint to move, letters to work off. */
  async #attend(): Promise<SessionEnd | undefined> {
    if (this.#committer.isDue) {
      const end = await this.#committer.commitAhead();
      if (end) return end;
    }
    if (this.#tick) {
      this.#tick = false;
      const end = await this.#commitIdle();
      if (end) return end;
    }
    if (!this.#controlChanged) return undefined;
    this.#controlChanged = false;
    for (const stream of this.#parked.streams) {
      const end = await this.#retries.workOffIfDue(stream);
      if (end) return end;
    }
    return undefined;
  }

  async #takeArrived(): Promise<SessionEnd | undefined> {
    const arrived = this.#deliveries.take();
    if (!arrived) return undefined;
    if (arrived.done) return { kind: 'stopped', checkpoint: this.#committer.stored };
    const delivery = arrived.value;
    return delivery.kind === 'events'
      ? await this.#take(delivery)
      : await this.#nothingLeft(delivery);
  }

  async #nothingLeft(delivery: Delivery): Promise<SessionEnd | undefined> {
    const pending = this.#pending;
    const committer = this.#committer;
    const { to } = this.#scope.include([], pending.to, delivery.checkpoint);
    pending.read(freshlyPassed(delivery, pending.to));
    const { ceiling } = this.#memory;
    if (this.#caughtUp && committer.sent && !ceiling) {
      pending.moveTo(to);
      if (pending.events > 0 || this.#work.workers > 1) committer.dueNext();
      return undefined;
    }
    pending.moveTo(ceiling ? bounded(pending.to, to, ceiling) : to);
    const isPending = !this.#caughtUp || pending.events > 0;
    const end = await (isPending ? committer.commit() : committer.settled());
    if (end) return end;
    this.#memory.ceiling = undefined;
    pending.moveTo(to);
    if (this.#work.mode === 'build') return this.#finish();
    this.#caughtUp = true;
    await this.#showIfFilled();
    const { halted } = this.#memory;
    const first = halted.values().next().value;
    if (first) this.#report({ state: 'halted', detail: first.halt.detail, caughtUp: false });
    else this.#report({ state: 'live', detail: undefined, caughtUp: true });
    return this.#commitIdle();
  }

  /**
   * A first generation on a log that has events is not shown to readers before all its shares have come
   * as far as this one: half a board would answer wrong ranks.
   */
  async #showIfFilled(): Promise<void> {
    if (this.#shown) return;
    if (!coversAll(await this.#store.checkpoint(), this.#committer.stored)) return;
    await this.#store.finishBuilding?.();
    this.#shown = true;
  }

  async #commitIdle(): Promise<SessionEnd | undefined> {
    const { idleMs } = this.#committer;
    // Readers wait for the slowest of several shares: one that had nothing to do says so at once.
    const isWaitedFor = this.#caughtUp && this.#work.workers > 1;
    if (!isWaitedFor && idleMs < projectorLimits.idleCommitMs && idleMs >= 0) return undefined;
    return this.#committer.commit();
  }

  async #take(delivery: Delivery & { kind: 'events' }): Promise<SessionEnd | undefined> {
    const pending = this.#pending;
    const included = this.#scope.include(delivery.events, pending.to, delivery.checkpoint);
    const passed = freshlyPassed(delivery, pending.to);
    const full = delivery.events.length >= this.#limits.pageEventsMax;
    if (full && this.#caughtUp) {
      this.#caughtUp = false;
      this.#report({ state: 'catching-up', caughtUp: false });
    }
    const { ceiling } = this.#memory;
    const under = (event: StoredEvent) => {
      return !ceiling || covers(ceiling, event.partition, event.position);
    };
    const now = included.events.filter(under);
    const reached = ceiling ? bounded(pending.to, included.to, ceiling) : included.to;
    const end = await this.#applier.apply(now, reached);
    if (end) return end;
    if (now.length === included.events.length) {
      pending.read(passed);
      return this.#commitIfDue(!full);
    }
    // The rest lies beyond the hold: what is below it goes first, the rest waits until it is let go.
    const held = await this.#committer.commit();
    if (held) return held;
    this.#memory.ceiling = undefined;
    const later = included.events.filter((event) => !under(event));
    const endLater = await this.#applier.apply(later, included.to);
    if (endLater) return endLater;
    pending.read(passed);
    return this.#committer.commit();
  }

  /**
   * While catching up a batch is filled; once live, what has come is committed at once, or together with all
   * that comes until the batch before it is there.
   */
  async #commitIfDue(nearHead: boolean): Promise<SessionEnd | undefined> {
    const pending = this.#pending;
    const committer = this.#committer;
    if (pending.events === 0) return this.#commitIdle();
    if (pending.isFull) return committer.commitAhead();
    if (!this.#caughtUp || !nearHead) return undefined;
    if (!committer.sent) return committer.commitAhead();
    committer.dueNext();
    return undefined;
  }

  #reportCommitted({ lastRecordedAt, ...batch }: Committed): void {
    const { halted } = this.#memory;
    const state = halted.size > 0 ? 'halted' : this.#caughtUp ? 'live' : 'catching-up';
    const detail = halted.values().next().value?.halt.detail;
    const parked = this.#parked.letters;
    const recorded = lastRecordedAt === undefined ? {} : { lastRecordedAt };
    this.#report({ ...batch, parked, state, detail, ...recorded });
  }
}
