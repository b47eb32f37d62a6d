import type { EventLogErrorCode } from '@annals/event-log/port';
import type { ReplicaFound } from '@annals/event-log-sqlite/replica';
import type { FollowProblem } from './follow-error.ts';
import type { FollowerProgress } from './follower-progress.ts';
import type { ClientReport, KafkaConnection } from './kafka-connection.ts';
import type { Outcome } from './partition-follower.ts';
import type { Topic } from './topic.ts';

/** What the follower's thread is told as it starts. */
export interface FollowerTask {
  readonly connection: KafkaConnection;
  /** As Kafka calls it. */
  readonly topicName: string;
  readonly topic: Topic;
  /**
   * Whether this process has followed the topic before: the ends are those it was told of then. The replica may be ahead of
   * them, as a thread that fails has committed more than it came to tell; the feed says where the topic ends now.
   */
  readonly isAgain?: boolean;
  /** The partitions that are followed. */
  readonly served: readonly number[];
  readonly folder: string;
  readonly instance: string;
  /** Of how many records of each partition bodies are kept; all when it is absent. */
  readonly bodyRecordsMax?: number;
  /** URL of a module that exports `recordFormats`: for a test of formats that do not exist yet. */
  readonly formatsModule?: string;
}

export interface Followed {
  readonly partition: number;
  readonly found: ReplicaFound;
  readonly progress: FollowerProgress;
}

/** What the follower's thread is asked. To `commit` it answers with `judged` and `committed`. */
export type FollowerRequest = 'commit' | 'close';

/** What some records of one partition have brought. */
export interface JudgedBatch {
  readonly partition: number;
  readonly progress: FollowerProgress;
  readonly outcomes: readonly Outcome[];
}

/** What the follower's thread says. After `failed` it is gone. */
export type FollowerMessage =
  /** The files of all partitions are there and can be read. */
  | { readonly kind: 'opened'; readonly followed: readonly Followed[] }
  /** What was judged since the last message, in order; `committed` when all of it, and of those before, can be read. */
  | {
      readonly kind: 'judged';
      readonly batches: readonly JudgedBatch[];
      readonly committed: boolean;
    }
  | { readonly kind: 'report'; readonly report: ClientReport }
  | { readonly kind: 'failed'; readonly error: FollowerFailure }
  | { readonly kind: 'closed' };

/** An error as it crosses the threads; without `code` it is a bug. */
export interface FollowerFailure {
  readonly code?: EventLogErrorCode;
  readonly problem?: FollowProblem;
  /** The replica was damaged and has been removed: started again, the follower makes it anew. */
  readonly removed: boolean;
  readonly message: string;
}
