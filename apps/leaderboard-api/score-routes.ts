import { type Problem, type Route, route } from '@annals/http';
import {
  type Leaderboard,
  limits,
  type ScoreInput,
  type ScoreResult,
  scoreBatchInputSchema,
  scoreInputSchema,
} from '@annals/leaderboard';
import { batchAnswer, scoreAnswer } from './answers.ts';
import { leaderboardErrors, problemOf, scoreProblemOf, writeProblems } from './errors.ts';

/** Scores as they come in: one match, or many at once. */
export function scoreRoutes(service: Leaderboard): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/scores',
      scope: 'scores:write',
      tag: 'scores',
      summary: 'Record what a player scored in a match',
      description:
        'Counts once for each leaderboard, match_id and user_id, however often and however late it is ' +
        'sent again. 202: stored, but the read model cannot tell the total right now.',
      body: scoreInputSchema,
      response: { 200: scoreAnswer, 202: scoreAnswer },
      problems: [
        'unknown-board',
        'occurred-at-out-of-range',
        'score-key-reused',
        'period-closed',
        'total-out-of-range',
        ...writeProblems,
      ],
      handler: async ({ body }, reply) => {
        const result = await service.recordScore(body);
        if (result.kind === 'recorded') {
          const { total, position, duplicate } = result;
          return { total, position, duplicate };
        }
        if (result.kind === 'recorded-unseen') {
          const { position, duplicate } = result;
          reply.code(202);
          return { total: null, position, duplicate };
        }
        return result.kind === 'void' ? voidProblem(result, body) : scoreProblemOf(result);
      },
    }),
    route({
      method: 'POST',
      url: '/v1/scores/batch',
      scope: 'scores:write',
      tag: 'scores',
      summary: `Record up to ${limits.batchScoresMax} scores`,
      description:
        'Checked as a whole: one bad item refuses all. Then one append for each bucket, and a result ' +
        'for each item in their order. Sent again, it stores what is missing.',
      body: scoreBatchInputSchema,
      bodyBytesMax: 2 ** 20,
      response: batchAnswer,
      problems: ['unknown-board', 'occurred-at-out-of-range'],
      handler: async ({ body }) => {
        const batch = await service.recordScores(body.scores);
        if (batch.kind === 'refused') return scoreProblemOf(batch, batch.index);
        const data = batch.results.map((result, index) =>
          batchItem(body.scores[index] as ScoreInput, result),
        );
        return { data };
      },
    }),
  ];
}

function voidProblem(
  { reason, position, duplicate }: Extract<ScoreResult, { readonly kind: 'void' }>,
  { leaderboard }: ScoreInput,
): Problem {
  const what =
    reason === 'period-closed'
      ? `the period of this score on ${leaderboard} is closed: the score does not count`
      : 'with this score the total would leave the safe integers: it does not count';
  return leaderboardErrors.problem(reason, { what }, { members: { position, duplicate } });
}

function batchItem(input: ScoreInput, result: ScoreResult) {
  const { user_id, match_id, leaderboard } = input;
  const item = { user_id, match_id, leaderboard, total: null, position: null, problem: null };
  if (result.kind === 'recorded' || result.kind === 'recorded-unseen') {
    return {
      ...item,
      result: result.duplicate ? ('duplicate' as const) : ('recorded' as const),
      total: result.kind === 'recorded' ? result.total : null,
      position: result.position,
    };
  }
  const problem = result.kind === 'void' ? voidProblem(result, input) : problemOf(result);
  return {
    ...item,
    result: 'refused' as const,
    position: result.kind === 'void' ? result.position : null,
    problem: { code: problem.code, detail: problem.message },
  };
}
