import { EventLogError } from '@annals/event-log/port';

/**
 * `other-topic`: the replica follows another one. `other-partitions`: the topic has more partitions than the log was
 * made with. `shorter-topic`: the topic has lost records that were read from it. `changed-record`: it holds other records than those that were read. `diverged`: another
 * process judges by other rules. `newer-record`: only a newer program can read on. `in-transaction`: a record of ours was
 * written in a transaction.
 */
export type FollowProblem =
  | 'other-topic'
  | 'other-partitions'
  | 'shorter-topic'
  | 'changed-record'
  | 'diverged'
  | 'newer-record'
  | 'in-transaction';

/** The topic is not what the replica says it was: nothing is served, and nothing goes on by itself. */
export class FollowError extends EventLogError {
  readonly problem: FollowProblem;
  constructor(problem: FollowProblem, message: string) {
    super(problem === 'newer-record' ? 'newer-format' : 'corrupt', message);
    this.name = 'FollowError';
    this.problem = problem;
  }
}

/** `founded`: what the log was made with, as `why` says. */
export function otherPartitions(
  followed: { readonly topic: string; readonly partition: number; readonly partitions: number },
  founded: number,
  why: string,
): FollowError {
  const { topic, partition, partitions } = followed;
  return new FollowError(
    'other-partitions',
    `the log in ${topic} has ${founded} partitions, not ${partitions} (partition ${partition}: ${why}): its streams live where their ` +
      `names hash to among ${founded}. Write partitions=${founded} in its URL: a topic may have more of them than the log`,
  );
}

/** To skip it could lose events of a topic that was mirrored; to take it could show what was broken off. */
export function recordInTransaction(partition: number, offset: number): FollowError {
  return new FollowError(
    'in-transaction',
    `the record at offset ${offset} of partition ${partition} is one of ours, and was written in a transaction, which nothing ` +
      'here does: a topic is copied by `annals log copy`, or mirrored without transactions',
  );
}
