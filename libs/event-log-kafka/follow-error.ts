import { EventLogError } from '@annals/event-log/port';

/**
 * `other-topic`: the replica follows another one. `shorter-topic`: the topic has lost records that were
 * read from it. `changed-record`: it holds other records than those that were read. `diverged`: another
 * process judges by other rules. `newer-record`: only a newer program can read on. `in-transaction`: a record of ours was
 * written in a transaction.
 */
export type FollowProblem =
  | 'other-topic'
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
