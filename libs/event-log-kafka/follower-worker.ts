import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { EventLogError } from '@annals/event-log/port';
import {
  isDamage,
  openReplica,
  type Replica,
  removeReplica,
} from '@annals/event-log-sqlite/replica';
import type { EachBatchPayload } from 'kafkajs';
import { FollowError } from './follow-error.ts';
import type {
  FollowerFailure,
  FollowerMessage,
  FollowerRequest,
  FollowerTask,
  JudgedBatch,
} from './follower-protocol.ts';
import { kafkaClient } from './kafka-connection.ts';
import { kafkaLimits } from './kafka-limits.ts';
import { PartitionFollower } from './partition-follower.ts';
import { type RecordFormats, recordFormats } from './record-formats.ts';
import { TopicFeed } from './topic-feed.ts';

/**
 * The thread that follows the topic: it fetches, judges and keeps, so that neither a long catching up nor
 * a busy neighbour takes time from the thread that serves.
 */
class FollowerThread {
  readonly #port: MessagePort;
  readonly #task: FollowerTask;
  readonly #formats: RecordFormats;
  readonly #replicas = new Map<number, Replica>();
  readonly #followers = new Map<number, PartitionFollower>();
  readonly #seeks = new Map<number, number>();
  #feed: TopicFeed | undefined;
  #untold: JudgedBatch[] = [];
  #tellingSoon = false;
  #uncommittedRecords = 0;
  #committedAt = 0;
  #commitTimer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(port: MessagePort, task: FollowerTask, formats: RecordFormats) {
    this.#port = port;
    this.#task = task;
    this.#formats = formats;
    port.on('message', (request: FollowerRequest) => {
      if (request === 'commit') this.#commit();
      else this.#close();
    });
  }

  start(): void {
    try {
      this.#openReplicas();
    } catch (error) {
      this.#fail(error);
      return;
    }
    const { connection, topicName, instance } = this.#task;
    const client = kafkaClient(
      connection,
      { requestMsMax: kafkaLimits.connectMsMax, retries: 8 },
      (report) => this.#say({ kind: 'report', report }),
    );
    this.#feed = new TopicFeed({
      client,
      topic: topicName,
      // A group of its own: kafkajs reads by groups only, and no two processes share the work.
      groupId: `annals.${topicName}.${instance}`,
      partitions: this.#task.served,
      from: (partition) => this.#followers.get(partition)?.feedFrom ?? 0,
      onBegin: () => {
        for (const follower of this.#followers.values()) follower.resume();
      },
      onBatch: (payload) => this.#apply(payload),
      onReport: (report) => this.#say({ kind: 'report', report }),
    });
    this.#feed.start();
  }

  #openReplicas(): void {
    const { folder, served, topic, instance } = this.#task;
    const followed = served.map((partition) => {
      const { replica, found } = openReplica(folder, partition);
      this.#replicas.set(partition, replica);
      const follower = new PartitionFollower({
        ...{ replica, topic: topic.name, partition, partitions: topic.partitions },
        ...{ formats: this.#formats, instance },
      });
      const { low, end } = topic.offsets[partition] ?? { low: 0, end: 0 };
      follower.checkEnd(end);
      if (low > follower.feedFrom) throw lostRecords(partition, low, follower);
      this.#followers.set(partition, follower);
      return { partition, found, progress: follower.progress };
    });
    this.#say({ kind: 'opened', followed });
  }

  #apply({ batch, resolveOffset }: EachBatchPayload): void {
    const { partition } = batch;
    const follower = this.#followers.get(partition);
    if (!follower || this.#ended) return;
    try {
      follower.checkEnd(Number(batch.highWatermark));
      const judged = follower.judge(
        batch.messages.map(({ offset, key, value }) => ({ offset: Number(offset), key, value })),
      );
      if (judged.kind === 'seek') {
        this.#seekAgain(follower, judged.from);
        return;
      }
      this.#seeks.delete(partition);
      resolveOffset(batch.lastOffset());
      this.#uncommittedRecords += batch.messages.length;
      this.#tellSoon({ partition, progress: follower.progress, outcomes: judged.outcomes });
    } catch (error) {
      this.#fail(error);
    }
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
    setImmediate(() => {
      this.#tellingSoon = false;
      if (this.#ended) return;
      if (this.#uncommittedRecords >= kafkaLimits.commitRecordsMax) {
        this.#commit();
        return;
      }
      this.#tell(false);
      const sinceMs = performance.now() - this.#committedAt;
      const waitMs = Math.max(0, kafkaLimits.commitMsMin - sinceMs);
      this.#commitTimer ??= setTimeout(() => this.#commit(), waitMs);
    });
  }

  #commit(): void {
    if (this.#ended) return;
    clearTimeout(this.#commitTimer);
    this.#commitTimer = undefined;
    try {
      for (const follower of this.#followers.values()) follower.commit();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#uncommittedRecords = 0;
    this.#committedAt = performance.now();
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
    this.#end();
    if (removed) {
      for (const partition of this.#task.served) removeReplica(this.#task.folder, partition);
    }
    this.#say({ kind: 'failed', error: failureOf(error, removed) });
    this.#port.close();
  }

  #close(): void {
    this.#commit();
    if (this.#ended) return;
    this.#end();
    this.#say({ kind: 'closed' });
    this.#port.close();
  }

  #end(): void {
    this.#ended = true;
    clearTimeout(this.#commitTimer);
    this.#feed?.stop();
    for (const replica of this.#replicas.values()) replica.close();
    this.#replicas.clear();
  }

  #say(message: FollowerMessage): void {
    this.#port.postMessage(message);
  }
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

if (parentPort) {
  const task = workerData as FollowerTask;
  const given = task.formatsModule
    ? ((await import(task.formatsModule)) as { recordFormats: RecordFormats }).recordFormats
    : recordFormats;
  new FollowerThread(parentPort, task, given).start();
}
