import { identifier, integerParameter, Problem, type Route, route } from '@annals/http';
import {
  boardIdSchema,
  boardInputSchema,
  friendsSchema,
  type Leaderboard,
  limits,
  periodSchema,
  playerInputSchema,
  type Read,
  type ScoreInput,
  type ScoreResult,
  scoreBatchInputSchema,
  scoreInputSchema,
  tiesSchema,
  userIdSchema,
} from '@annals/leaderboard';
import { z } from 'zod';
import {
  batchAnswer,
  boardAnswer,
  boardsAnswer,
  closeAnswer,
  friend,
  historyAnswer,
  played,
  playerAnswer,
  ranked,
  ranksAnswer,
  scoreAnswer,
  shown,
  shownBoard,
  shownPlayer,
  standingAnswer,
  topAnswer,
} from './answers.ts';
import { leaderboardErrors, problemOf, scoreProblemOf } from './errors.ts';
import { type LiveBoards, liveRoute } from './live.ts';

/** A position as an answer gave it; the log itself says whether it is one. */
const positionSchema = identifier({ charsMax: 1_024 });

/** What every read may say. */
const readQuery = {
  leaderboard: boardIdSchema.optional(),
  period: periodSchema.optional(),
  ties: tiesSchema.optional(),
  'min-position': positionSchema.optional(),
};
const readHeaders = { 'min-position': positionSchema.optional() };
const readProblems = [
  'unknown-board',
  'invalid-period',
  'invalid-position',
  'position-ahead',
  'not-there-yet',
  'read-model-lost',
  'archive-lost',
  'archive-unknown',
];
const writeProblems = ['log-overloaded', 'log-unreachable', 'write-outcome-unknown'];

interface ReadRequest {
  readonly query: {
    readonly leaderboard?: string | undefined;
    readonly period?: string | undefined;
    readonly ties?: 'standard' | 'dense' | undefined;
    readonly 'min-position'?: string | undefined;
  };
  readonly headers: { readonly 'min-position'?: string | undefined };
}

function readOptions({ query, headers }: ReadRequest) {
  const minPosition = query['min-position'] ?? headers['min-position'];
  return {
    ...(query.leaderboard === undefined ? {} : { board: query.leaderboard }),
    ...(query.period === undefined ? {} : { period: query.period }),
    ...(query.ties === undefined ? {} : { ties: query.ties }),
    ...(minPosition === undefined ? {} : { minPosition }),
  };
}

/** What an answer is good for. */
function readAt({
  asOf,
  exact,
  stale,
}: {
  readonly asOf: string;
  readonly exact?: false;
  readonly stale?: true;
}) {
  return { as_of: asOf, ...(exact === false ? { exact } : {}), ...(stale ? { stale } : {}) };
}

/**
 * A read as it is answered: what `show` makes of it, with the period and the checkpoint it is good for;
 * or the problem that it came to.
 */
function answered<T, Body extends object>(
  read: Read<T>,
  show: (answer: Extract<Read<T>, { readonly kind: 'answer' }>) => Body | Problem,
):
  | (Body & {
      readonly period: string;
      readonly closed: boolean;
      readonly as_of: string;
      readonly exact?: false;
      readonly stale?: true;
    })
  | Problem {
  if (read.kind !== 'answer') return problemOf(read);
  const body = show(read);
  if (body instanceof Problem) return body;
  return { ...body, period: read.period, closed: read.closed, ...readAt(read) };
}

/** All routes of the leaderboard's HTTP API. */
export function leaderboardRoutes(service: Leaderboard, live: LiveBoards): readonly Route[] {
  return [
    ...scoreRoutes(service),
    topRoute(service),
    standingRoute(service),
    ranksRoute(service),
    historyRoute(service),
    ...boardRoutes(service),
    ...shownBoardRoutes(service),
    ...playerRoutes(service),
    playerRoute(service),
    liveRoute(live),
  ];
}

