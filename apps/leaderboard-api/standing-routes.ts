import { identifier, integerParameter, type Route, route } from '@annals/http';
import {
  boardIdSchema,
  friendsSchema,
  type Leaderboard,
  limits,
  periodSchema,
  tiesSchema,
  userIdSchema,
} from '@annals/leaderboard';
import { z } from 'zod';
import {
  friend,
  historyAnswer,
  played,
  ranked,
  ranksAnswer,
  standingAnswer,
  topAnswer,
} from './answers.ts';
import { leaderboardErrors } from './errors.ts';
import {
  answered,
  positionSchema,
  readHeaders,
  readOptions,
  readProblems,
  readQuery,
} from './reads.ts';

/** Who stands where on a board, and how it came to that. */
export function standingRoutes(service: Leaderboard): Route[] {
  return [topRoute(service), standingRoute(service), ranksRoute(service), historyRoute(service)];
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
