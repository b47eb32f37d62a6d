import { defineErrors, logErrors, logProblem, type Problem } from '@annals/http';
import type { Late, Lost, Overloaded, Refused, Unknown } from '@annals/leaderboard';

/** The commands that bring a lost read model back, as an operator types them. */
export const repairCommand =
  'npx annals rebuild leaderboard && npx annals verify leaderboard && npx annals promote leaderboard';

/** The same for the archive of closed periods. */
export const archiveRepairCommand = repairCommand.replaceAll('leaderboard', 'leaderboard-archive');

/** What the leaderboard refuses, beside what every route may refuse. */
export const leaderboardErrors = defineErrors('leaderboard', {
  'unknown-player': {
    status: 404,
    title: 'The player has no name',
    detail: 'No player of this id has a name.',
    when: 'GET of a player who was never named, or whose personal data was erased.',
  },
  'unknown-board': {
    status: 404,
    title: 'No such leaderboard',
    detail: 'Refused: {what}; PUT /v1/leaderboards/<id> makes one.',
    when: 'The leaderboard was never made.',
  },
  'no-score': {
    status: 404,
    title: 'The player has no score',
    detail: 'This player has no score on {leaderboard} in {period}.',
    when: 'The player never scored on this leaderboard in this period.',
  },
  'invalid-period': {
    status: 400,
    title: 'The period does not fit the leaderboard',
    detail: 'Refused: {what}.',
    when: 'The period is not of the kind that the reset of the leaderboard makes.',
  },
  'occurred-at-out-of-range': {
    status: 400,
    title: 'occurred_at makes no sense',
    detail: 'Refused: {what}.',
    when: 'occurred_at is before 2000, or more than 24 hours in the future.',
  },
  'score-key-reused': {
    status: 409,
    title: 'The match is recorded otherwise',
    detail: 'Refused: {what}.',
    when: 'The same leaderboard, match_id and user_id come again with other points.',
  },
  'period-closed': {
    status: 409,
    title: 'The period is closed',
    detail: 'Refused: {what}.',
    when: 'A score for a period that was closed before it arrived: it does not count.',
  },
  'total-out-of-range': {
    status: 409,
    title: 'The total would leave the safe integers',
    detail: 'Refused: {what}.',
    when: 'With this score the total would be above 2^53 - 1 or below -(2^53 - 1): it does not count.',
  },
  'period-not-begun': {
    status: 409,
    title: 'The period has not begun',
    detail: 'Refused: {what}.',
    when: 'Closing a period that lies in the future.',
  },
  'board-settings-fixed': {
    status: 409,
    title: 'The settings of a leaderboard are fixed',
    detail: 'Refused: {what}.',
    when: 'PUT of a leaderboard that exists, with another operator, order or reset.',
  },
  'player-erased': {
    status: 409,
    title: 'The player was erased',
    detail: 'Refused: {what}.',
    when: 'PUT of a player whose personal data was erased.',
  },
  'archive-lost': {
    status: 503,
    title: 'The archive is lost',
    detail: `The archive of closed periods is not there. Build it anew: ${archiveRepairCommand}`,
    when: 'The period was moved to the archive, whose files or tables are missing or were replaced. Open periods go on.',
  },
  'archive-unknown': {
    status: 503,
    title: 'The period is in an archive',
    detail:
      'The period was moved to an archive that this process was not told of: set ANNALS_LEADERBOARD_ARCHIVE.',
    when: 'The period was moved to an archive by a site whose settings named one, and those of this process do not.',
  },
});

/** The problems of the log that every write may come to. */
export const writeProblems = ['log-overloaded', 'log-unreachable', 'write-outcome-unknown'];

type Code = keyof typeof leaderboardErrors.rows;
type LogCode = 'invalid-cursor' | 'invalid-position' | 'position-ahead';

type Failure =
  | Refused<
      Exclude<Code, 'no-score' | 'unknown-player' | 'archive-lost' | 'archive-unknown'> | LogCode
    >
  | Late
  | Overloaded
  | Unknown
  | Lost;

/** The problem a service's refusal is answered with. */
export function problemOf(failure: Failure): Problem {
  if (failure.kind === 'lost' && failure.of !== undefined) return archiveProblem(failure.of);
  if (failure.kind !== 'refused') return logProblem(failure, repairCommand);
  const { reason, detail: what } = failure;
  return isOfLog(reason)
    ? logErrors.problem(reason, { what })
    : leaderboardErrors.problem(reason, { what });
}

function isOfLog(reason: Code | LogCode): reason is LogCode {
  return Object.hasOwn(logErrors.rows, reason);
}

function archiveProblem(of: NonNullable<Lost['of']>): Problem {
  const headers = { 'retry-after': '5' };
  if (of === 'no-archive') {
    return leaderboardErrors.problem('archive-unknown', undefined, { headers });
  }
  const members = { command: archiveRepairCommand };
  return leaderboardErrors.problem('archive-lost', undefined, { headers, members });
}

/** The problem of a score or, with `index`, of one item of a batch: a bad time names its field. */
export function scoreProblemOf(failure: Failure, index?: number): Problem {
  if (failure.kind !== 'refused' || failure.reason !== 'occurred-at-out-of-range') {
    return problemOf(failure);
  }
  const field = index === undefined ? 'occurred_at' : `scores.${index}.occurred_at`;
  const errors = [{ in: 'body', field, message: failure.detail }] as const;
  return leaderboardErrors.problem(failure.reason, { what: failure.detail }, { errors });
}
