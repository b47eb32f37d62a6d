import { EventLogError } from '@annals/event-log/port';

/**
 * `other-database`: the index follows another one. `gap`: the server no longer has, or never had, events
 * that the stream must have. `foreign-event`: something else writes to our streams. `newer-event`: only a newer program
 * can read on. `stored-twice`: an id stands in a stream a second time.
 */
export type FollowProblem =
  | 'other-database'
  | 'gap'
  | 'foreign-event'
  | 'newer-event'
  | 'stored-twice';

/** The server does not hold what the index says it must: nothing goes on by itself. */
export class FollowError extends EventLogError {
  readonly problem: FollowProblem;
  constructor(problem: FollowProblem, message: string) {
    super(problem === 'newer-event' ? 'newer-format' : 'corrupt', message);
    this.name = 'FollowError';
    this.problem = problem;
  }
}
