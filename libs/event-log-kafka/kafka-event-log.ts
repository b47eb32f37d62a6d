import { type Clock, systemClock } from '@annals/core';
import {
  type AppendResult,
  type Checkpoint,
  checkAppend,
  type Delivery,
  type EventLog,
  EventLogError,
  type Expected,
  type Filter,
  type NewEvent,
  type Page,
  type StreamPage,
} from '@annals/event-log';
import {
  HeadWatch,
  LogReads,
  ownReplicaFolder,
  type ReadOptions,
  type ReplicaOwner,
  replicaReader,
  type StreamReadOptions,
} from '@annals/event-log-sqlite/replica';
import type { ISocketFactory, Message } from 'kafkajs';
import { AnsweredAhead } from './answered-ahead.ts';
import { AppendQueue } from './append-queue.ts';
import { FollowerClient } from './follower-client.ts';
import { beginning, type FollowerProgress } from './follower-progress.ts';
import type { FollowerTask, JudgedBatch } from './follower-protocol.ts';
import type { KafkaConnection, OnReport } from './kafka-connection.ts';
import { type KafkaEngine, kafkaEngine, type MessageLine } from './kafka-engine.ts';
import { kafkaLimits } from './kafka-limits.ts';
import { OlderBodies } from './older-bodies.ts';
import { partitionOf } from './partition-of.ts';
import type { Compression } from './produce-line.ts';
import { appendIdOf, type Witness } from './record.ts';
import type { RecordToEncode } from './record-format-1.ts';
import { type RecordFormat, writtenFormat } from './record-formats.ts';
import type { TopicSettings } from './topic.ts';
import { verdictHashText } from './verdict-hash.ts';

export interface CatchUpProgress {
  /** Records of the topic that are in the replica, and that were in the topic as it was opened. */
  readonly records: number;
  readonly recordsTotal: number;
}

export interface KafkaEventLogOptions extends Partial<Omit<TopicSettings, 'topic'>> {
  readonly connection: KafkaConnection;
  readonly topic: string;
  /** Where this process keeps its replica. No other process may use it; it can be removed at any time it is closed. */
  readonly folder: string;
  /** The partitions this process follows; all unless told. Streams of others can be neither read nor written here. */
  readonly served?: readonly number[];
  /** Stamps `recordedAt`. */
  readonly clock?: Pick<Clock, 'now'>;
  readonly compression?: Compression;
  /** `readStream` waits until it has read all that was acknowledged before it was called, by any process. */
  readonly linearizableReads?: boolean;
  /**
   * Of how many records of each partition the replica keeps bodies, the last ones; all unless told. Older bodies are read
   * from the topic, and answers are the same.
   */
  readonly bodyRecordsMax?: number;
  readonly queueAppendsMax?: number;
  readonly queueBytesMax?: number;
  /** The record format that is written; raised once all processes can read it. */
  readonly writtenFormat?: number;
  /** URL of a module that exports other `recordFormats`, for tests of formats that do not exist yet. */
  readonly formatsModule?: string;
  /** Opens the connections that write; for a proxy, say. */
  readonly socketFactory?: ISocketFactory;
  /** While the replica catches up, before the log is opened. */
  readonly onProgress?: (progress: CatchUpProgress) => void;
  /** What kafkajs and the follower have to say. */
  readonly onReport?: OnReport;
}

/** How far one partition was followed. Two processes at the same offset have the same hash. */
export interface PartitionStatus {
  readonly partition: number;
  readonly offset: number;
  readonly verdictHash: string;
  readonly events: number;
  /** Records that are not ours: skipped. */
  readonly foreign: number;
  readonly voids: number;
  readonly barriers: number;
}

/** The port, and what an operator wants to know of it. */
export interface KafkaEventLog extends EventLog {
  readonly folder: string;
  readonly partitions: number;
  /** Resolves when all that was acknowledged in the stream's partition before the call has been read here. */
  barrier(stream: string): Promise<void>;
  status(): readonly PartitionStatus[];
  statistics(): { readonly queueDepth: number; readonly queueBytes: number };
}

/**
 * Opens the log in a topic, which is made when it is not there, and catches up with it before anything
 * is served. Throws EventLogError: `io` when no broker answers or the folder belongs to another process,
 * `not-a-log` for a topic with wrong settings, and FollowError when it is not the topic it was.
 */
export function kafkaEventLog(options: KafkaEventLogOptions): Promise<KafkaEventLog> {
  return kafkaEventLogOn(kafkaEngine(options), options);
}

/** The same over another engine than real brokers. */
export async function kafkaEventLogOn(
  engine: KafkaEngine,
  options: KafkaEventLogOptions,
): Promise<KafkaEventLog> {
  const owner = ownReplicaFolder(options.folder);
  try {
    return await open(engine, options, owner);
  } catch (error) {
    owner.release();
    throw error;
  }
}

