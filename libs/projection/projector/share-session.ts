import {
  advance,
  type Checkpoint,
  covers,
  coversAll,
  type Delivery,
  EventDecodeError,
  type EventMark,
  encodeCheckpoint,
  partitionsOf,
  type StoredEvent,
  sameCheckpoint,
} from '@annals/event-log';
import {
  deadLetterLimits,
  failedLetter,
  ParkedStreams,
  readDeadLetters,
  waitingLetter,
} from '../dead-letters.ts';
import { type Fold, type FoldGate, HandlerError } from '../fold.ts';
import { retryKey } from '../generations/state.ts';
import { type InShare, partitionsOfShare, shareOf } from '../shares.ts';
import { type Batch, type CommitResult, type GenerationStore, StoreLostError } from '../store.ts';
import { bounded, End } from './bounds.ts';
import { Latch } from './latch.ts';
import { LogTail } from './log-tail.ts';
import type { ShareStatus } from './share-status.ts';
import { type Halt, projectorLimits, type ShareEnd, type ShareWork } from './share-work.ts';

/** What outlives a session: a share begins a new one whenever its memory may no longer fit the store. */
export interface ShareMemory {
  readonly fold: Fold;
  /** Where somebody holds the generation, as the store last said. */
  ceiling: Checkpoint | undefined;
  /** Partitions stopped at an event, and when they are tried again. */
  readonly halted: Map<number, { readonly halt: Halt; readonly retryAt: number }>;
  /** The revision of the last request to retry that was worked off, by stream. */
  readonly retried: Map<string, number>;
}

export type SessionEnd =
  /** Load everything anew and go on. `error`: after a pause. */
  { readonly kind: 'again'; readonly error?: unknown } | ShareEnd;

interface Pending {
  from: Checkpoint;
  to: Checkpoint;
  events: number;
  dataLength: number;
  since: number;
  lastRecordedAt: number | undefined;
}

/**
 * One worker's work under one lease: reads, folds, commits. It ends as soon as memory and store may
 * no longer agree; then the share acquires and loads anew.
 */
export class ShareSession {
  readonly #work: ShareWork;
  readonly #memory: ShareMemory;
  readonly #store: GenerationStore;
  readonly #epoch: number;
  readonly #report: (change: Partial<ShareStatus>, error?: unknown) => void;
  readonly #inShare: InShare;
  readonly #parked: ParkedStreams;
  readonly #tail: LogTail;
  readonly #batchRowsMax: number;
  readonly #pageEventsMax: number;
  readonly #latch = new Latch();
  readonly #abort = new AbortController();
  readonly #end: End | undefined;
  /** What is folded and not sent. It begins where the batch that was sent last ends. */
  readonly #pending: Pending;
  /** As far as the store is known to have come. */
  #stored: Checkpoint;
  /** What becomes of the batch that was sent, while the next one is folded. */
  #sent: Promise<SessionEnd | undefined> | undefined;
  /** Something is to be committed as soon as the batch before it is. */
  #due = false;
  #head: Checkpoint = {};
  /** The partitions it reads; undefined for all. */
  #partitions: readonly number[] | undefined;
  #iterator: AsyncIterator<Delivery> | undefined;
  #pulling = false;
  #arrived: IteratorResult<Delivery> | undefined;
  #ended: SessionEnd | undefined;
  #tick = false;
  #controlChanged = true;
  #caughtUp = false;
  /** Whether readers may see the generation; asked once in a session. */
  #shown = false;
  #committing = false;
  #lastCommitAt: number;
  #workedSince: number;

