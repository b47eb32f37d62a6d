import { EventLogError } from '@annals/event-log/port';
import {
  isDamage,
  openReplica,
  type Replica,
  removeReplica,
} from '@annals/event-log-sqlite/replica';
import { FollowError } from './follow-error.ts';
import type {
  FollowerFailure,
  FollowerMessage,
  FollowerRequest,
  FollowerTask,
  JudgedBatch,
} from './follower-protocol.ts';
import type { OnReport } from './kafka-connection.ts';
import { kafkaLimits } from './kafka-limits.ts';
import { PartitionFollower, type TopicRecord } from './partition-follower.ts';
import type { RecordFormats } from './record-formats.ts';
import type { Timer, Timers } from './timers.ts';

/** Some records of one partition, in order. */
export interface FeedBatch {
  readonly partition: number;
  /** The offset that the topic would give to its next record. */
  readonly end: number;
  readonly records: readonly TopicRecord[];
  /** From where it was fetched, and the offset behind all that was, also behind what is no record. */
  readonly from: number;
  readonly next: number;
}

/** Brings the records of the partitions that are followed. It promises little: see `TopicFeed`. */
export interface Feed {
  start(): void;
  seek(partition: number, offset: number): void;
  /** Nothing is handed over from here on. */
  stop(): void;
}

export interface FeedOptions {
  readonly partitions: readonly number[];
  /** Where a partition has to begin, asked whenever the feed begins anew. */
  from(partition: number): number;
  /** Where a partition ends at least, as far as is known here. */
  endMin(partition: number): number;
  /** `topicId`: the id of the topic that is read from here on, where the cluster tells it. */
  onBegin(topicId: string | undefined): void;
  onBatch(batch: FeedBatch): void;
  /** The offset that was asked for is not among those that the topic has: from `low` to before `end`. */
  onOutOfRange(partition: number, low: number, end: number): void;
  readonly onReport: OnReport;
}

export interface FollowerThreadOptions {
  readonly task: FollowerTask;
  readonly formats: RecordFormats;
  readonly timers: Timers;
  feed(options: FeedOptions): Feed;
  readonly openReplica?: typeof openReplica;
  /** To the thread that serves; nothing comes after `failed` and `closed`. */
  say(message: FollowerMessage): void;
}

/**
 * The thread that follows the topic: it fetches, judges and keeps, so that neither a long catching up nor
 * a busy neighbour takes time from the thread that serves.
 */
export class FollowerThread {
  readonly #options: FollowerThreadOptions;
  readonly #task: FollowerTask;
  readonly #replicas = new Map<number, Replica>();
  readonly #followers = new Map<number, PartitionFollower>();
  readonly #seeks = new Map<number, number>();
  #feed: Feed | undefined;
  #untold: JudgedBatch[] = [];
  #tellingSoon = false;
  #uncommittedRecords = 0;
  #committedAt = Number.NEGATIVE_INFINITY;
  #commitTimer: Timer | undefined;
  #ended = false;

  constructor(options: FollowerThreadOptions) {
    this.#options = options;
    this.#task = options.task;
  }

  start(): void {
    try {
      this.#openReplicas();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#feed = this.#options.feed({
      partitions: this.#task.served,
      from: (partition) => this.#followers.get(partition)?.feedFrom ?? 0,
      endMin: (partition) =>
        Math.max(this.#followers.get(partition)?.nextOffset ?? 0, this.#openedEnd(partition)),
      onBegin: (topicId) => this.#begin(topicId),
      onBatch: (batch) => this.#apply(batch),
      onOutOfRange: (partition, low, end) => this.#leaveRange(partition, low, end),
      onReport: (report) => this.#say({ kind: 'report', report }),
    });
    this.#feed.start();
  }

  ask(request: FollowerRequest): void {
    if (request === 'commit') this.#commit();
    else this.#close();
  }

