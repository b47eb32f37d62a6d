import type { Clock } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import type { ISocketFactory } from 'kafkajs';
import type { KafkaConnection, OnReport } from './kafka-connection.ts';
import type { Compression } from './produce-line.ts';
import type { TopicSettings } from './topic.ts';

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
  /** The topic is not followed any more, and only an operator can mend that: everything throws the error from here on. */
  readonly onFailed?: (error: Error) => void;
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
  /** Cluster and name. */
  readonly topicName: string;
  readonly partitions: number;
  /**
   * Resolves when all that was acknowledged in the stream's partition before the call has been read here; in every partition
   * that is served when no stream is named. Throws EventLogError `unreachable` when that is not sure in time.
   */
  barrier(stream?: string): Promise<void>;
  status(): readonly PartitionStatus[];
  statistics(): { readonly queueDepth: number; readonly queueBytes: number };
}
