import { type Route, route } from '@annals/http';
import { type Leaderboard, playerInputSchema, userIdSchema } from '@annals/leaderboard';
import { playerAnswer, shownPlayer } from './answers.ts';
import { leaderboardErrors, problemOf, writeProblems } from './errors.ts';
import { positionSchema, readAt, readHeaders, readOptions } from './reads.ts';

/** What players are called: personal data. */
export function playerRoutes(service: Leaderboard): Route[] {
  return [...namingRoutes(service), playerRoute(service)];
}

function namingRoutes(service: Leaderboard): Route[] {
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
