import { EventLogError } from '@annals/event-log/port';
import { HeadWatch, LogReads, replicaReader } from '@annals/event-log-sqlite/replica';
import { AnsweredAhead } from './answered-ahead.ts';
import { FollowError } from './follow-error.ts';
import { FollowerClient, type StartFollower } from './follower-client.ts';
import { beginning, type FollowerProgress } from './follower-progress.ts';
import type { FollowerTask, JudgedBatch } from './follower-protocol.ts';
import type { OnReport } from './kafka-connection.ts';
import { kafkaLimits } from './kafka-limits.ts';
import type { CatchUpProgress, PartitionStatus } from './kafka-log-options.ts';
import type { OlderBodies } from './older-bodies.ts';
import type { Outcome } from './partition-follower.ts';
import type { Witness } from './record.ts';
import type { Timers } from './timers.ts';
import { verdictHashText } from './verdict-hash.ts';

export interface FollowedTopicOptions {
  readonly task: FollowerTask;
  readonly startFollower: StartFollower;
  readonly bodies: OlderBodies;
  readonly onReport: OnReport;
  readonly onProgress: ((progress: CatchUpProgress) => void) | undefined;
  readonly timers: Timers;
  /** What was read of records that this process has sent. */
  readonly onOutcome: (outcome: Outcome) => void;
  /** What was sent and not read back will not be for a while. */
  readonly onStalled: (error: Error) => void;
  /** The topic is not followed any more, and will not be. */
  readonly onFailed: (error: Error) => void;
}

type PartitionEnd = readonly [partition: number, end: number];

/** A follower is gone. `removed`: its replica was damaged, and begins anew with the next one. */
interface Loss {
  readonly error: Error;
  readonly removed: boolean;
}

/**
 * What this process has read of the topic: follows it into the replica, has reads wait for what was answered, makes a
 * replica that was damaged anew, and starts a follower again that could not go on.
 */
export class FollowedTopic {
  readonly #options: FollowedTopicOptions;
  readonly #watch: HeadWatch;
  /** What was judged, */
  readonly #progress = new Map<number, FollowerProgress>();
  /** and what of it can be read. */
  readonly #committed = new Map<number, FollowerProgress>();
  readonly #ahead = new AnsweredAhead();
  #follower: FollowerClient | undefined;
  #reads: LogReads | undefined;
  #commits = 0;
  #commitAsked = false;
  /** How the follower that was started last was lost. */
  #loss: Loss | undefined;
  #recovering: Promise<void> | undefined;
  #endPause: () => void = () => undefined;
  #heals = 0;
  #failure: Error | undefined;
  #opened = false;
  #ended = false;
  #moved = Promise.withResolvers<void>();

  constructor(options: FollowedTopicOptions) {
    this.#options = options;
    this.#watch = new HeadWatch(() => this.#commits);
  }

  /** Undefined until the replica has been opened. */
  get reads(): LogReads | undefined {
    return this.#reads;
  }

  /** Why the topic is not followed now, or not any more. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  status(): readonly PartitionStatus[] {
    return [...this.#committed].map(([partition, progress]) => ({
      partition,
      offset: progress.lastOffset,
      verdictHash: verdictHashText(progress.hash),
      ...{ events: progress.events, foreign: progress.foreign },
      ...{ voids: progress.voids, barriers: progress.barriers },
    }));
  }

  /** Whether a record of the partition says how many of them the log has. */
  isFounded(partition: number): boolean {
    return this.#progress.get(partition)?.isFounded === true;
  }

