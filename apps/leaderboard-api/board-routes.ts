import { integerParameter, type Route, route } from '@annals/http';
import {
  boardIdSchema,
  boardInputSchema,
  type Leaderboard,
  limits,
  periodSchema,
} from '@annals/leaderboard';
import { boardAnswer, boardsAnswer, closeAnswer, shown, shownBoard } from './answers.ts';
import { problemOf, writeProblems } from './errors.ts';

/** Leaderboards themselves, and the ends of their periods. */
export function boardRoutes(service: Leaderboard): Route[] {
  return [...settingRoutes(service), ...shownBoardRoutes(service)];
}

function settingRoutes(service: Leaderboard): Route[] {
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
