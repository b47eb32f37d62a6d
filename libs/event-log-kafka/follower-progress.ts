import { EventLogError } from '@annals/event-log/port';
import { noVerdicts, type VerdictHash } from './verdict-hash.ts';

/** How far a follower came, kept in the transaction that keeps the events. */
export interface FollowerProgress {
  /** Cluster and name of the topic. */
  readonly topic: string;
  /** The id that the cluster gave to it; absent until it was told. */
  readonly topicId?: string;
  readonly partitions: number;
  readonly nextOffset: number;
  /** -1 before the first record. */
  readonly lastOffset: number;
  /** SHA-256 of key and value of the record at `lastOffset`; empty before the first. */
  readonly lastRecordHash: string;
  readonly hash: VerdictHash;
  /** Of records before this offset the replica has no bodies any more; absent when it has all. */
  readonly bodiesFrom?: number;
  /** The latest stamp: milliseconds since 1970. */
  readonly stamp: number;
  readonly events: number;
  /** Records that were skipped because they are not ours. */
  readonly foreign: number;
  readonly voids: number;
  readonly barriers: number;
  /** A record has said that the log has `partitions` partitions. */
  readonly isFounded?: boolean;
  /** Records of ours before that one whose streams would live elsewhere. */
  readonly misplaced?: number;
}

export function beginning(topic: string, partitions: number): FollowerProgress {
  const counts = { events: 0, foreign: 0, voids: 0, barriers: 0 };
  const place = { nextOffset: 0, lastOffset: -1, lastRecordHash: '' };
  return { topic, partitions, ...place, hash: noVerdicts, stamp: 0, ...counts };
}

/** What a follower kept. Throws EventLogError `corrupt`: the replica is then made again. */
export function readProgress(state: string): FollowerProgress {
  try {
    const progress = JSON.parse(state) as FollowerProgress;
    if (Number.isSafeInteger(progress.nextOffset) && Number.isSafeInteger(progress.hash.high)) {
      return progress;
    }
  } catch {
    // Falls through: it is no progress.
  }
  throw new EventLogError('corrupt', 'the replica does not say how far it came');
}