  /** Whether a record of any partition says how many of them the log has. */
  get isAnyFounded(): boolean {
    return [...this.#progress.values()].some(({ isFounded }) => isFounded);
  }

  /** The partition with the most records of ours that would live elsewhere, and how many events are in their place there. */
  misplaced(): { readonly partition: number; readonly records: number; readonly events: number } {
    let most = { partition: 0, records: 0, events: 0 };
    for (const [partition, { misplaced: records = 0, events }] of this.#progress) {
      if (records > most.records) most = { partition, records, events };
    }
    return most;
  }

  /** How far a partition was judged, and with what verdicts. */
  witness(partition: number): Witness {
    const { lastOffset, hash } = this.#progress.get(partition) ?? beginning('', 0);
    return { offset: lastOffset, hash };
  }

  /** Follows the topic up to where it ended as it was opened. A damaged replica begins anew by itself. */
  async catchUp(): Promise<void> {
    const { topic, served } = this.#options.task;
    const ends = served.map((partition): PartitionEnd => {
      return [partition, topic.offsets[partition]?.end ?? 0];
    });
    for (;;) {
      try {
        await this.#follow(ends);
        break;
      } catch (error) {
        // Whoever opens the log hears of all else.
        if (!this.#loss?.removed || !this.#healsOnce(this.#loss)) throw error;
        await this.#follower?.gone();
      }
    }
    this.#opened = true;
    // Lost in the very turn in which it had caught up.
    if (this.#loss) this.#lost(this.#loss);
  }

  /** Nobody reads any more. */
  end(): void {
    this.#ended = true;
    this.#reads?.end();
    this.#move();
    this.#endPause();
    if (this.#recovering) this.#options.onStalled(closing());
  }

  /** Stops to follow. The files are still open. */
  async stop(): Promise<void> {
    await this.#recovering;
    await this.#follower?.close();
  }

  /** Closes the files. */
  close(): void {
    this.#reads?.close();
  }

  /** Follows the topic from where the replica is, and resolves when it has come to `ends`. */
  async #follow(ends: readonly PartitionEnd[]): Promise<void> {
    const { startFollower, bodies, onReport } = this.#options;
    const isAgain = this.#follower !== undefined;
    const task = { ...withEnds(this.#options.task, ends), isAgain };
    const told = new Map(ends);
    const events = {
      onJudged: (batches: readonly JudgedBatch[], committed: boolean) =>
        this.#judged(batches, committed ? task.served : []),
      onFailed: (error: Error, removed: boolean) => this.#lost({ error, removed }),
      onReport,
    };
    this.#loss = undefined;
    this.#progress.clear();
    this.#commitAsked = false;
    this.#follower = new FollowerClient(task, events, startFollower);
    for (const { partition, found, progress } of await this.#follower.opened()) {
      this.#progress.set(partition, progress);
      // What became of those records nobody was told, and it is not told again.
      if (isAgain && progress.nextOffset > (told.get(partition) ?? 0)) {
        this.#options.onStalled(new Error(`the replica of partition ${partition} was ahead`));
      }
      if (found !== 'damaged') continue;
      const message = `the replica of partition ${partition} was damaged: it is made anew`;
      onReport({ level: 'warn', message, fields: {} });
    }
    const readers = task.served.map((partition) => replicaReader(task.folder, partition));
    if (this.#reads) this.#reads.replaceReaders(readers);
    else {
      const settle = () => this.#readable();
      this.#reads = new LogReads(readers, this.#watch, settle, (events) => bodies.fill(events));
    }
    while (this.#lag(ends) > 0) await this.#step();
    for (const partition of task.served) this.#ahead.answered(partition);
    const isCommitted = this.#ahead.wait();
    this.#askToCommit();
    while (isCommitted && !isCommitted()) await this.#step();
  }

  /** Resolves when something has become of the follower that may bring it on. */
  async #step(): Promise<void> {
    this.#mustFollow();
    await this.#moved.promise;
    this.#mustFollow();
  }

  #mustFollow(): void {
    if (this.#loss) throw this.#loss.error;
    if (this.#ended) throw closing();
  }

  #askToCommit(): void {
    if (!this.#commitAsked) this.#follower?.commit();
    this.#commitAsked = true;
  }

  #judged(batches: readonly JudgedBatch[], committed: readonly number[]): void {
    for (const { partition, progress, outcomes } of batches) {
      this.#progress.set(partition, progress);
      if (outcomes.length > 0) this.#ahead.answered(partition);
      for (const outcome of outcomes) this.#options.onOutcome(outcome);
    }
    this.#ahead.committed(committed);
    for (const partition of committed) {
      const progress = this.#progress.get(partition);
      if (progress) this.#committed.set(partition, progress);
    }
    if (committed.length > 0) {
      this.#commitAsked = false;
      this.#commits += 1;
      this.#watch.wakeAll();
    }
    this.#move();
  }

  /** Those who wait for something to become of the follower look again. */
  #move(): void {
    this.#moved.resolve();
    this.#moved = Promise.withResolvers();
  }

  /** Resolves when all that was answered can be read, and the replica is whole. */
  async #readable(): Promise<void> {
    const isCommitted = this.#ahead.wait();
    // Who reads a log that is closed hears so from the reads.
    while (!this.#ended) {
      // Also who has read all that there is: nothing would come, and he would take that for quiet.
      if (this.#failure) throw this.#failure;
      if (!this.#recovering) {
        if (!isCommitted || isCommitted()) return;
        this.#askToCommit();
      }
      await this.#moved.promise;
    }
  }

  #lost(loss: Loss): void {
    this.#loss = loss;
    if (this.#ended) this.#options.onStalled(loss.error);
    else if (this.#opened) this.#recovering ??= this.#recover();
    this.#move();
  }

  /**
   * The follower is gone. Where its replica was damaged, reads wait until it is what it was, and appends under way are
   * answered when their records are read again. A disk that is full, or a thread that died, may take its time: so
   * all is refused with the reason until the topic is followed again, from where the replica is.
   */
  async #recover(): Promise<void> {
    const ends = new Map<number, number>();
    let pauseMs: number = kafkaLimits.refollowMsMin;
    for (let tries = 0; this.#loss && !this.#ended; tries += 1) {
      const { error, removed } = this.#loss;
      // Also what the last try has read beyond where the first follower was: some of it was answered.
      for (const [partition, { nextOffset }] of this.#progress) {
        ends.set(partition, Math.max(nextOffset, ends.get(partition) ?? 0));
      }
      const isMended = removed && this.#healsOnce(this.#loss);
      if (error instanceof FollowError || (removed && !isMended)) {
        this.#fail(error);
        break;
      }
      if (!isMended) {
        this.#stall(error);
        if (tries > 0) this.#options.onStalled(error);
        await this.#pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, kafkaLimits.refollowMsMax);
      }
      await this.#followAgain([...ends]);
    }
    this.#recovering = undefined;
    this.#move();
    this.#watch.wakeAll();
  }

  async #followAgain(ends: readonly PartitionEnd[]): Promise<void> {
    // Its files are its own until it is gone.
    await this.#follower?.gone();
    if (this.#ended) return;
    try {
      await this.#follow(ends);
    } catch (error) {
      if (this.#loss || this.#ended) return;
      // It follows on, but what it keeps cannot be opened here.
      await this.#follower?.close();
      this.#loss = { error: error as Error, removed: false };
      return;
    }
    if (this.#failure) {
      this.#options.onReport({ level: 'warn', message: 'the topic is followed again', fields: {} });
    }
    this.#failure = undefined;
  }

  /** Whether a replica that was removed is made anew once more. After some times the disk is to blame. */
  #healsOnce({ error }: Loss): boolean {
    if (this.#heals >= kafkaLimits.healsMax) return false;
    this.#heals += 1;
    const message = `${error.message}: the replica is made anew from the topic`;
    this.#options.onReport({ level: 'warn', message, fields: {} });
    return true;
  }

  /** Until the topic is followed again everything throws this; it is told once for each reason. */
  #stall(error: Error): void {
    if (this.#failure?.message !== error.message) {
      const message = `${error.message}: the topic is not followed until that is over`;
      this.#options.onReport({ level: 'error', message, fields: {} });
    }
    this.#failure = error;
    this.#move();
    this.#watch.wakeAll();
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.timers.after(ms, resolve);
    this.#endPause = resolve;
    await promise;
    timer.cancel();
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.#options.onReport({ level: 'error', message: error.message, fields: {} });
    this.#options.onStalled(error);
    this.#options.onFailed(error);
  }

  /** Records still to be read until the topic is followed to `ends`. */
  #lag(ends: readonly PartitionEnd[]): number {
    let records = 0;
    let recordsTotal = 0;
    for (const [partition, end] of ends) {
      recordsTotal += end;
      records += Math.min(end, this.#progress.get(partition)?.nextOffset ?? 0);
    }
    this.#options.onProgress?.({ records, recordsTotal });
    return recordsTotal - records;
  }
}

function closing(): EventLogError {
  return new EventLogError('closed', 'the event log is closed');
}

/** What the topic had is no less now: a replica that was followed further than to where it was opened is not behind it. */
function withEnds(task: FollowerTask, ends: readonly PartitionEnd[]): FollowerTask {
  const offsets = [...task.topic.offsets];
  for (const [partition, end] of ends) {
    const { low, end: opened } = offsets[partition] ?? { low: 0, end: 0 };
    offsets[partition] = { low, end: Math.max(opened, end) };
  }
  return { ...task, topic: { ...task.topic, offsets } };
}