  /** Ends at once, as a crash does: what was not committed is gone. */
  end(): void {
    this.#ended = true;
    this.#commitTimer?.cancel();
    this.#feed?.stop();
    for (const replica of this.#replicas.values()) replica.close();
    this.#replicas.clear();
  }

  #openReplicas(): void {
    const { folder, served, topic, instance, isAgain } = this.#task;
    const { openReplica: open = openReplica } = this.#options;
    const followed = served.map((partition) => {
      const { replica, found } = open(folder, partition);
      this.#replicas.set(partition, replica);
      const follower = new PartitionFollower({
        ...{ replica, topic: topic.name, topicId: topic.id, partition },
        partitions: topic.partitions,
        ...{ formats: this.#options.formats, instance, bodyRecordsMax: this.#task.bodyRecordsMax },
      });
      const { low, end } = topic.offsets[partition] ?? { low: 0, end: 0 };
      checkRange(follower, low, isAgain ? Math.max(end, follower.nextOffset) : end);
      this.#followers.set(partition, follower);
      return { partition, found, progress: follower.progress };
    });
    this.#say({ kind: 'opened', followed });
  }

  #begin(topicId: string | undefined): void {
    if (this.#ended) return;
    try {
      for (const follower of this.#followers.values()) follower.resume(topicId);
    } catch (error) {
      this.#fail(error);
    }
  }

  #leaveRange(partition: number, low: number, end: number): void {
    const follower = this.#followers.get(partition);
    if (!follower || this.#ended) return;
    try {
      checkRange(follower, low, end);
      // The range has moved since: what is needed is there again.
      this.#seekAgain(follower, follower.feedFrom);
    } catch (error) {
      this.#fail(error);
    }
  }

  #apply({ partition, end, records, from, next }: FeedBatch): void {
    const follower = this.#followers.get(partition);
    if (!follower || this.#ended) return;
    try {
      follower.checkEnd(end);
      this.#checkOpenedEnd(partition, end);
      const judged = follower.judge(records, { from, next });
      if (judged.kind === 'seek') {
        this.#seekAgain(follower, judged.from);
        return;
      }
      this.#seeks.delete(partition);
      this.#uncommittedRecords += records.length;
      this.#tellSoon({ partition, progress: follower.progress, outcomes: judged.outcomes });
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Opening waits for all that was in the topic as it was opened: what is gone would be waited for without end. */
  #checkOpenedEnd(partition: number, end: number): void {
    const opened = this.#openedEnd(partition);
    if (end >= opened) return;
    throw new FollowError(
      'shorter-topic',
      `partition ${partition} of ${this.#task.topic.name} ended at offset ${opened} as it was opened, and ends at ${end} now: ` +
        'it has been truncated. To follow what is there now, open it again',
    );
  }

  #openedEnd(partition: number): number {
    return this.#task.topic.offsets[partition]?.end ?? 0;
  }

  /**
   * Once for all partitions that one fetch has brought. Appends are answered by verdicts, so these are told at
   * once. Commits are dear and keep their distance, so that several fetches share one; whoever wants to read sooner
   * what was answered asks for it.
   */
  #tellSoon(batch: JudgedBatch): void {
    this.#untold.push(batch);
    if (this.#tellingSoon) return;
    this.#tellingSoon = true;
    this.#options.timers.soon(() => {
      this.#tellingSoon = false;
      if (this.#ended) return;
      if (this.#uncommittedRecords >= kafkaLimits.commitRecordsMax) {
        this.#commit();
        return;
      }
      this.#tell(false);
      const sinceMs = this.#options.timers.nowMs() - this.#committedAt;
      const waitMs = Math.max(0, kafkaLimits.commitMsMin - sinceMs);
      this.#commitTimer ??= this.#options.timers.after(waitMs, () => this.#commit());
    });
  }

  #commit(): void {
    if (this.#ended) return;
    this.#commitTimer?.cancel();
    this.#commitTimer = undefined;
    try {
      for (const follower of this.#followers.values()) follower.commit();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#uncommittedRecords = 0;
    this.#committedAt = this.#options.timers.nowMs();
    this.#tell(true);
  }

  #tell(committed: boolean): void {
    const batches = this.#untold;
    this.#untold = [];
    this.#say({ kind: 'judged', batches, committed });
  }

  #seekAgain(follower: PartitionFollower, from: number): void {
    const { partition } = follower;
    const seeks = (this.#seeks.get(partition) ?? 0) + 1;
    this.#seeks.set(partition, seeks);
    if (seeks > kafkaLimits.seeksMax) throw lostRecords(partition, undefined, follower);
    this.#feed?.seek(partition, from);
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    const removed = isDamage(error) && !(error instanceof FollowError);
    this.end();
    if (removed) {
      for (const partition of this.#task.served) removeReplica(this.#task.folder, partition);
    }
    this.#say({ kind: 'failed', error: failureOf(error, removed) });
  }

  #close(): void {
    this.#commit();
    if (this.#ended) return;
    this.end();
    this.#say({ kind: 'closed' });
  }

  #say(message: FollowerMessage): void {
    this.#options.say(message);
  }
}

/** Throws FollowError when the topic no longer has what the follower has read, or is to read next. */
function checkRange(follower: PartitionFollower, low: number, end: number): void {
  follower.checkEnd(end);
  if (low > follower.feedFrom) throw lostRecords(follower.partition, low, follower);
}

function lostRecords(
  partition: number,
  low: number | undefined,
  follower: PartitionFollower,
): FollowError {
  const { topic } = follower.progress;
  const begins = low === undefined ? '' : ` and begins at offset ${low}`;
  return new FollowError(
    'shorter-topic',
    `partition ${partition} of ${topic} no longer holds offset ${follower.feedFrom}${begins}: ` +
      'records were removed from it. Start from a snapshot that goes further',
  );
}

function failureOf(error: unknown, removed: boolean): FollowerFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof FollowError) {
    return { code: error.code, problem: error.problem, removed, message };
  }
  return error instanceof EventLogError
    ? { code: error.code, removed, message }
    : { removed, message };
}
