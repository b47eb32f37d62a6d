import { defineErrors, type Problem } from '@annals/http';
import type { Late, Overloaded, Refused, Unknown } from '@annals/leaderboard';

/** The commands that bring a lost read model back, as an operator types them. */
export const repairCommand =
  'npx annals rebuild leaderboard && npx annals verify leaderboard && npx annals promote leaderboard';

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
  'invalid-cursor': {
    status: 400,
    title: 'The cursor is not one of ours',
    detail: 'Refused: {what}.',
    when: 'A cursor that was made up, cut off, or belongs to another player, leaderboard or period.',
  },
  'invalid-position': {
    status: 400,
    title: 'The position is not one of ours',
    detail: 'Refused: {what}.',
    when: 'A min-position that no answer gave.',
  },
  'position-ahead': {
    status: 409,
    title: 'The position is ahead of the log',
    detail: 'Refused: {what}.',
    when: 'A min-position of another service, or of a write that was lost when the log was restored from a backup. Drop it, and look whether your latest writes are there.',
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
  'not-there-yet': {
    status: 503,
    title: 'The read model has not reached the position',
    detail: 'The read model did not reach min-position in time.',
    when: 'A read with min-position, while the projection lags. Retry-After says when to try again.',
  },
  'read-model-lost': {
    status: 503,
    title: 'The read model is lost',
    detail: `The read model is not there. Build it anew: ${repairCommand}`,
    when: 'The files of the read model are missing or were replaced. Writes go on.',
  },
  'log-overloaded': {
    status: 503,
    title: 'Too many writes are waiting',
    detail: 'Too many writes are waiting for the log: nothing was stored, send it again.',
    when: 'The queue in front of the log is full. Retry-After says when to try again.',
  },
  'write-outcome-unknown': {
    status: 503,
    title: 'The write may or may not be stored',
    detail: 'The log did not answer in time: send the same request again, it counts once.',
    when: 'The connection to the log broke while it stored.',
  },
});

type Failure =
  | Refused<
      Exclude<
        keyof typeof leaderboardErrors.rows,
        | 'no-score'
        | 'unknown-player'
        | 'not-there-yet'
        | 'read-model-lost'
        | 'log-overloaded'
        | 'write-outcome-unknown'
      >
    >
  | Late
  | Overloaded
  | Unknown
  | { readonly kind: 'lost' };

const soon = { headers: { 'retry-after': '1' } } as const;

/** The problem a service's refusal is answered with. */
export function problemOf(failure: Failure): Problem {
  switch (failure.kind) {
    case 'refused':
      return leaderboardErrors.problem(failure.reason, { what: failure.detail });
    case 'late':
      return leaderboardErrors.problem('not-there-yet', undefined, soon);
    case 'lost':
      return leaderboardErrors.problem('read-model-lost', undefined, {
        headers: { 'retry-after': '5' },
        members: { command: repairCommand },
      });
    case 'overloaded':
      return leaderboardErrors.problem('log-overloaded', undefined, soon);
    case 'unknown':
      return leaderboardErrors.problem('write-outcome-unknown', undefined, soon);
  }
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