  constructor(
    work: ShareWork,
    memory: ShareMemory,
    store: GenerationStore,
    lease: { readonly epoch: number; readonly checkpoint: Checkpoint; readonly tail: string },
    report: (change: Partial<ShareStatus>, error?: unknown) => void,
  ) {
    this.#work = work;
    this.#memory = memory;
    this.#store = store;
    this.#epoch = lease.epoch;
    this.#report = report;
    this.#inShare = shareOf(work.projection, work.worker, work.workers);
    this.#parked = new ParkedStreams(memory.fold);
    this.#tail = new LogTail(lease.tail);
    const isBuilding = work.mode === 'build';
    this.#batchRowsMax = Math.min(
      projectorLimits.batchRowsMax,
      (isBuilding ? store.buildBatchRowsMax : undefined) ?? store.batchRowsMax ?? Infinity,
    );
    // Most events write a row or two: a page of them is to fit in a batch.
    this.#pageEventsMax = Math.min(
      isBuilding ? projectorLimits.buildPageEventsMax : projectorLimits.pageEventsMax,
      Math.ceil(this.#batchRowsMax / 2),
    );
    this.#end = work.until && new End(work.until);
    this.#stored = lease.checkpoint;
    const now = work.clock.now();
    this.#lastCommitAt = now;
    this.#workedSince = now;
    this.#pending = {
      from: lease.checkpoint,
      to: lease.checkpoint,
      events: 0,
      dataLength: 0,
      since: now,
      lastRecordedAt: undefined,
    };
  }

  async run(): Promise<SessionEnd> {
    const { signal, onControlChange } = this.#work;
    const stop = () => this.end({ kind: 'stopped', checkpoint: this.#stored });
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    const unlisten = onControlChange?.(() => {
      this.#controlChanged = true;
      this.#latch.open();
    });
    const keeping = this.#keep();
    try {
      await this.#load();
      return await this.#loop();
    } catch (error) {
      if (error instanceof StoreLostError) return { kind: 'lost', detail: error.message };
      return this.#ended ?? { kind: 'again', error };
    } finally {
      unlisten?.();
      signal.removeEventListener('abort', stop);
      // A batch that is held on its way would be sent again and again: nothing waits any more.
      this.end({ kind: 'again' });
      // The signal has ended it; an adapter that still reads is not waited for.
      this.#iterator?.return?.().catch(() => undefined);
      await this.#sent;
      await keeping;
    }
  }

  /** Ends the session as soon as it comes to a place where it can. The first reason counts. */
  end(reason: SessionEnd): void {
    this.#ended ??= reason;
    this.#abort.abort();
    this.#latch.open();
  }

  async #load(): Promise<void> {
    const { fold } = this.#memory;
    const { from } = this.#pending;
    const startedEmpty = partitionsOf(from).length === 0;
    // A rebuild meets most rows for the first time, and what it keeps costs memory beside the service.
    const rowsMax = this.#work.mode === 'follow' ? this.#store.keptRowsMax : undefined;
    fold.reset((keys) => this.#store.load(keys), startedEmpty, rowsMax);
    this.#parked.reset(startedEmpty ? [] : await readDeadLetters(this.#store, this.#inShare));
    this.#report({ checkpoint: from, parked: this.#parked.letters });
    await this.#choosePartitions();
    this.#subscribe();
  }

  async #choosePartitions(): Promise<void> {
    const { projection, worker, workers, log } = this.#work;
    const { halted } = this.#memory;
    this.#partitions = partitionsOfShare(projection, worker, workers);
    if (!this.#end && halted.size === 0) return;
    this.#head = await log.head();
    if (halted.size === 0) return;
    const read = this.#partitions ?? partitionsOf(this.#head);
    this.#partitions = read.filter((one) => !halted.has(one));
  }

  #subscribe(): void {
    const { log, projection, until } = this.#work;
    const partitions = this.#partitions;
    if (partitions?.length === 0) return;
    if (until && this.#end?.isReached(this.#pending.to, this.#head)) return;
    const filter = { categories: projection.categories, ...(partitions ? { partitions } : {}) };
    // Who follows is told of every event, for readers wait for positions; a build that ends by time must see each one.
    const passes = this.#work.mode === 'build' && !until && projection.passOver !== undefined;
    const options = {
      signal: this.#abort.signal,
      limit: this.#pageEventsMax,
      ...(passes ? { passOver: projection.passOver } : {}),
    };
    this.#iterator = log.subscribe(this.#pending.to, filter, options)[Symbol.asyncIterator]();
    this.#pull();
  }

  /** Asks for the next delivery; it is taken when its turn has come. One is read ahead, no more. */
  #pull(): void {
    if (this.#pulling || this.#arrived || !this.#iterator) return;
    this.#pulling = true;
    this.#iterator.next().then(
      (arrived) => {
        this.#pulling = false;
        this.#arrived = arrived;
        this.#latch.open();
      },
      (error: unknown) => this.end({ kind: 'again', error }),
    );
  }

  async #loop(): Promise<SessionEnd> {
    for (;;) {
      if (this.#ended) return this.#ended;
      const end = (await this.#attend()) ?? (await this.#takeArrived());
      if (end) return end;
      if (this.#endReached()) return this.#finish();
      if (this.#arrived || this.#tick || this.#controlChanged) continue;
      await this.#latch.opened();
    }
  }

  #endReached(): boolean {
    return this.#end?.isReached(this.#pending.to, this.#head) ?? false;
  }

  async #finish(): Promise<SessionEnd> {
    const end = await this.#commit();
    if (end) return end;
    return { kind: 'finished', checkpoint: this.#stored };
  }

  /** What is due beside new events: a batch that waited, a checkpoint to move, letters to work off. */
  async #attend(): Promise<SessionEnd | undefined> {
    if (this.#due && !this.#sent) {
      const end = await this.#commitAhead();
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
      const end = await this.#workOffIfDue(stream);
      if (end) return end;
    }
    return undefined;
  }

  async #takeArrived(): Promise<SessionEnd | undefined> {
    const arrived = this.#arrived;
    if (!arrived) return undefined;
    this.#arrived = undefined;
    if (arrived.done) return { kind: 'stopped', checkpoint: this.#stored };
    this.#pull();
    const delivery = arrived.value;
    return delivery.kind === 'events'
      ? await this.#take(delivery)
      : await this.#nothingLeft(delivery);
  }

  async #nothingLeft(delivery: Delivery): Promise<SessionEnd | undefined> {
    const { to } = this.#include([], delivery.checkpoint);
    this.#tail.take(this.#freshOf(delivery));
    const { ceiling } = this.#memory;
    if (this.#caughtUp && this.#sent && !ceiling) {
      this.#pending.to = to;
      this.#due ||= this.#pending.events > 0 || this.#work.workers > 1;
      return undefined;
    }
    this.#pending.to = ceiling ? bounded(this.#pending.to, to, ceiling) : to;
    const isPending = !this.#caughtUp || this.#pending.events > 0;
    const end = await (isPending ? this.#commit() : this.#settled());
    if (end) return end;
    this.#memory.ceiling = undefined;
    this.#pending.to = to;
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
    if (!coversAll(await this.#store.checkpoint(), this.#stored)) return;
    await this.#store.finishBuilding?.();
    this.#shown = true;
  }

  async #commitIdle(): Promise<SessionEnd | undefined> {
    const idle = this.#work.clock.now() - this.#lastCommitAt;
    // Readers wait for the slowest of several shares: one that had nothing to do says so at once.
    const isWaitedFor = this.#caughtUp && this.#work.workers > 1;
    if (!isWaitedFor && idle < projectorLimits.idleCommitMs && idle >= 0) return undefined;
    return this.#commit();
  }

  /**
   * What of a delivery may be applied, and how far that brings the checkpoint. A delivery may come
   * again, and a checkpoint moves past what the filter left out, also in partitions that are not ours.
   */
  #include(events: readonly StoredEvent[], checkpoint: Checkpoint) {
    const reached = this.#pending.to;
    let to = reached;
    for (const one of this.#partitions ?? partitionsOf(checkpoint)) {
      const position = checkpoint[one];
      if (position !== undefined) to = advance(to, one, position);
    }
    const fresh = events.filter((one) => !covers(reached, one.partition, one.position));
    return this.#end ? this.#end.include(fresh, reached, to) : { events: fresh, to };
  }

  /** What was passed over and is not behind us: a delivery may come again. */
  #freshOf({ passed = [] }: Delivery): readonly EventMark[] {
    const reached = this.#pending.to;
    return passed.filter(({ partition, position }) => !covers(reached, partition, position));
  }

  async #take(delivery: Delivery & { kind: 'events' }): Promise<SessionEnd | undefined> {
    const included = this.#include(delivery.events, delivery.checkpoint);
    const passed = this.#freshOf(delivery);
    const full = delivery.events.length >= this.#pageEventsMax;
    if (full && this.#caughtUp) {
      this.#caughtUp = false;
      this.#report({ state: 'catching-up', caughtUp: false });
    }
    const { ceiling } = this.#memory;
    const under = (event: StoredEvent) => {
      return !ceiling || covers(ceiling, event.partition, event.position);
    };
    const now = included.events.filter(under);
    const reached = ceiling ? bounded(this.#pending.to, included.to, ceiling) : included.to;
    const end = await this.#apply(now, reached);
    if (end) return end;
    if (now.length === included.events.length) {
      this.#tail.take(passed);
      return this.#commitIfDue(!full);
    }
    // The rest lies beyond the hold: what is below it goes first, the rest waits until it is let go.
    const held = await this.#commit();
    if (held) return held;
    this.#memory.ceiling = undefined;
    const later = included.events.filter((event) => !under(event));
    const endLater = await this.#apply(later, included.to);
    if (endLater) return endLater;
    this.#tail.take(passed);
    return this.#commit();
  }

  /**
   * While catching up a batch is filled; once live, what has come is committed at once, or together with all
   * that comes until the batch before it is there.
   */
  async #commitIfDue(nearHead: boolean): Promise<SessionEnd | undefined> {
    const { events } = this.#pending;
    if (events === 0) return this.#commitIdle();
    if (this.#isFull()) return this.#commitAhead();
    if (!this.#caughtUp || !nearHead) return undefined;
    if (!this.#sent) return this.#commitAhead();
    this.#due = true;
    return undefined;
  }

  #isFull(): boolean {
    const { events, dataLength, since } = this.#pending;
    const waited = this.#work.clock.now() - since;
    return (
      events >= this.#batchEventsMax() ||
      this.#memory.fold.dirtyRows >= this.#batchRowsMax ||
      dataLength >= projectorLimits.batchDataLengthMax ||
      waited >= projectorLimits.batchFillMs ||
      waited < 0
    );
  }

  #batchEventsMax(): number {
    const { throttleShare, mode } = this.#work;
    if (throttleShare !== undefined) return projectorLimits.throttledBatchEventsMax;
    return mode === 'build' ? projectorLimits.buildBatchEventsMax : projectorLimits.batchEventsMax;
  }

  async #apply(events: readonly StoredEvent[], to: Checkpoint): Promise<SessionEnd | undefined> {
    const { projection, cipher, workers } = this.#work;
    const mine =
      workers === 1 ? events : events.filter((one) => this.#inShare(one.stream, one.partition));
    try {
      if (mine.length > 0) {
        const decoded = await projection.decode(mine, cipher);
        await this.#memory.fold.add(decoded, this.#gate(mine));
      }
    } catch (error) {
      if (error instanceof EventDecodeError) return this.#haltUnreadable(events, error);
      if (!(error instanceof HandlerError)) throw error;
      this.#count(mine.slice(0, error.index));
      return this.#halt(events, mine[error.index] as StoredEvent, 'handler-failed', error);
    }
    this.#count(mine);
    this.#tail.take(events);
    this.#pending.to = to;
    return undefined;
  }

  #count(events: readonly StoredEvent[]): void {
    const pending = this.#pending;
    if (events.length === 0) return;
    if (pending.events === 0) pending.since = this.#work.clock.now();
    pending.events += events.length;
    pending.lastRecordedAt = events.at(-1)?.recordedAt;
    for (const event of events) pending.dataLength += event.data.length;
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
    const end = await this.#apply(events.slice(0, place), this.#pending.to);
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
    this.#tail.take(before);
    for (const { partition, position } of before) {
      this.#pending.to = advance(this.#pending.to, partition, position);
    }
    const end = await this.#commit();
    if (end) return end;
    const { id, stream, revision, type, partition } = event;
    const halt = {
      reason,
      event: { id, stream, revision, type, partition },
      detail: error.message,
    };
    return { kind: 'halted', halt };
  }

  async #workOffIfDue(stream: string): Promise<SessionEnd | undefined> {
    const { control, generation } = this.#work;
    const { retries, discarded } = control();
    const asked = retries.get(retryKey(generation, stream)) ?? -1;
    const first = this.#parked.of(stream)[0];
    const isAsked = asked > (this.#memory.retried.get(stream) ?? -1);
    if (!first || !(isAsked || discarded.has(first.eventId))) return undefined;
    // Rows and letters in memory must be those in the store: the work gets a batch of its own.
    const end = (await this.#commit()) ?? (await this.#workOff(stream, discarded));
    if (end) return end;
    this.#memory.retried.set(stream, asked);
    this.#report({ parked: this.#parked.letters });
    return undefined;
  }

  /** Applies a stream's parked events in order, up to the first that fails again. */
  async #workOff(stream: string, discarded: ReadonlySet<string>): Promise<SessionEnd | undefined> {
    const { fold } = this.#memory;
    for (let letter = this.#parked.of(stream)[0]; letter; letter = this.#parked.of(stream)[0]) {
      const isDiscarded = discarded.has(letter.eventId);
      if (!isDiscarded && !(await this.#tryAgain(stream, letter.revision, letter.attempts))) break;
      this.#parked.removeFirst(stream);
      if (fold.dirtyRows < this.#batchRowsMax) continue;
      const end = await this.#commit();
      if (end) return end;
    }
    return this.#commit();
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

  /** Sends what is pending, and waits until the store has said what became of it and of all before it. */
  async #commit(): Promise<SessionEnd | undefined> {
    return (await this.#commitAhead()) ?? (await this.#settled());
  }

  /**
   * Sends what is pending when the batch before it is there. What comes meanwhile is folded on top of it: if the
   * store does not take it, the session ends and all of that is forgotten.
   */
  async #commitAhead(): Promise<SessionEnd | undefined> {
    const before = await this.#settled();
    if (before) return before;
    const sent = this.#sendPending().catch((error: unknown): SessionEnd => {
      if (error instanceof StoreLostError) return { kind: 'lost', detail: error.message };
      return { kind: 'again', error };
    });
    this.#sent = sent.then((end) => {
      if (end) this.end(end);
      this.#sent = undefined;
      this.#latch.open();
      return end;
    });
    // A pause between batches is one in which nothing is folded either.
    return this.#isThrottled ? this.#settled() : undefined;
  }

  async #settled(): Promise<SessionEnd | undefined> {
    return (await this.#sent) ?? this.#ended;
  }

  /** Sends what is pending until the store says what became of it. */
  async #sendPending(): Promise<SessionEnd | undefined> {
    const { from, to, events, lastRecordedAt } = this.#pending;
    const { fold } = this.#memory;
    const changes = fold.changes();
    fold.sealed();
    const { worker } = this.#work;
    const tail = this.#tail.upTo(to);
    const first: Batch = { worker, epoch: this.#epoch, from, to, tail, changes };
    Object.assign(this.#pending, { from: to, events: 0, dataLength: 0 });
    this.#due = false;
    const sealed = { events, lastRecordedAt };
    if (changes.length === 0 && sameCheckpoint(from, to)) return this.#applied(first, to, sealed);
    let batch = first;
    let backoffMs: number = projectorLimits.backoffMsMin;
    for (;;) {
      const result = await this.#send(batch);
      if (!result) {
        await this.#work.clock.sleep(backoffMs, this.#abort.signal);
        backoffMs = Math.min(backoffMs * 2, projectorLimits.backoffMsMax);
      } else if (result.kind === 'held') {
        const next = await this.#held(batch, result.at, events);
        if (!next || !('changes' in next)) return next;
        batch = next;
      } else if (result.kind === 'stale') {
        return { kind: 'again' };
      } else {
        return this.#applied(batch, to, sealed);
      }
      if (this.#ended) return this.#ended;
    }
  }

  /** Undefined when the outcome is unknown: the same batch is sent again. */
  async #send(batch: Batch): Promise<CommitResult | undefined> {
    this.#committing = true;
    try {
      return await this.#store.commit(batch);
    } catch (error) {
      if (error instanceof StoreLostError) throw error;
      this.#report({ state: 'failing', detail: messageOf(error) }, error);
      return undefined;
    } finally {
      this.#committing = false;
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
      if (!isStuck) return { ...batch, to, tail: this.#tail.upTo(to) };
      this.#pending.from = batch.from;
      // Who waits for this one to come back asks again at once.
      await this.#work.clock.sleep(projectorLimits.heldPollMs, this.#abort.signal);
      return undefined;
    }
    if (!sameCheckpoint(to, batch.from)) {
      // Also where no event of ours lies before the hold: whoever compares waits for our checkpoint.
      this.#memory.ceiling = at;
      return { kind: 'again' };
    }
    this.#report({ state: 'held', detail: `held at ${encodeCheckpoint(at)} for a comparison` });
    await this.#work.clock.sleep(projectorLimits.heldPollMs, this.#abort.signal);
    return batch;
  }

  /** The store has a batch, which may end before all that was sealed: the rest is pending again. */
  async #applied(
    { from, to, changes }: Batch,
    sealedTo: Checkpoint,
    { events, lastRecordedAt }: Pick<Pending, 'events' | 'lastRecordedAt'>,
  ): Promise<SessionEnd | undefined> {
    if (to !== sealedTo) this.#pending.from = to;
    const moved = !sameCheckpoint(from, to);
    this.#stored = to;
    this.#lastCommitAt = this.#work.clock.now();
    if (!moved && changes.length === 0) return undefined;
    this.#reportCommitted(to, events, changes.length, lastRecordedAt);
    return this.#rest();
  }

  #reportCommitted(
    checkpoint: Checkpoint,
    lastBatchEvents: number,
    lastBatchRows: number,
    lastRecordedAt: number | undefined,
  ): void {
    const { halted } = this.#memory;
    const state = halted.size > 0 ? 'halted' : this.#caughtUp ? 'live' : 'catching-up';
    const detail = halted.values().next().value?.halt.detail;
    const parked = this.#parked.letters;
    const batch = { lastBatchEvents, lastBatchRows };
    const recorded = lastRecordedAt === undefined ? {} : { lastRecordedAt };
    this.#report({ checkpoint, parked, state, detail, ...batch, ...recorded });
  }

  get #isThrottled(): boolean {
    return (this.#work.throttleShare ?? 1) < 1;
  }

  /** The pause that keeps a throttled build at its share of the time. */
  async #rest(): Promise<SessionEnd | undefined> {
    const { throttleShare: share = 1, clock } = this.#work;
    if (!this.#isThrottled) return undefined;
    const worked = Math.max(0, clock.now() - this.#workedSince);
    await clock.sleep((worked * (1 - share)) / share, this.#abort.signal);
    this.#workedSince = clock.now();
    return this.#ended;
  }

  /** Beside the work: renews the lease, notices a store that is gone, and gives the loop its ticks. */
  async #keep(): Promise<void> {
    const { clock } = this.#work;
    const { tickMs, leaseTtlMs } = projectorLimits;
    let renewedAt = clock.now();
    for (;;) {
      await clock.sleep(tickMs, this.#abort.signal);
      if (this.#abort.signal.aborted) return;
      try {
        if (!(await this.#store.present())) {
          return this.end({ kind: 'lost', detail: 'the store was removed or replaced' });
        }
        const now = clock.now();
        if (now - renewedAt >= leaseTtlMs / 3 || now < renewedAt) {
          if (!(await this.#renew(now))) return this.end({ kind: 'again' });
          renewedAt = now;
        }
        for (const { retryAt } of this.#memory.halted.values()) {
          if (now >= retryAt) return this.end({ kind: 'again' });
        }
      } catch (error) {
        if (error instanceof StoreLostError)
          return this.end({ kind: 'lost', detail: error.message });
        this.#report({}, error);
      }
      this.#tick = true;
      this.#latch.open();
    }
  }

  /** False when the lease is another's, or the store went back while nothing was written. */
  async #renew(now: number): Promise<boolean> {
    const { worker, holder } = this.#work;
    const stored = this.#stored;
    const wasCommitting = this.#committing;
    const lease = await this.#store.acquire(worker, holder, now, projectorLimits.leaseTtlMs);
    if (lease.kind === 'busy' || lease.epoch !== this.#epoch) return false;
    const isQuiet = !wasCommitting && !this.#committing && this.#stored === stored;
    return !isQuiet || sameCheckpoint(lease.checkpoint, stored);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
