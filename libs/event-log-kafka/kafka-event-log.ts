import { type Clock, systemClock } from '@annals/core';
import {
  type AppendResult,
  type Checkpoint,
  checkAppend,
  type Delivery,
  EventLogError,
  type Expected,
  type Filter,
  type NewEvent,
  type Page,
  type StreamPage,
} from '@annals/event-log';
import {
  type LogReads,
  ownReplicaFolder,
  type ReadOptions,
  type ReplicaOwner,
  type StreamReadOptions,
} from '@annals/event-log-sqlite/replica';
import type { Message } from 'kafkajs';
import { AppendQueue } from './append-queue.ts';
import { FollowedTopic } from './followed-topic.ts';
import type { FollowerTask } from './follower-protocol.ts';
import { holdsLog } from './holds-log.ts';
import type { OnReport } from './kafka-connection.ts';
import { type KafkaEngine, kafkaEngine, type MessageLine } from './kafka-engine.ts';
import { kafkaLimits } from './kafka-limits.ts';
import type { KafkaEventLog, KafkaEventLogOptions, PartitionStatus } from './kafka-log-options.ts';
import { OlderBodies } from './older-bodies.ts';
import { partitionOf } from './partition-of.ts';
import { appendIdOf, foundingKey } from './record.ts';
import type { RecordToEncode } from './record-format-1.ts';
import { type RecordFormat, writtenFormat } from './record-formats.ts';

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
  const absent = options.served?.find((partition) => !all.includes(partition));
  if (absent !== undefined || options.served?.length === 0) {
    const problem = `partition ${absent ?? 'none'} is to be served, and topic ${topicName} has 0 to ${topic.partitions - 1}`;
    throw new EventLogError('not-a-log', problem);
  }
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
    await log.mustKnowPartitions();
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

/** Of the records in a partition that counts as right at most one in so many may be a copy. */
const copiedShare = 10;

class KafkaLog implements KafkaEventLog {
  readonly folder: string;
  readonly topicName: string;
  readonly partitions: number;
  readonly #options: KafkaEventLogOptions & { readonly onReport: OnReport };
  readonly #parts: Parts;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #queue: AppendQueue;
  readonly #followed: FollowedTopic;
  readonly #barriers = new Map<number, Promise<void>>();
  /** Partitions to which the record was sent that says how many there are. */
  readonly #founding = new Set<number>();
  #lastNumber = 0;
  #closed: Promise<void> | undefined;

