import { HeadWatch, LogReads, replicaReader } from '@annals/event-log-sqlite/replica';
import { AnsweredAhead } from './answered-ahead.ts';
import { FollowerClient, type StartFollower } from './follower-client.ts';
import { beginning, type FollowerProgress } from './follower-progress.ts';
import type { FollowerTask, JudgedBatch } from './follower-protocol.ts';
import type { OnReport } from './kafka-connection.ts';
import { kafkaLimits } from './kafka-limits.ts';
import type { CatchUpProgress, PartitionStatus } from './kafka-log-options.ts';
import type { OlderBodies } from './older-bodies.ts';
import type { Outcome } from './partition-follower.ts';
import type { Witness } from './record.ts';
import { verdictHashText } from './verdict-hash.ts';

export interface FollowedTopicOptions {
  readonly task: FollowerTask;
  readonly startFollower: StartFollower;
  readonly bodies: OlderBodies;
  readonly onReport: OnReport;
  readonly onProgress: ((progress: CatchUpProgress) => void) | undefined;
  /** What was read of records that this process has sent. */
  readonly onOutcome: (outcome: Outcome) => void;
  /** The topic is not followed any more, and will not be. */
  readonly onFailed: (error: Error) => void;
}

type PartitionEnd = readonly [partition: number, end: number];

/**
 * What this process has read of the topic: follows it into the replica, has reads wait for what was answered, and
 * makes a replica that was damaged anew.
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
  #healing: Promise<void> | undefined;
  #heals = 0;
  #failure: Error | undefined;
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

  /** Why the topic is not followed any more. */
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

  /** A partition with records of ours that would live elsewhere, where no record of any says how many partitions there are. */
  misplaced(): { readonly partition: number; readonly records: number } | undefined {
    const progress = [...this.#progress];
    if (progress.some(([, { isFounded }]) => isFounded)) return undefined;
    const found = progress.find(([, { misplaced = 0 }]) => misplaced > 0);
    return found && { partition: found[0], records: found[1].misplaced ?? 0 };
  }

  /** How far a partition was judged, and with what verdicts. */
  witness(partition: number): Witness {
    const { lastOffset, hash } = this.#progress.get(partition) ?? beginning('', 0);
    return { offset: lastOffset, hash };
  }

  /** Follows the topic up to where it ended as it was opened. A damaged replica begins anew by itself. */
  catchUp(): Promise<void> {
    const { topic, served } = this.#options.task;
    return this.#follow(served.map((partition) => [partition, topic.offsets[partition]?.end ?? 0]));
  }

  /** Nobody reads any more. */
  end(): void {
    this.#ended = true;
    this.#reads?.end();
  }

  /** Stops to follow. The files are still open. */
  async stop(): Promise<void> {
    await this.#follower?.close();
  }

  /** Closes the files. */
  close(): void {
    this.#reads?.close();
  }

  /** Follows the topic from where the replica is, and resolves when it has come to `ends`. */
  async #follow(ends: readonly PartitionEnd[]): Promise<void> {
    const { startFollower, bodies, onReport } = this.#options;
    const task = withEnds(this.#options.task, ends);
    const events = {
      onJudged: (batches: readonly JudgedBatch[], committed: boolean) =>
        this.#judged(batches, committed ? task.served : []),
      onFailed: (error: Error, removed: boolean) => this.#lost(error, removed),
      onReport,
    };
    this.#progress.clear();
    this.#commitAsked = false;
    this.#follower = new FollowerClient(task, events, startFollower);
    for (const { partition, found, progress } of await this.#follower.opened()) {
      this.#progress.set(partition, progress);
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
    while (this.#lag(ends) > 0) {
      if (this.#failure) throw this.#failure;
      await this.#moved.promise;
    }
    for (const partition of task.served) this.#ahead.answered(partition);
    await this.#settled();
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
    // Who reads a log that is closed hears so from the reads.
    if (this.#ended) return;
    do {
      await this.#healing;
      // Also who has read all that there is: nothing would ever come, and he would take that for quiet.
      if (this.#failure) throw this.#failure;
      await this.#settled();
    } while (this.#healing);
  }

  /** Resolves when all that was answered can be read. */
  async #settled(): Promise<void> {
    const isCommitted = this.#ahead.wait();
    if (!isCommitted) return;
    if (!this.#commitAsked) this.#follower?.commit();
    this.#commitAsked = true;
    const follower = this.#follower;
    while (!isCommitted()) {
      await this.#moved.promise;
      if (this.#failure) throw this.#failure;
      // A replica is made anew: whoever wants to read waits for that.
      if (this.#follower !== follower) return;
    }
  }

  /**
   * The follower is gone. Where its replica was damaged, it is made anew from the topic: reads wait until it is what
   * it was, and appends under way are answered when their records are read again.
   */
  #lost(error: Error, removed: boolean): void {
    const hopeless = this.#healing !== undefined || this.#heals >= kafkaLimits.healsMax;
    if (!removed || !this.#reads || this.#ended || hopeless) {
      this.#fail(error);
      return;
    }
    this.#heals += 1;
    const message = `${error.message}: the replica is made anew from the topic`;
    this.#options.onReport({ level: 'warn', message, fields: {} });
    this.#healing = this.#heal();
    // Those who wait for a commit go on to wait for this.
    this.#move();
  }

  async #heal(): Promise<void> {
    const ends = [...this.#progress].map(
      ([partition, { nextOffset }]): PartitionEnd => [partition, nextOffset],
    );
    try {
      await this.#follow(ends);
    } catch (error) {
      if (!this.#failure) this.#fail(error as Error);
    } finally {
      this.#healing = undefined;
      this.#watch.wakeAll();
    }
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.#options.onReport({ level: 'error', message: error.message, fields: {} });
    this.#move();
    this.#watch.wakeAll();
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

/** What the topic had is no less now: a replica that was followed further than to where it was opened is not behind it. */
function withEnds(task: FollowerTask, ends: readonly PartitionEnd[]): FollowerTask {
  const offsets = [...task.topic.offsets];
  for (const [partition, end] of ends) {
    const { low, end: opened } = offsets[partition] ?? { low: 0, end: 0 };
    offsets[partition] = { low, end: Math.max(opened, end) };
  }
  return { ...task, topic: { ...task.topic, offsets } };
}