function scoreRoutes(service: Leaderboard): Route[] {
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

function topRoute(service: Leaderboard): Route {
  return route({
    method: 'GET',
    url: '/v1/scores',
    scope: 'scores:read',
    tag: 'scores',
    summary: 'A page of a leaderboard, best first',
    description: 'Without parameters: the top 10 of the current month on the default leaderboard.',
    query: {
      ...readQuery,
      limit: integerParameter({ min: 1, max: limits.pageRowsMax }).optional(),
      offset: integerParameter({ min: 0, max: limits.offsetRowsMax }).optional(),
    },
    headers: readHeaders,
    response: topAnswer,
    problems: readProblems,
    handler: async (request) => {
      const { limit = limits.pageRowsDefault, offset = 0 } = request.query;
      const read = await service.top({ ...readOptions(request), limit, offset });
      return answered(read, ({ rows, players }) => {
        return { data: rows.map(ranked), total: rows.length, players };
      });
    },
  });
}

function standingRoute(service: Leaderboard): Route {
  return route({
    method: 'GET',
    url: '/v1/scores/:user_id',
    scope: 'scores:read',
    tag: 'scores',
    summary: "A player's rank, and who stands around",
    params: { user_id: userIdSchema },
    query: {
      ...readQuery,
      around: integerParameter({ min: 0, max: limits.aroundRowsMax }).optional(),
    },
    headers: readHeaders,
    response: standingAnswer,
    problems: ['no-score', ...readProblems],
    handler: async (request) => {
      const { around = limits.aroundRowsDefault } = request.query;
      const userId = request.params.user_id;
      const read = await service.standing({ ...readOptions(request), userId, around });
      return answered(read, ({ row, above, below, players, board, period }) => {
        if (!row) return leaderboardErrors.problem('no-score', { leaderboard: board, period });
        const { percentile, matches } = row;
        const user_info = { ...ranked(row), percentile, matches };
        return { user_info, neighbors: [...above, ...below].map(ranked), players };
      });
    },
  });
}

function ranksRoute(service: Leaderboard): Route {
  return route({
    method: 'POST',
    url: '/v1/scores/ranks',
    scope: 'scores:read',
    tag: 'scores',
    summary: 'Ranks among a list of friends',
    description:
      'Best first; friends without a score are left out. `rank` is among the friends, `board_rank` ' +
      'among all players.',
    body: z.strictObject({
      user_ids: friendsSchema,
      leaderboard: boardIdSchema.optional(),
      period: periodSchema.optional(),
      ties: tiesSchema.optional(),
    }),
    query: { 'min-position': positionSchema.optional() },
    headers: readHeaders,
    response: ranksAnswer,
    problems: readProblems,
    handler: async ({ body, query, headers }) => {
      const { user_ids: userIds, ...on } = body;
      const options = readOptions({ query: { ...on, ...query }, headers });
      const read = await service.ranks({ ...options, userIds });
      return answered(read, ({ rows, players }) => {
        return { data: rows.map(friend), total: rows.length, players };
      });
    },
  });
}

function historyRoute(service: Leaderboard): Route {
  return route({
    method: 'GET',
    url: '/v1/scores/:user_id/history',
    scope: 'scores:read',
    tag: 'scores',
    summary: 'The matches that made a score, newest first',
    params: { user_id: userIdSchema },
    query: {
      leaderboard: readQuery.leaderboard,
      period: readQuery.period,
      'min-position': readQuery['min-position'],
      limit: integerParameter({ min: 1, max: limits.historyMatchesMax }).optional(),
      cursor: identifier({ charsMax: 64 }).optional(),
    },
    headers: readHeaders,
    response: historyAnswer,
    problems: ['invalid-cursor', ...readProblems],
    handler: async (request) => {
      const { limit = limits.historyMatchesDefault, cursor } = request.query;
      const read = await service.history({
        ...readOptions(request),
        userId: request.params.user_id,
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
      return answered(read, ({ matches, nextCursor }) => {
        return { data: matches.map(played), next_cursor: nextCursor ?? null };
      });
    },
  });
}

function boardRoutes(service: Leaderboard): Route[] {
  return [
    route({
      method: 'PUT',
      url: '/v1/leaderboards/:id',
      scope: 'boards:write',
      tag: 'leaderboards',
      summary: 'Make a leaderboard',
      description:
        'The settings are fixed once it is made; the same again changes nothing. Periods are in UTC; ' +
        'weeks begin on Monday (ISO 8601).',
      params: { id: boardIdSchema },
      body: boardInputSchema,
      response: { 200: boardAnswer, 201: boardAnswer },
      problems: ['board-settings-fixed', ...writeProblems],
      handler: async ({ params, body }, reply) => {
        const result = await service.putBoard(params.id, body);
        if (result.kind !== 'board') return problemOf(result);
        reply.code(result.created ? 201 : 200);
        const { operator, order, reset } = result.settings;
        return { id: params.id, operator, order, reset };
      },
    }),
    route({
      method: 'POST',
      url: '/v1/leaderboards/:id/periods/:period/close',
      scope: 'boards:write',
      tag: 'leaderboards',
      summary: 'Freeze a period',
      description:
        'Scores that arrive later are void. Safe to repeat: a close that was cut off goes on.',
      params: { id: boardIdSchema, period: periodSchema },
      response: closeAnswer,
      problems: ['unknown-board', 'invalid-period', 'period-not-begun', ...writeProblems],
      handler: async ({ params }) => {
        const result = await service.closePeriod(params.id, params.period);
        if (result.kind !== 'closed') return problemOf(result);
        return {
          leaderboard: params.id,
          period: params.period,
          closed: true as const,
          position: result.position,
        };
      },
    }),
  ];
}

function shownBoardRoutes(service: Leaderboard): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/leaderboards',
      scope: 'scores:read',
      tag: 'leaderboards',
      summary: 'All leaderboards, by id',
      description:
        'One that was made through another process of the service appears within moments.',
      query: {
        limit: integerParameter({ min: 1, max: limits.pageBoardsMax }).optional(),
        cursor: boardIdSchema.optional(),
      },
      response: boardsAnswer,
      handler: async ({ query }) => {
        const { limit = limits.pageBoardsDefault, cursor } = query;
        const after = cursor === undefined ? {} : { after: cursor };
        const { boards, next } = await service.listBoards({ limit, ...after });
        return { data: boards.map(shown), next_cursor: next ?? null };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/leaderboards/:id',
      scope: 'scores:read',
      tag: 'leaderboards',
      summary: 'A leaderboard: its settings and its current period',
      params: { id: boardIdSchema },
      response: shownBoard,
      problems: ['unknown-board'],
      handler: async ({ params }) => {
        const board = await service.board(params.id);
        return board.kind === 'refused' ? problemOf(board) : shown(board);
      },
    }),
  ];
}