  constructor(options: KafkaEventLogOptions & { readonly onReport: OnReport }, parts: Parts) {
    const { engine, task, line, bodies } = parts;
    this.folder = options.folder;
    this.topicName = task.topic.name;
    this.partitions = task.topic.partitions;
    this.#options = options;
    this.#parts = parts;
    this.#clock = options.clock ?? systemClock;
    this.#queue = new AppendQueue({
      send: (messages) => line.send(messages),
      voidOf: ({ number, partition }) => this.#voidOf(number, partition),
      queueAppendsMax: options.queueAppendsMax ?? kafkaLimits.queueAppendsMax,
      queueBytesMax: options.queueBytesMax ?? kafkaLimits.queueBytesMax,
      timers: engine.timers,
    });
    this.#followed = new FollowedTopic({
      ...{ task, bodies, startFollower: engine.startFollower, timers: engine.timers },
      ...{ onReport: options.onReport, onProgress: options.onProgress },
      onOutcome: (outcome) => this.#queue.read(outcome),
      onStalled: ({ message }) => this.#queue.abandon(`the topic is not followed: ${message}`),
      onFailed: (error) => options.onFailed?.(error),
    });
  }

  /** Follows the topic up to where it ended as it was opened. */
  catchUp(): Promise<void> {
    return this.#followed.catchUp();
  }

  /**
   * Where no record says yet how many partitions the log has, its records must be those of so many, as far as can be
   * seen: what the first append says then stays for good. Throws EventLogError.
   */
  async mustKnowPartitions(): Promise<void> {
    if (this.#followed.isAnyFounded) return;
    const { partition, records, events } = this.#followed.misplaced();
    // Some may have been copied there, which whoever names the number knows.
    const isTold = this.#options.partitions !== undefined;
    if (records > (isTold ? events / copiedShare : 0)) {
      throw this.#otherPartitions(
        `${records} records of partition ${partition} were written for another number of them`,
      );
    }
    const { task, bodies } = this.#parts;
    for (const [at, { low, end }] of (task.topic.beyond ?? []).entries()) {
      const beyond = task.topic.partitions + at;
      if (await holdsLog(bodies.reader, beyond, low, end)) {
        throw this.#otherPartitions(
          `partition ${beyond}, which would be none of them, has records of the log`,
        );
      }
    }
  }

  #otherPartitions(found: string): EventLogError {
    return new EventLogError(
      'not-a-log',
      `topic ${this.topicName} is opened as a log with ${this.partitions} partitions, and ${found}. To mend it: write partitions= in its ` +
        'URL, as many as it was made with',
    );
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
    this.#found(partition);
    const stampedAt = this.#clock.now();
    const record = this.#encode(partition, stream, { kind: 'append', expected, stampedAt, events });
    const answer = await this.#queue.send({ ...record, partition, isBarrier: false });
    if (answer.kind === 'denied') throw new EventLogError('refused', answer.detail);
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
    const { reads } = this.#followed;
    if (!reads) throw new EventLogError('closed', 'the log is not open');
    return reads.subscribe(from, filter, options);
  }

  async count(filter?: Filter): Promise<ReadonlyMap<string, number>> {
    return this.#mustServe().count(filter);
  }

  async head(): Promise<Checkpoint> {
    return this.#mustServe().head();
  }

  /** Those who wait for the same partition wait for the next barrier together. */
  async barrier(stream?: string): Promise<void> {
    this.#mustServe();
    const { served } = this.#parts.task;
    const partitions = stream === undefined ? served : [this.#servedPartitionOf(stream)];
    await Promise.all(
      partitions.map((partition) => this.#barriers.get(partition) ?? this.#sendBarrier(partition)),
    );
  }

  status(): readonly PartitionStatus[] {
    return this.#followed.status();
  }

  statistics(): { readonly queueDepth: number; readonly queueBytes: number } {
    return { queueDepth: this.#queue.depth, queueBytes: this.#queue.bytes };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#followed.end();
    await this.#queue.idle();
    const { line, bodies } = this.#parts;
    await Promise.all([line.close(), bodies.close(), this.#followed.stop()]);
    this.#followed.close();
    this.#parts.owner.release();
  }

  async #sendBarrier(partition: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => undefined);
    this.#barriers.set(partition, promise);
    // Whoever asks from here on must not share this barrier: it may be sent before they asked.
    await new Promise<void>((nextTurn) => this.#parts.engine.timers.soon(nextTurn));
    this.#barriers.delete(partition);
    const { failure } = this.#followed;
    if (failure) {
      reject(failure);
      return promise;
    }
    const record = this.#encode(partition, undefined, { kind: 'barrier' });
    const answer = await this.#queue.send({ ...record, partition, isBarrier: true });
    if (answer.kind === 'seen') resolve();
    else if (answer.kind === 'denied') reject(new EventLogError('refused', answer.detail));
    else {
      const message = `the barrier was not read back in time: ${answer.kind}`;
      reject(new EventLogError('unreachable', message));
    }
    return promise;
  }

  /** Before the first append to a partition stands how many partitions the log has: the topic may be given more. */
  #found(partition: number): void {
    if (this.#founding.has(partition) || this.#followed.isFounded(partition)) return;
    this.#founding.add(partition);
    const record = this.#encode(partition, foundingKey(this.partitions), { kind: 'barrier' });
    void this.#queue.send({ ...record, partition, isBarrier: true }).then(({ kind }) => {
      if (kind !== 'seen') this.#founding.delete(partition);
    });
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
      witness: this.#followed.witness(partition),
    });
    return { number, message: { key: key ?? null, value, partition }, bytes: value.length + 600 };
  }

  #servedPartitionOf(stream: string): number {
    const partition = partitionOf(stream, this.partitions);
    if (this.#parts.task.served.includes(partition)) return partition;
    throw new RangeError(`${stream} is in partition ${partition}, which is not served here`);
  }

  #mustServe(): LogReads {
    const { reads, failure } = this.#followed;
    if (this.#closed || !reads) throw new EventLogError('closed', 'the event log is closed');
    if (failure) throw failure;
    return reads;
  }
}

type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown
  ? Omit<Union, Key>
  : never;