async function open(
  engine: KafkaEngine,
  options: KafkaEventLogOptions,
  owner: ReplicaOwner,
): Promise<KafkaEventLog> {
  const { connection, topic: topicName, folder, onReport = () => undefined } = options;
  const formats = await engine.formats();
  const format = formats.get(options.writtenFormat ?? writtenFormat);
  if (!format) throw new RangeError(`record format ${options.writtenFormat} is not known`);
  const { bodyRecordsMax } = options;
  if (
    bodyRecordsMax !== undefined &&
    !(Number.isSafeInteger(bodyRecordsMax) && bodyRecordsMax >= 0)
  ) {
    throw new RangeError(`bodies of ${bodyRecordsMax} records cannot be kept`);
  }
  const topic = await engine.openTopic({
    topic: topicName,
    partitions: options.partitions,
    replicationFactor: options.replicationFactor,
    minInSyncReplicas: options.minInSyncReplicas,
    create: options.create ?? true,
  });
  const all = Array.from({ length: topic.partitions }, (_, partition) => partition);
  const task: FollowerTask = {
    ...{ connection, topicName, topic, folder },
    served: options.served ?? all,
    instance: engine.instance(),
    ...(options.formatsModule ? { formatsModule: options.formatsModule } : {}),
    ...(bodyRecordsMax === undefined ? {} : { bodyRecordsMax }),
  };
  const line = engine.produceLine();
  const bodies = new OlderBodies(engine.recordReader(topic.id), formats);
  const log = new KafkaLog({ ...options, onReport }, { engine, task, format, line, owner, bodies });
  try {
    await log.catchUp();
    return log;
  } catch (error) {
    await log.close();
    throw error;
  }
}

interface Parts {
  readonly engine: KafkaEngine;
  readonly task: FollowerTask;
  readonly format: RecordFormat;
  readonly line: MessageLine;
  readonly owner: ReplicaOwner;
  readonly bodies: OlderBodies;
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

type PartitionEnd = readonly [partition: number, end: number];

class KafkaLog implements KafkaEventLog {
  readonly folder: string;
  readonly partitions: number;
  readonly #options: KafkaEventLogOptions & { readonly onReport: OnReport };
  readonly #parts: Parts;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #queue: AppendQueue;
  readonly #watch: HeadWatch;
  /** What was judged, */
  readonly #progress = new Map<number, FollowerProgress>();
  /** and what of it can be read. */
  readonly #committed = new Map<number, FollowerProgress>();
  readonly #barriers = new Map<number, Promise<void>>();
  #follower: FollowerClient | undefined;
  #reads: LogReads | undefined;
  #commits = 0;
  readonly #ahead = new AnsweredAhead();
  #commitAsked = false;
  #healing: Promise<void> | undefined;
  #heals = 0;
  #lastNumber = 0;
  #failure: Error | undefined;
  #closed: Promise<void> | undefined;
  #moved = Promise.withResolvers<void>();