function playerRoute(service: Leaderboard): Route {
  return route({
    method: 'GET',
    url: '/v1/players/:user_id',
    scope: 'scores:read',
    tag: 'players',
    summary: 'What a player is called',
    params: { user_id: userIdSchema },
    query: { 'min-position': positionSchema.optional() },
    headers: readHeaders,
    response: shownPlayer,
    problems: [
      'unknown-player',
      'invalid-position',
      'position-ahead',
      'not-there-yet',
      'read-model-lost',
    ],
    handler: async (request) => {
      const userId = request.params.user_id;
      const read = await service.player({ ...readOptions(request), userId });
      if (read.kind !== 'answer') return problemOf(read);
      if (!read.player) return leaderboardErrors.problem('unknown-player');
      const { name, picture } = read.player;
      return { user_id: userId, user_name: name, picture, ...readAt(read) };
    },
  });
}

function playerRoutes(service: Leaderboard): Route[] {
  return [
    route({
      method: 'PUT',
      url: '/v1/players/:user_id',
      scope: 'players:write',
      tag: 'players',
      summary: 'Name a player',
      description: 'Name and picture are personal data: encrypted in the log, gone after an erase.',
      params: { user_id: userIdSchema },
      body: playerInputSchema,
      response: playerAnswer,
      problems: ['player-erased', ...writeProblems],
      handler: async ({ params, body }) => {
        const result = await service.putPlayer(params.user_id, body);
        if (result.kind !== 'named') return problemOf(result);
        return {
          user_id: params.user_id,
          user_name: body.name,
          picture: body.picture ?? null,
          position: result.position,
        };
      },
    }),
    route({
      method: 'DELETE',
      url: '/v1/players/:user_id',
      scope: 'players:erase',
      tag: 'players',
      summary: 'Erase a player’s personal data',
      description:
        'The key of the name and the picture is destroyed: they cannot come back, also after a ' +
        'rebuild. Scores and ranks stay. 202: done, but a read model has yet to forget.',
      params: { user_id: userIdSchema },
      response: { 202: null, 204: null },
      problems: writeProblems,
      handler: async ({ params }, reply) => {
        const result = await service.erasePlayer(params.user_id);
        if (result.kind !== 'erased') return problemOf(result);
        reply.code(result.visible ? 204 : 202);
        return undefined;
      },
    }),
  ];
}