  constructor(options: KafkaEventLogOptions & { readonly onReport: OnReport }, parts: Parts) {
    const { engine, task, line } = parts;
    this.folder = options.folder;
    this.partitions = task.topic.partitions;
    this.#options = options;
    this.#parts = parts;
    this.#clock = options.clock ?? systemClock;
    this.#watch = new HeadWatch(() => this.#commits);
    this.#queue = new AppendQueue({
      send: (messages) => line.send(messages),
      voidOf: ({ number, partition }) => this.#voidOf(number, partition),
      queueAppendsMax: options.queueAppendsMax ?? kafkaLimits.queueAppendsMax,
      queueBytesMax: options.queueBytesMax ?? kafkaLimits.queueBytesMax,
      timers: engine.timers,
    });
  }

  /** Follows the topic up to where it ended as it was opened. A damaged replica begins anew by itself. */
  catchUp(): Promise<void> {
    const { topic, served } = this.#parts.task;
    return this.#follow(served.map((partition) => [partition, topic.offsets[partition]?.end ?? 0]));
  }

  /** Follows the topic from where the replica is, and resolves when it has come to `ends`. */
  async #follow(ends: readonly PartitionEnd[]): Promise<void> {
    const { engine } = this.#parts;
    const task = withEnds(this.#parts.task, ends);
    const events = {
      onJudged: (batches: readonly JudgedBatch[], committed: boolean) =>
        this.#judged(batches, committed ? task.served : []),
      onFailed: (error: Error, removed: boolean) => this.#lost(error, removed),
      onReport: this.#options.onReport,
    };
    this.#progress.clear();
    this.#commitAsked = false;
    this.#follower = new FollowerClient(task, events, engine.startFollower);
    for (const { partition, found, progress } of await this.#follower.opened()) {
      this.#progress.set(partition, progress);
      if (found !== 'damaged') continue;
      const message = `the replica of partition ${partition} was damaged: it is made anew`;
      this.#options.onReport({ level: 'warn', message, fields: {} });
    }
    const readers = task.served.map((partition) => replicaReader(this.folder, partition));
    if (this.#reads) this.#reads.replaceReaders(readers);
    else {
      const { bodies } = this.#parts;
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

  async append(
    stream: string,
    events: readonly NewEvent[],
    { expected }: { readonly expected: Expected },
  ): Promise<AppendResult> {
    this.#mustServe();
    const checked = checkAppend(stream, events);
    if (checked.kind === 'refused') return checked;
    const partition = this.#servedPartitionOf(stream);
    const overload = this.#queue.overload(checked.bytes);
    if (overload !== undefined) {
      return { kind: 'refused', reason: 'overloaded', detail: overload };
    }
    const stampedAt = this.#clock.now();
    const record = this.#encode(partition, stream, { kind: 'append', expected, stampedAt, events });
    const answer = await this.#queue.send({ ...record, partition, isBarrier: false });
    if (answer.kind !== 'seen') return answer;
    throw new Error('an append was answered like a barrier');
  }

  async readStream(stream: string, options?: StreamReadOptions): Promise<StreamPage> {
    const reads = this.#mustServe();
    // A name that no stream can have has no home either.
    const partition = partitionOf(stream, this.partitions);
    if (this.#options.linearizableReads === true) await this.barrier(stream);
    return reads.readStream(partition, stream, options);
  }

  async read(
    from: Checkpoint | 'start' | 'end',
    filter?: Filter,
    options?: ReadOptions,
  ): Promise<Page> {
    return this.#mustServe().read(from, filter, options);
  }

  subscribe(
    from: Checkpoint,
    filter?: Filter,
    options?: { readonly signal?: AbortSignal; readonly limit?: number },
  ): AsyncIterable<Delivery> {
    if (!this.#reads) throw new EventLogError('closed', 'the log is not open');
    return this.#reads.subscribe(from, filter, options);
  }

  async count(filter?: Filter): Promise<ReadonlyMap<string, number>> {
    return this.#mustServe().count(filter);
  }

  async head(): Promise<Checkpoint> {
    return this.#mustServe().head();
  }

  /** Those who wait for the same partition wait for the next barrier together. */
  async barrier(stream: string): Promise<void> {
    this.#mustServe();
    const partition = this.#servedPartitionOf(stream);
    const next = this.#barriers.get(partition) ?? this.#sendBarrier(partition);
    await next;
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

  statistics(): { readonly queueDepth: number; readonly queueBytes: number } {
    return { queueDepth: this.#queue.depth, queueBytes: this.#queue.bytes };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#reads?.end();
    await this.#queue.idle();
    const { line, bodies } = this.#parts;
    await Promise.all([line.close(), bodies.close(), this.#follower?.close()]);
    this.#reads?.close();
    this.#parts.owner.release();
  }

  async #sendBarrier(partition: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => undefined);
    this.#barriers.set(partition, promise);
    // Whoever asks from here on must not share this barrier: it may be sent before they asked.
    await new Promise<void>((nextTurn) => this.#parts.engine.timers.soon(nextTurn));
    this.#barriers.delete(partition);
    const record = this.#encode(partition, undefined, { kind: 'barrier' });
    const answer = await this.#queue.send({ ...record, partition, isBarrier: true });
    if (answer.kind === 'seen') resolve();
    else reject(new EventLogError('io', `the barrier was not read back in time: ${answer.kind}`));
    return promise;
  }

  #judged(batches: readonly JudgedBatch[], committed: readonly number[]): void {
    for (const { partition, progress, outcomes } of batches) {
      this.#progress.set(partition, progress);
      if (outcomes.length > 0) this.#ahead.answered(partition);
      for (const outcome of outcomes) this.#queue.read(outcome);
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
    do {
      if (this.#healing) {
        await this.#healing;
        if (this.#failure) throw this.#failure;
      }
      await this.#settled();
    } while (this.#healing);
  }

  /** Resolves when all that was answered can be read. */
  async #settled(): Promise<void> {
    const isCommitted = this.#ahead.wait();
    if (!isCommitted || this.#failure) return;
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
    if (!removed || !this.#reads || this.#closed || hopeless) {
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
    this.#queue.abandon(`the topic is not followed any more: ${error.message}`);
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

  #voidOf(voided: number, partition: number): { number: number; message: Message; bytes: number } {
    const voids = appendIdOf(this.#parts.task.instance, voided);
    return this.#encode(partition, undefined, { kind: 'void', voids });
  }

  #encode(
    partition: number,
    key: string | undefined,
    said: DistributiveOmit<RecordToEncode, 'appendId' | 'witness'>,
  ): { number: number; message: Message; bytes: number } {
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    const appendId = appendIdOf(this.#parts.task.instance, number);
    const value = this.#parts.format.encode({
      ...said,
      appendId,
      witness: this.#witness(partition),
    });
    return { number, message: { key: key ?? null, value, partition }, bytes: value.length + 600 };
  }

  #witness(partition: number): Witness {
    const { lastOffset, hash } = this.#progress.get(partition) ?? beginning('', 0);
    return { offset: lastOffset, hash };
  }

  #servedPartitionOf(stream: string): number {
    const partition = partitionOf(stream, this.partitions);
    if (this.#parts.task.served.includes(partition)) return partition;
    throw new RangeError(`${stream} is in partition ${partition}, which is not served here`);
  }

  #mustServe(): LogReads {
    if (this.#closed || !this.#reads) {
      throw new EventLogError('closed', 'the event log is closed');
    }
    if (this.#failure) throw this.#failure;
    return this.#reads;
  }
}

type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown
  ? Omit<Union, Key>
  : never;
